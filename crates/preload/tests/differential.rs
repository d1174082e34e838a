//! Every return address of very many stacks, against what the compiler's own runtime says.

mod stacks;

use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

use stacks::{Report, probe};

/// In how many looks a stack must be the same; `STACKS=100000` for more.
fn looks() -> c_long {
    std::env::var("STACKS").ok().and_then(|count| count.parse().ok()).unwrap_or(1000)
}

/// Signals and the report are the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn c_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [
        &["-O0"][..],
        &["-O2"],
        &["-O3", "-mavx2"],
        &["-Os"],
        &["-O2", "-fno-omit-frame-pointer"],
        &["-O2", "-fcf-protection=full", "-fstack-protector-all", "-fstack-clash-protection"],
        &["-O2", "-fno-plt"],
    ] {
        let library = Library::build("calls.c", "gcc", flags);
        let count = looks();
        library.run("run", count);
        let report = Report::take();
        report.assert_same(3 * count as u64, &format!("calls.c {flags:?}"));
        assert_eq!(report.shorter, 0);
    }
}

#[test]
fn interrupted_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [&["-O2"][..], &["-O0"], &["-Os", "-fno-omit-frame-pointer"]] {
        let library = Library::build("calls.c", "gcc", flags);
        let count = looks() / 4;
        library.run("be_interrupted", count);
        let report = Report::take();
        report.assert_same(count as u64 / 2, &format!("calls.c interrupted {flags:?}"));
        // In the few instructions that realign a stack the frame is told by a register that is not followed.
        assert!(report.shorter * 10 < report.same, "{report:?}");
    }
}

#[test]
fn cpp_programs_have_the_stacks_that_the_runtime_sees() {
    let _alone = alone();
    for flags in [&["-O0"][..], &["-O2"], &["-O3", "-fno-omit-frame-pointer"]] {
        let library = Library::build("calls.cpp", "g++", flags);
        let count = looks();
        library.run("run", count);
        let report = Report::take();
        report.assert_same(3 * count as u64, &format!("calls.cpp {flags:?}"));
        assert_eq!(report.shorter, 0);
    }
}

struct Library {
    handle: *mut c_void,
    _folder: Folder,
}

impl Library {
    fn build(source: &str, compiler: &str, flags: &[&str]) -> Library {
        let folder = Folder::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
        let output = folder.0.join("calls.so");
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-pthread", "-g0", "-Wall", "-Wno-unused-variable", "-Werror"])
            .args(flags)
            .arg("-o")
            .args([&output, &source])
            .status();
        assert!(status.expect("the compiler runs").success(), "{compiler} {flags:?}");
        let path = CString::new(output.to_str().expect("a plain path")).expect("no zero");
        let handle = unsafe { dlopen(path.as_ptr(), 2) };
        assert!(!handle.is_null(), "{output:?} is loaded");
        Library { handle, _folder: folder }
    }

    fn run(&self, name: &str, count: c_long) {
        let name = CString::new(name).expect("no zero");
        let function = unsafe { dlsym(self.handle, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?} is there");
        let function: unsafe extern "C" fn(unsafe extern "C" fn(), c_long) =
            unsafe { std::mem::transmute(function) };
        unsafe { function(probe, count) };
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        assert_eq!(unsafe { dlclose(self.handle) }, 0);
        stacks::forget();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("residue-unwind-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder for what is built");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
}
