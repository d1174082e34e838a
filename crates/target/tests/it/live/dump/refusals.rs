//! Processes of which no core can be written, and who says so.

use std::process::{Command, Stdio};

use residue_model::ProcessId;
use residue_target::live::linux::{DumpOptions, dump};
use residue_target::{Error, ErrorKind};
use residue_testkit::Program;

use super::{Folder, pid, proc_dir, status};

fn refused(pid: ProcessId) -> Error {
    let folder = Folder::new();
    let error = dump(&proc_dir(), pid, &DumpOptions::default(), &folder.core(), &mut |_| {});
    assert_eq!(folder.names(), [""; 0]);
    error.expect_err("it cannot be")
}

#[test]
fn what_has_no_memory_is_refused_as_a_snapshot_is() {
    let zombie = Program::build("zombie").spawn(&[]);
    let error = refused(ProcessId(u32::try_from(zombie.number("zombie")).expect("a pid")));
    assert_eq!(error.kind(), ErrorKind::NoMemory);
    assert!(error.to_string().contains("it is a zombie"), "{error}");

    let kernel_thread = refused(ProcessId(2));
    assert_eq!(kernel_thread.kind(), ErrorKind::NoMemory, "{kernel_thread}");
    assert_eq!(refused(ProcessId(u32::MAX / 2)).kind(), ErrorKind::NotFound);
    assert_eq!(refused(ProcessId(std::process::id())).kind(), ErrorKind::Unsupported);
}

#[test]
fn a_traced_process_names_its_tracer() {
    let posed = Program::build("posed").spawn(&[]);
    let mut gdb = Command::new("gdb")
        .args(["-batch", "-nx", "-p", &posed.pid().to_string(), "-ex", "shell read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gdb is installed");
    while status(pid(&posed), "TracerPid") == "0" {
        assert!(gdb.try_wait().is_ok_and(|ended| ended.is_none()), "gdb attaches");
    }
    let error = refused(pid(&posed));
    let tracer = status(pid(&posed), "TracerPid");
    drop(gdb.stdin.take());
    gdb.wait().expect("it was started here");

    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let said = format!("process {} is being traced by process {tracer} (gdb)", posed.pid());
    assert_eq!(error.to_string(), said);
    assert!(error.remedy().is_some());
}
