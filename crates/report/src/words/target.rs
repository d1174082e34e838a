use residue_model::{Dump, Snapshot};

use crate::units::size;

/// What was looked at: `412 (nginx)`, or the name of a dump's file.
pub fn target(snapshot: &Snapshot) -> String {
    match &snapshot.dump {
        Some(dump) => dump.file.clone(),
        None => format!("{} ({})", snapshot.process.pid, snapshot.process.name),
    }
}

/// What a dump is of: format, program, system, and what ended it.
pub fn dump(dump: &Dump, snapshot: &Snapshot) -> String {
    let machine = &snapshot.machine;
    let process = &snapshot.process;
    let program = match (process.name.as_str(), process.pid.0) {
        ("", 0) => "an unnamed process".to_owned(),
        ("", pid) => format!("process {pid}"),
        (name, 0) => name.to_owned(),
        (name, pid) => format!("{name} (pid {pid})"),
    };
    let version = machine.os_version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
    let order = if machine.big_endian { ", big-endian" } else { "" };
    let mut text = format!(
        "{} of {program}, {}{version}, {cpu}{order}, {}",
        dump.format.label(),
        machine.os.label(),
        size(dump.size)
    );
    if let Some(event) = &dump.event {
        let thread = event.thread.map(|thread| format!(" in thread {thread}")).unwrap_or_default();
        let address = event.address.map(|address| format!(" at {address}")).unwrap_or_default();
        text += &format!("; ended by {}{address}{thread}", event.name);
    }
    text
}
