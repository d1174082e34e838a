//! Compiling and running what uses the library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// This crate.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    here().join("../../fixtures").join(name)
}

/// The folder that cargo builds the library into for its tests: theirs. What `cargo build` leaves above may be older.
pub(crate) fn built() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().expect("in a folder").to_owned();
    let library = folder.join("libresidue.so");
    assert!(
        library.exists(),
        "{} is missing. Build it first: cargo build -p residue-capi",
        library.display()
    );
    folder
}

/// A folder of one test's own, empty.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// Compiles a program against the header and the library, and gives its path. A warning is a failure.
pub(crate) fn compile(source: &str, folder: &Path) -> PathBuf {
    let source = here().join(source);
    let program = folder.join(source.file_stem().expect("a file"));
    let built = built();
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I"]).arg(here().join("include"));
    cc.arg(&source).arg("-o").arg(&program).arg("-L").arg(&built).args(["-lresidue", "-ldl", "-pthread"]);
    cc.arg(format!("-Wl,-rpath,{}", built.display()));
    let output = cc.output().expect("a C compiler: cargo xtask setup");
    assert!(output.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&output.stderr));
    program
}

/// Runs it to its end and gives what it wrote. A failure is one of the test.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// A program that does nothing until it is dropped.
pub(crate) struct Asleep(Child);

impl Asleep {
    pub(crate) fn start() -> Asleep {
        let mut sleep = Command::new("sleep");
        let child = sleep.arg("300").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = Asleep(child.expect("every Linux has sleep"));
        // It has executed `sleep` and stands still when the kernel says that it waits there.
        while !fs::read_to_string(child.file("wchan")).is_ok_and(|wchan| wchan.contains("nanosleep")) {
            std::thread::yield_now();
        }
        child
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid()))
    }

    /// A field of its `status`, in KiB or as it is.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let text = fs::read_to_string(self.file("status")).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no {field} in {text}"))
    }

    /// Where its regions begin and end, as `maps` has them.
    pub(crate) fn regions(&self) -> Vec<(u64, u64)> {
        let text = fs::read_to_string(self.file("maps")).expect("it runs");
        // The kernel lists this page in every process; it is no region of any.
        let own = text.lines().filter(|line| !line.ends_with("[vsyscall]"));
        let range = |line: &str| {
            let (start, rest) = line.split_once('-')?;
            let end = rest.split_once(' ')?.0;
            Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
        };
        own.map(|line| range(line).expect("a region")).collect()
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
