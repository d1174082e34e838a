//! Recordings: made of a program that is started for it, and read from files.

use std::path::Path;

use residue_model::Recording;

use crate::{Result, named};

/// Starts a program and records it, until it and what it started have ended. `interrupts` ends it early: set off once, the
/// program gets two seconds to end itself, as it hears Ctrl-C too; twice, it runs on and is recorded no more.
///
/// # Errors
/// When the program cannot be started with a recorder inside, or a recording not be written.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn record(
    plan: &residue_capture::Plan,
    progress: &mut dyn FnMut(&residue_capture::Progress),
    interrupt: &crate::Interrupt,
) -> Result<residue_capture::Recorded> {
    // Where it cannot be told, the recording says "not freed" and no more.
    let mut at_end = |pid| crate::lost::lost(pid).ok().flatten();
    let recorded = residue_capture::record(plan, progress, &|| interrupt.count(), &mut at_end)?;
    for file in &recorded.files {
        keep_names(&file.path)?;
    }
    Ok(recorded)
}

/// Names the code of a recording while its files are certainly here, so that a report can be made elsewhere.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn keep_names(path: &Path) -> Result<()> {
    write_recording(&recording(path)?, path)
}

/// Reads a recording from a file, and names code that it has no names of by what is installed here.
///
/// # Errors
/// When it cannot be read, is no recording, is of a newer version, or is damaged.
pub fn recording(path: &Path) -> Result<Recording> {
    let mut recording = residue_capture::file::open(path)?;
    named::name(&mut recording);
    Ok(recording)
}

/// Writes a recording to a file: whole, or not at all.
///
/// # Errors
/// When the file cannot be written; what stood there before stays then.
pub fn write_recording(recording: &Recording, path: &Path) -> Result<()> {
    Ok(residue_capture::file::write(recording, path)?)
}
