//! The file that a core becomes: complete or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use residue_model::Bytes;
use tempfile::{Builder, TempPath};

use crate::{Error, ErrorKind, Result};

/// A run of zeros as long as this becomes a hole in the file. Shorter ones would cost more in pieces than they save.
const HOLE: usize = 64 * 1024;

static ZEROS: [u8; HOLE] = [0; HOLE];

/// The speed against the size: the compressor's own default, several hundred MB/s.
const LEVEL: i32 = 3;

/// Where a core is to stand.
pub(super) struct Place {
    path: PathBuf,
    folder: PathBuf,
    force: bool,
}

/// What is being written: beside its place, and gone unless it is finished.
///
/// Readable for its owner alone, since the memory of a process holds its secrets.
pub(super) struct Draft {
    pub(super) file: File,
    /// None of one that nobody will see: it has no name, and cannot stay behind.
    name: Option<TempPath>,
}

impl Place {
    /// Where a core is to stand, when it may.
    ///
    /// # Errors
    /// When something stands there that is no file, or that may not be replaced, or too little room is left.
    pub(super) fn of(path: &Path, force: bool, size: Bytes) -> Result<Place> {
        let shown = path.display();
        let refuse = |what: String| Err(Error::new(ErrorKind::Write, what));
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                return refuse(format!("{shown} is no file that could be replaced"));
            }
            Ok(_) if !force => {
                return refuse(format!("{shown} exists already"))
                    .map_err(|error| error.help("give another name, or --force to replace it"));
            }
            _ => {}
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let room =
            rustix::fs::statvfs(&folder).map_err(|error| Error::writing(shown.to_string(), error.into()))?;
        let free = Bytes(room.f_bavail.saturating_mul(room.f_frsize));
        if free < size {
            let what = format!("not enough room for {shown}: {free} of {size}");
            return refuse(what).map_err(|error| error.help("give a file in a folder with more room"));
        }
        Ok(Place { path: path.to_owned(), folder, force })
    }

    /// A draft that can take this place.
    pub(super) fn draft(&self) -> Result<Draft> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let made = Builder::new().prefix(&format!(".{name}.")).suffix(".partial").tempfile_in(&self.folder);
        let (file, name) = made.map_err(|error| self.failed(error))?.into_parts();
        Ok(Draft { file, name: Some(name) })
    }

    /// A draft that nobody will see.
    pub(super) fn nameless(&self) -> Result<Draft> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|error| self.failed(error))?;
        Ok(Draft { file, name: None })
    }

    /// Puts a draft into its place, and says how large it looks and how much of the disk it takes.
    pub(super) fn take(&self, draft: Draft) -> Result<(Bytes, Bytes)> {
        let size = draft.file.metadata().map_err(|error| self.failed(error))?;
        // Some file systems tell only now that the disk is full.
        nix::unistd::close(draft.file).map_err(|error| self.failed(error.into()))?;
        let name = draft.name.expect("only drafts with a name become the result");
        let moved = if self.force { name.persist(&self.path) } else { name.persist_noclobber(&self.path) };
        moved.map_err(|error| self.failed(error.error))?;
        Ok((Bytes(size.len()), Bytes(size.blocks() * 512)))
    }

    pub(super) fn failed(&self, error: io::Error) -> Error {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        let told = Error::writing(self.path.display().to_string(), error);
        if full { told.help("nothing is left behind. Give a file in a folder with more room") } else { told }
    }

    /// Compresses a draft into another.
    ///
    /// # Errors
    /// When either fails, or `tick`, which is told how much has been read, does.
    pub(super) fn compress(&self, from: &File, tick: &mut dyn FnMut(Bytes) -> Result<()>) -> Result<Draft> {
        let into = self.draft()?;
        let failed = |error| self.failed(error);
        let mut encoder = zstd::Encoder::new(&into.file, LEVEL).map_err(failed)?;
        let size = from.metadata().map_err(failed)?.len();
        encoder.set_pledged_src_size(Some(size)).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        let mut window = vec![0; 1024 * 1024];
        let mut done = 0;
        while done < size {
            let read = from.read_at(&mut window, done).map_err(failed)?;
            encoder.write_all(&window[..read]).map_err(failed)?;
            done += read as u64;
            tick(Bytes(done))?;
        }
        encoder.finish().map_err(failed)?;
        Ok(into)
    }
}

