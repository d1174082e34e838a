use residue_model::{Dump, Snapshot};

use crate::units::size;

/// What was looked at: `412 (nginx)`, or the name of a dump's file.
pub fn target(snapshot: &Snapshot) -> String {
    match &snapshot.dump {
        Some(dump) => dump.file.clone(),
        None => format!("{} ({})", snapshot.process.pid, snapshot.process.name),
    }
}

/// The word that names a target on a command line: a pid, or the path of a dump as a shell reads it.
pub fn argument(snapshot: &Snapshot) -> String {
    match &snapshot.dump {
        Some(dump) => quoted(&dump.file),
        None => snapshot.process.pid.to_string(),
    }
}

/// A word as a shell reads it back: that of Windows for what only Windows would call a path, else a POSIX one.
pub(crate) fn quoted(word: &str) -> String {
    if is_windows_path(word) {
        let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@\\~".contains(letter);
        return if word.chars().all(is_plain) { word.to_owned() } else { format!("\"{word}\"") };
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn is_windows_path(word: &str) -> bool {
    word.starts_with(r"\\") || word.get(1..3) == Some(r":\")
}

/// What a process runs on: `Windows 10.0.19045, x86-64`; nothing of one on this Linux.
pub fn machine(snapshot: &Snapshot) -> Option<String> {
    let machine = &snapshot.machine;
    let version = machine.os_version.as_deref()?;
    let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
    Some(format!("{} {version}, {cpu}", machine.os.label()))
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
    let text = format!(
        "{} of {program}, {}{version}, {cpu}{order}, {}",
        dump.format.label(),
        machine.os.label(),
        size(dump.size)
    );
    let Some(event) = &dump.event else { return text };
    let thread = event.thread.map(|thread| format!(" in thread {thread}")).unwrap_or_default();
    let address = event.address.map(|address| format!(" at {address}")).unwrap_or_default();
    let how = if event.is_stop() { "stopped" } else { "ended" };
    format!("{text}; {how} by {}{address}{thread}", event.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_named_so_that_the_command_can_be_pasted() {
        let named = |file: &str| {
            let dump = Dump { file: file.into(), ..Dump::default() };
            argument(&Snapshot { dump: Some(dump), ..Snapshot::default() })
        };
        assert_eq!(named("/tmp/core.1"), "/tmp/core.1");
        assert_eq!(named("my dump's.dmp"), r"'my dump'\''s.dmp'");
        assert_eq!(quoted("--in"), "'--in'");
        assert_eq!(quoted(r"C:\dumps\a.dmp"), r"C:\dumps\a.dmp");
        assert_eq!(quoted(r"C:\my dumps\a.dmp"), r#""C:\my dumps\a.dmp""#);
    }
}
