//! Someone who may not look: the user nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::folder::Folder;
use super::{BINARY, Ran, quiet};

const SETPRIV: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// The command as nobody can start it: a copy where everyone may go.
pub(crate) struct Stranger {
    folder: Folder,
    binary: String,
}

impl Stranger {
    /// # Panics
    /// Unless the tests run as root: only root can become nobody.
    pub(crate) fn new() -> Stranger {
        assert!(is_root(), "these tests drop privileges, so they need some: run them as root");
        let folder = Folder::new();
        let binary = folder.file("residue");
        fs::copy(BINARY, &binary).expect("the binary can be copied");
        for path in [folder.path(), binary.as_ref()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("own files");
        }
        Stranger { folder, binary }
    }

    /// Runs the command as nobody.
    pub(crate) fn residue(&self, arguments: &[&str]) -> Ran {
        Ran::of(quiet(self.command(&[&self.binary]), arguments))
    }

    /// Runs the command as nobody where `/proc` hides what others run.
    pub(crate) fn residue_with_hidepid(&self, arguments: &[&str]) -> Ran {
        let mount = "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", mount, "sh"]).args(SETPRIV).arg(&self.binary);
        Ran::of(quiet(command, arguments))
    }

    /// The path of a file where nobody may go.
    pub(crate) fn folder_file(&self, name: &str) -> String {
        self.folder.file(name)
    }

    /// A command that nobody runs.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(SETPRIV[0]);
        command.args(&SETPRIV[1..]).args(words).current_dir(self.folder.path());
        command
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("this process has a status");
    status.lines().any(|line| line.split_whitespace().take(3).eq(["Uid:", "0", "0"]))
}
