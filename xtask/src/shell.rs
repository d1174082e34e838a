//! Running other programs, and saying which one failed.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::place;

/// The cargo that runs us, in the workspace, building where [`place::target`] says.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(place::root()).env("CARGO_TARGET_DIR", place::target());
    command
}

/// Runs it where its output shows. Fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs it, shows what it writes to both outputs, and gives the last line in which `word` stands.
pub(crate) fn run_and_note(command: &mut Command, word: &str) -> Result<String> {
    let (reader, writer) = std::io::pipe().context("failed to make a pipe")?;
    let mut child = command
        .stdout(writer.try_clone().context("failed to share a pipe")?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("failed to start {}", shown(command)))?;
    // The command keeps the pipe's ends for a further start: the reader would never see its end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut note = String::new();
    for line in BufReader::new(reader).lines() {
        let line = line.unwrap_or_else(|error| format!("(a line that is no text: {error})"));
        println!("{line}");
        if line.contains(word) {
            line.trim().clone_into(&mut note);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let after = if note.is_empty() { String::new() } else { format!(": {note}") };
        bail!("{} ended with {status}{after}", shown(command));
    }
    Ok(note)
}

/// Whether it starts and succeeds; what it writes does not matter.
pub(crate) fn works(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// What it writes on stdout. Fails when it does.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("failed to start {}", shown(command)))?;
    if !done.status.success() {
        bail!("{} ended with {}: {}", shown(command), done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
