//! Files with holes: what is all zeros takes no room on the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A run of zeros as long as this becomes a hole in the file. Shorter ones would cost more in pieces than they save.
const HOLE: usize = 64 * 1024;

static ZEROS: [u8; HOLE] = [0; HOLE];

/// Writes bytes; runs of zeros become holes.
pub(super) fn write_sparse(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let end = (at + HOLE).min(bytes.len());
        // One byte decides most blocks; the others are compared as fast as memory is read.
        if bytes[at..end] == ZEROS[..end - at] {
            file.write_all_at(&bytes[start..at], offset + start as u64)?;
            start = end;
        }
        at = end;
    }
    file.write_all_at(&bytes[start..], offset + start as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use residue_model::Bytes;

    use super::*;
    use crate::live::output::Place;

    #[test]
    fn runs_of_zeros_become_holes_and_read_back_as_zeros() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let path = folder.path().join("core");
        let place = Place::of(&path, false, Bytes::ZERO).expect("nothing stands there");
        let draft = place.draft().expect("it can be written");
        let mut bytes = vec![0; 64 * HOLE];
        (bytes[HOLE + 5], bytes[40 * HOLE]) = (7, 9);
        write_sparse(&draft.file, &bytes, 4096).expect("there is room");
        draft.file.set_len(4096 + bytes.len() as u64).expect("it grows");

        let (size, disk) = place.take(draft).expect("it is free");
        assert_eq!(size, Bytes(4096 + bytes.len() as u64));
        assert!(disk <= Bytes(4 * HOLE as u64), "{disk:?}");
        assert_eq!(fs::read(&path).expect("it is there")[4096..], bytes);
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
    }
}
