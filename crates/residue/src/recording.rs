use std::path::Path;

use residue_model::Recording;

use crate::Result;

/// Reads a recording.
///
/// # Errors
/// When the file cannot be read, is no recording, is of a newer version, or is damaged.
pub fn recording(path: &Path) -> Result<Recording> {
    Ok(residue_capture::file::open(path)?)
}

/// Writes a recording to a file: whole, or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_recording(recording: &Recording, path: &Path) -> Result<()> {
    Ok(residue_capture::file::write(recording, path)?)
}
