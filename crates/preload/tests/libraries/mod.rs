//! Programs in C and C++, built when a test runs and loaded as libraries.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A library that was built; it goes when this is dropped.
pub struct Library {
    folder: PathBuf,
    file: PathBuf,
}

/// A library that is loaded, until this is dropped.
pub struct Loaded(*mut c_void);

impl Library {
    pub fn build_with(source: &str, compiler: &str, flags: &[&str]) -> Library {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("residue-unwind-{}-{count}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder for what is built");
        let library = Library { file: folder.join("library.so"), folder };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-pthread", "-g0", "-Wall", "-Wno-unused-variable", "-Werror"])
            .args(flags)
            .arg("-o")
            .args([&library.file, &source])
            .status();
        assert!(status.expect("the compiler runs").success(), "{compiler} {flags:?}");
        library
    }

    pub fn path(&self) -> &str {
        self.file.to_str().expect("a plain path")
    }

    pub fn load(&self) -> Loaded {
        const NOW: c_int = 2;
        let path = CString::new(self.path()).expect("no zero");
        let handle = unsafe { dlopen(path.as_ptr(), NOW) };
        assert!(!handle.is_null(), "{path:?} is loaded");
        Loaded(handle)
    }
}

impl Loaded {
    pub fn function(&self, name: &str) -> *mut c_void {
        let name = CString::new(name).expect("no zero");
        let function = unsafe { dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?} is there");
        function
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        assert_eq!(unsafe { dlclose(self.0) }, 0);
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
}
