use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[cfg(windows)]
use crate::built::compile;
#[cfg(not(windows))]
use crate::compiler::compile;
use crate::running::Running;

/// A program of `testkit/programs`, compiled when it is first needed.
#[derive(Clone, Debug)]
#[must_use]
pub struct Program {
    name: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Program {
    /// The program of that file name, without `.c`.
    pub fn build(name: &str) -> Self {
        Self { name: name.to_owned(), flags: Vec::new(), environment: Vec::new() }
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
        compile(&self.name, &self.flags)
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
        let path = self.path().unwrap_or_else(|error| panic!("failed to build `{}`: {error}", self.name));
        let mut command = Command::new(path);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command
    }
}
