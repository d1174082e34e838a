use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::mingw::Mingw;
use crate::{place, shell};

pub(super) const PROGRAMS: [&str; 2] = ["wine", "wineserver"];

/// What runs a program for Windows here.
pub(super) const WINE: &str = "wine";
/// What runs a test: a script of ours.
pub(super) const RUNNER: &str = "run-in-wine";

/// Seconds that the server waits for the next program, should nobody be left to stop it.
const PATIENCE: &str = "-p600";

/// A Windows that Wine plays, as a folder. One for each folder of builds: stopping its server ends all that runs in it.
pub(super) struct Prefix {
    folder: PathBuf,
}

impl Prefix {
    /// Makes the prefix for programs of some kinds unless it is there. It goes into place when it is whole. A newer Wine
    /// renews it by itself.
    pub(super) fn ensure(name: &str, kinds: &[Mingw]) -> Result<Self> {
        let prefix = Self { folder: place::target().join(name) };
        if !prefix.folder.is_dir() {
            let new = Self { folder: prefix.folder.with_extension("new") };
            new.make().context("failed to make a prefix for Wine")?;
            fs::rename(&new.folder, &prefix.folder)
                .with_context(|| format!("failed to move {} into place", new.folder.display()))?;
        }
        kinds.iter().try_for_each(|windows| prefix.fill_in(windows))?;
        Ok(prefix)
    }

    fn make(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        let server = Server { prefix: self };
        shell::run(&mut self.silent("wine", &["wineboot", "-i"]))?;
        drop(server); // it writes the registry when it ends
        ensure!(self.folder.join("system.reg").is_file(), "wineboot wrote no registry");
        Ok(())
    }

    /// Builds the library that this Wine may lack: see the C file.
    fn fill_in(&self, windows: &Mingw) -> Result<()> {
        let libraries = self.folder.join("drive_c/windows").join(windows.libraries);
        ensure!(libraries.is_dir(), "this Wine runs no programs for {}", windows.triple);
        let library = libraries.join("bcryptprimitives.dll");
        if is_of_wine(&library) {
            return Ok(());
        }
        let source = place::root().join("xtask/windows/bcryptprimitives.c");
        let mut compile = Command::new(windows.tool("gcc"));
        // For 32 bits the compiler adds to each name how many bytes its arguments take, and nobody asks for that name.
        compile.args(["-O2", "-shared", "-Wl,--kill-at", "-o"]).arg(library).arg(source).arg("-ladvapi32");
        shell::run(&mut compile)
    }

    /// Starts the server, and by a first program the services.
    ///
    /// The services inherit the outputs of the program that starts them and keep them open: were they pipes, their
    /// readers would wait for ever, and nextest call the test leaky.
    pub(super) fn start(&self) -> Result<Server<'_>> {
        let server = Server { prefix: self };
        // Fails when one runs already, which serves as well.
        let _ = shell::run(&mut self.silent("wineserver", &[PATIENCE]));
        shell::run(&mut self.silent("wine", &["cmd", "/c", "exit"])).context("Wine does not run")?;
        Ok(server)
    }

    /// Has the programs for Windows that `command` starts run in this prefix.
    pub(super) fn shown_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", &self.folder)
            .env("WINEARCH", "win64")
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=") // no dialog that offers to download them
            .env_remove("DISPLAY")
    }

    fn silent(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.shown_to(&mut command);
        command
    }
}

/// Wine marks its own libraries after the header for DOS.
fn is_of_wine(library: &Path) -> bool {
    fs::read(library)
        .is_ok_and(|bytes| bytes.get(0x40..).is_some_and(|rest| rest.starts_with(b"Wine builtin")))
}

/// The server of a prefix; it ends with this.
pub(super) struct Server<'a> {
    prefix: &'a Prefix,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // Fails when there is none, and then there is nothing to stop.
        let _ = self.prefix.silent("wineserver", &["-k"]).status();
    }
}
