use std::fs::File;
use std::os::unix::fs::FileExt;

use residue_testkit::{Program, Running};
use serde_json::Value;

use super::folder::Folder;
use super::{document, residue};

/// A program that stands still, and the core that was made of it: what is asked of one must be true of the other.
pub(crate) struct Dumped {
    pub(crate) program: Running,
    pub(crate) folder: Folder,
    pub(crate) core: String,
}

impl Dumped {
    pub(crate) fn of(name: &str, arguments: &[&str]) -> Dumped {
        Dumped::at(name, arguments, "core")
    }

    /// With a core of that file name.
    pub(crate) fn at(name: &str, arguments: &[&str], file: &str) -> Dumped {
        let program = Program::build(name).spawn(arguments);
        let folder = Folder::new();
        let core = folder.file(file);
        residue(&["dump", &program.pid().to_string(), "-o", &core]).good();
        Dumped { program, folder, core }
    }

    pub(crate) fn pid(&self) -> String {
        self.program.pid().to_string()
    }

    /// The live process and its core, as words for a command line.
    pub(crate) fn targets(&self) -> [String; 2] {
        [self.pid(), self.core.clone()]
    }

    /// What a command says of the live process and of its core.
    #[track_caller]
    pub(crate) fn documents(&self, command: &str, arguments: &[&str]) -> [Value; 2] {
        self.targets().map(|target| document(&[&[command, target.as_str()], arguments].concat()))
    }

    /// Memory as the kernel shows it.
    pub(crate) fn memory(&self, address: u64, size: usize) -> Vec<u8> {
        let memory = File::open(format!("/proc/{}/mem", self.program.pid())).expect("the program runs");
        let mut bytes = vec![0; size];
        memory.read_exact_at(&mut bytes, address).expect("this memory can be read");
        bytes
    }

    /// The first so many bytes of the core in a file of their own.
    pub(crate) fn cut(&self, bytes: usize) -> String {
        let mut head = vec![0; bytes];
        let core = File::open(&self.core).expect("it was written");
        core.read_exact_at(&mut head, 0).expect("it is longer than that");
        self.folder.with("cut.core", head)
    }
}

/// A list of addresses as the programs tell them.
pub(crate) fn addresses(list: &str) -> Vec<u64> {
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    list.split(',').map(|text| number(text).unwrap_or_else(|| panic!("no address: {text:?}"))).collect()
}

/// A file of `fixtures/dumps`.
pub(crate) fn fixture(name: &str) -> String {
    format!("{}/../../fixtures/dumps/{name}", env!("CARGO_MANIFEST_DIR"))
}
