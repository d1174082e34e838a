use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use residue_model::{Bytes, Memory, Range};

/// Writes the memory of a range to a file, byte for byte; gives how much could be read.
///
/// What cannot be read stands as zeros, so that an offset in the file is a distance in memory.
///
/// # Errors
/// When the file cannot be written, or exists already.
pub fn extract(memory: &dyn Memory, range: Range, window: &mut Vec<u8>, path: &Path) -> io::Result<Bytes> {
    let mut file = private(path)?;
    let (mut read, mut failed) = (Bytes::ZERO, None);
    let _ = memory.walk(range, window, &mut |at, piece| {
        let written = file.seek(SeekFrom::Start(at.0 - range.start.0)).and_then(|_| file.write_all(piece));
        if let Err(error) = written {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        read += Bytes(piece.len() as u64);
        ControlFlow::Continue(())
    });
    if let Some(error) = failed {
        return Err(error);
    }
    file.set_len(range.size().0)?;
    Ok(read)
}

/// A new file that only its owner can read: memory holds secrets.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
