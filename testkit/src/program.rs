#[cfg(not(windows))]
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[cfg(windows)]
use crate::built::compile;
#[cfg(not(windows))]
use crate::compiler::{compile, is_static};
#[cfg(not(windows))]
use crate::libc::Libc;
use crate::running::Running;

/// A program of `testkit/programs`, compiled when it is first needed.
#[derive(Clone, Debug)]
#[must_use]
pub struct Program {
    name: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    #[cfg(not(windows))]
    libc: Libc,
}

impl Program {
    /// The program of that file name. Without an extension it is the one in C, or the only one.
    pub fn build(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            flags: Vec::new(),
            environment: Vec::new(),
            #[cfg(not(windows))]
            libc: Libc::System,
        }
    }

    /// With another C library than the system's. The kernel then shows its loader as what runs (`/proc/PID/exe`).
    #[cfg(not(windows))]
    pub fn libc(mut self, libc: Libc) -> Self {
        self.libc = libc;
        self
    }

    /// As a library for programs to load, not as a program.
    pub fn shared(self) -> Self {
        self.flag("-shared").flag("-fPIC")
    }

    /// As a 32-bit program. Needs the compiler's 32-bit libraries (Debian: `gcc-multilib`).
    pub fn bits32(self) -> Self {
        self.flag("-m32")
    }

    /// Adds a flag for the compiler, such as `-static`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Sets a variable of the program's environment, such as `MALLOC_ARENA_MAX`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the compiled program lies, for a test that starts it itself or can do without it.
    pub fn path(&self) -> io::Result<PathBuf> {
        #[cfg(not(windows))]
        return compile(&self.name, &self.flags, self.libc);
        #[cfg(windows)]
        return compile(&self.name, &self.flags);
    }

    /// The words that start it, for a test that has another program start it, such as a debugger.
    #[cfg(not(windows))]
    pub fn words(&self) -> io::Result<Vec<OsString>> {
        let mut words = self.libc.starter(is_static(&self.flags))?;
        words.push(self.path()?.into());
        Ok(words)
    }

    #[cfg(windows)]
    fn words(&self) -> io::Result<Vec<std::ffi::OsString>> {
        Ok(vec![self.path()?.into()])
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not compile, or ends or is silent before it is ready; with what it wrote on stderr.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let child = self
            .command()
            .args(arguments)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start `{}`: {error}", self.name));
        Running::await_ready(&self.name, child)
    }

    fn command(&self) -> Command {
        let words = self.words().unwrap_or_else(|error| panic!("failed to build `{}`: {error}", self.name));
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command
    }
}