impl Draft {
    /// Writes bytes; runs of zeros become holes.
    pub(super) fn write_sparse(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut start = 0;
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + HOLE).min(bytes.len());
            // One byte decides most blocks; the others are compared as fast as memory is read.
            if bytes[at..end] == ZEROS[..end - at] {
                self.file.write_all_at(&bytes[start..at], offset + start as u64)?;
                start = end;
            }
            at = end;
        }
        self.file.write_all_at(&bytes[start..], offset + start as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("there is a folder for temporary files")
    }

    #[test]
    fn runs_of_zeros_become_holes_and_read_back_as_zeros() {
        let folder = folder();
        let path = folder.path().join("core");
        let place = Place::of(&path, false, Bytes::ZERO).expect("nothing stands there");
        let draft = place.draft().expect("it can be written");
        let mut bytes = vec![0; 64 * HOLE];
        (bytes[HOLE + 5], bytes[40 * HOLE]) = (7, 9);
        draft.write_sparse(&bytes, 4096).expect("there is room");
        draft.file.set_len(4096 + bytes.len() as u64).expect("it grows");

        let (size, disk) = place.take(draft).expect("it is free");
        assert_eq!(size, Bytes(4096 + bytes.len() as u64));
        assert!(disk <= Bytes(4 * HOLE as u64), "{disk:?}");
        assert_eq!(fs::read(&path).expect("it is there")[4096..], bytes);
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
    }

    #[test]
    fn what_stands_there_is_replaced_only_when_told_to() {
        let folder = folder();
        let path = folder.path().join("core");
        fs::write(&path, "precious").expect("there is room");
        let error = Place::of(&path, false, Bytes::ZERO).err().expect("it exists");
        assert_eq!(error.kind(), ErrorKind::Write);
        let place = Place::of(&path, true, Bytes::ZERO).expect("it may be replaced");
        drop(place.draft().expect("it can be written"));
        assert_eq!(fs::read(&path).expect("it is there"), b"precious");
        let (size, _) = place.take(place.draft().expect("it can be written")).expect("it is replaced");
        assert_eq!(size, Bytes::ZERO);
        assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
        let error = Place::of(folder.path(), true, Bytes::ZERO).err().expect("no file");
        assert_eq!(error.kind(), ErrorKind::Write);
    }

    #[test]
    fn what_appears_while_it_is_written_is_not_replaced() {
        let folder = folder();
        let path = folder.path().join("core");
        let place = Place::of(&path, false, Bytes::ZERO).expect("nothing stands there");
        let draft = place.draft().expect("it can be written");
        fs::write(&path, "precious").expect("there is room");
        assert!(place.take(draft).is_err());
        assert_eq!(fs::read(&path).expect("it is there"), b"precious");
    }

    #[test]
    fn too_little_room_is_told_before_anything_is_done() {
        let error =
            Place::of(&folder().path().join("core"), false, Bytes(u64::MAX)).err().expect("no such disk");
        assert!(error.to_string().starts_with("not enough room for "), "{error}");
        assert!(error.remedy().is_some());
    }

    #[test]
    fn a_compressed_draft_holds_the_same() {
        let folder = folder();
        let place =
            Place::of(&folder.path().join("core.zst"), false, Bytes::ZERO).expect("nothing stands there");
        let draft = place.nameless().expect("it can be written");
        draft.file.write_all_at(b"a core", 3 << 20).expect("there is room");
        let mut last = Bytes::ZERO;
        let compressed = place.compress(&draft.file, &mut |done| {
            last = done;
            Ok(())
        });
        place.take(compressed.expect("it compresses")).expect("it is free");
        assert_eq!(last, Bytes((3 << 20) + 6));
        let file = File::open(folder.path().join("core.zst")).expect("it is there");
        let bytes = zstd::decode_all(file).expect("it is whole");
        assert_eq!((bytes.len(), &bytes[3 << 20..]), ((3 << 20) + 6, &b"a core"[..]));
    }
}
