//! The file that a dump becomes: complete or not there.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use residue_model::{Bytes, Gap};
use tempfile::{Builder, TempPath};

use super::host::disk;
use crate::{Error, ErrorKind, Result};

/// The speed against the size: the compressor's own default, several hundred MB/s.
const LEVEL: i32 = 3;

/// Where a dump is to stand.
pub(in crate::live) struct Place {
    path: PathBuf,
    folder: PathBuf,
    force: bool,
}

/// What is being written: beside its place, and gone unless it is finished.
///
/// Readable for its owner alone, since the memory of a process holds its secrets.
pub(in crate::live) struct Draft {
    pub(in crate::live) file: File,
    /// None of one that nobody will see: it has no name, and cannot stay behind.
    name: Option<TempPath>,
    /// Nobody but its owner can read it.
    is_private: bool,
}

/// Writes a whole file, readable for its owner alone: what stood there before is replaced when the new one is whole. A link
/// stays, and what it leads to is replaced.
///
/// # Errors
/// When something stands there that is no file, or it cannot be written; what stood there then still does.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let real = fs::canonicalize(path)
        // A link may lead to where nothing is yet.
        .or_else(|_| fs::read_link(path).map(|to| path.parent().unwrap_or(Path::new("")).join(to)))
        .unwrap_or_else(|_| path.to_owned());
    let place = Place::of(&real, true, Bytes(content.len() as u64))?;
    let draft = place.draft()?;
    (&draft.file).write_all(content).map_err(|error| place.failed(error))?;
    place.take(draft)?;
    Ok(())
}

impl Draft {
    /// That others can read it, where they can.
    pub(in crate::live) fn exposed(&self) -> Option<Gap> {
        let why = "its file system keeps no rights: whoever can read the folder can read it";
        (!self.is_private).then(|| Gap::new("privacy of the file", why))
    }

    /// Where it stands meanwhile; nowhere for one that has no name.
    #[cfg(windows)]
    pub(in crate::live) fn path(&self) -> Option<&Path> {
        self.name.as_deref()
    }
}

impl Place {
    /// Where a dump is to stand, when it may.
    ///
    /// # Errors
    /// When something stands there that is no file, or that may not be replaced, or too little room is left.
    pub(in crate::live) fn of(path: &Path, force: bool, size: Bytes) -> Result<Place> {
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
        let free = disk::free(&folder).map_err(|error| Error::writing(shown.to_string(), error))?;
        if free < size {
            let what = format!("not enough room for {shown}: {free} of {size}");
            return refuse(what).map_err(|error| error.help("give a file in a folder with more room"));
        }
        Ok(Place { path: path.to_owned(), folder, force })
    }

    /// A draft that can take this place.
    pub(in crate::live) fn draft(&self) -> Result<Draft> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut is_private = false;
        let made =
            Builder::new().prefix(&format!(".{name}.")).suffix(".partial").make_in(&self.folder, |path| {
                let file = disk::create(path)?;
                is_private = file.is_private;
                Ok(file.file)
            });
        let (file, name) = made.map_err(|error| self.failed(error))?.into_parts();
        Ok(Draft { file, name: Some(name), is_private })
    }

    /// A draft that nobody will see.
    #[cfg(target_os = "linux")]
    pub(in crate::live) fn nameless(&self) -> Result<Draft> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|error| self.failed(error))?;
        Ok(Draft { file, name: None, is_private: true })
    }

    /// Puts a draft into its place, and says how large it looks and how much of the disk it takes.
    pub(in crate::live) fn take(&self, draft: Draft) -> Result<(Bytes, Bytes)> {
        let size = draft.file.metadata().map_err(|error| self.failed(error))?;
        // Some file systems tell only now that the disk is full.
        disk::close(draft.file).map_err(|error| self.failed(error))?;
        let name = draft.name.expect("only drafts with a name become the result");
        let moved = if self.force { name.persist(&self.path) } else { name.persist_noclobber(&self.path) };
        moved.map_err(|error| self.failed(error.error))?;
        Ok((Bytes(size.len()), disk::taken(&size)))
    }

    pub(in crate::live) fn failed(&self, error: io::Error) -> Error {
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
    pub(in crate::live) fn compress(
        &self,
        from: &File,
        tick: &mut dyn FnMut(Bytes) -> Result<()>,
    ) -> Result<Draft> {
        let into = self.draft()?;
        let failed = |error| self.failed(error);
        let mut encoder = zstd::Encoder::new(&into.file, LEVEL).map_err(failed)?;
        let size = from.metadata().map_err(failed)?.len();
        encoder.set_pledged_src_size(Some(size)).map_err(failed)?;
        encoder.include_checksum(true).map_err(failed)?;
        let mut window = vec![0; 1024 * 1024];
        let (mut from, mut done) = (from, 0);
        from.seek(SeekFrom::Start(0)).map_err(failed)?;
        while done < size {
            let read = from.read(&mut window).map_err(failed)?;
            encoder.write_all(&window[..read]).map_err(failed)?;
            done += read as u64;
            tick(Bytes(done))?;
        }
        encoder.finish().map_err(failed)?;
        Ok(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("there is a folder for temporary files")
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
    fn a_draft_is_for_its_owner_alone() {
        let folder = folder();
        let place = Place::of(&folder.path().join("core"), false, Bytes::ZERO).expect("nothing stands there");
        assert!(place.draft().expect("it can be written").exposed().is_none());
    }

    #[test]
    fn a_whole_file_takes_the_place_of_one_and_of_nothing_else() {
        let folder = folder();
        let path = folder.path().join("page.html");
        write_whole(&path, b"first").expect("nothing stands there");
        write_whole(&path, b"second").expect("a file stands there");
        assert_eq!(fs::read(&path).expect("it is there"), b"second");
        let error = write_whole(folder.path(), b"third").expect_err("a folder is no file");
        assert_eq!(error.kind(), ErrorKind::Write);
        assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1, "no draft is left");
    }

    /// A root service told to write to a device must not make a file of it.
    #[test]
    #[cfg(unix)]
    fn a_device_stays_one_and_a_link_leads_to_the_new_file() {
        let folder = folder();
        assert!(write_whole(Path::new("/dev/null"), b"page").is_err());
        let (path, link) = (folder.path().join("page.html"), folder.path().join("link.html"));
        fs::write(&path, "first").expect("there is room");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        write_whole(&link, b"second").expect("it leads to a file");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::read(&path).expect("it is there"), b"second");
        fs::remove_file(&path).expect("it was there");
        write_whole(&link, b"third").expect("it leads to where a file can be");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::read(&path).expect("it is there"), b"third");
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
        let draft = place.draft().expect("it can be written");
        (&draft.file).write_all(&[vec![0; 3 << 20], b"a core".to_vec()].concat()).expect("there is room");
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
