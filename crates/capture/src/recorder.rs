//! The recorder as a file that programs can load.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use residue_target::{Error, ErrorKind, Result};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;

static RECORDER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/recorder.so"));

/// The recorder's file, written if it does not stand there yet.
///
/// # Errors
/// When there is no folder for it that programs could load it from.
pub(crate) fn placed() -> Result<PathBuf> {
    let folders = folders();
    // One that a program can reach also after it has become another user, if there is one.
    let (open, closed): (Vec<_>, Vec<_>) = folders.into_iter().partition(|folder| is_open_to_all(folder));
    for folder in open.iter().chain(&closed) {
        if let Ok(file) = placed_in(folder) {
            return Ok(file);
        }
    }
    Err(Error::new(ErrorKind::Write, "there is no place for the recorder that a program could load it from")
        .help("name a folder of yours that is not mounted noexec: XDG_CACHE_HOME=/path residue record …"))
}

fn folders() -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let own = format!("residue-cache-{}", geteuid().as_raw());
    let named = cache.or(home).map(|folder| folder.join("residue"));
    let temporary = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()].map(|folder| folder.join(&own));
    named.into_iter().chain(temporary).filter(|folder| folder.is_absolute()).collect()
}

/// Whether everyone may pass through all folders above this one.
fn is_open_to_all(folder: &Path) -> bool {
    folder.ancestors().skip(1).all(|above| above.metadata().map_or(true, |above| above.mode() & 0o001 != 0))
}

fn placed_in(folder: &Path) -> io::Result<PathBuf> {
    // Both part the list of libraries to load first.
    if folder.as_os_str().as_encoded_bytes().iter().any(|byte| b" :".contains(byte)) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    if !is_private(folder)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if statvfs(folder)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut hasher = DefaultHasher::new();
    RECORDER.hash(&mut hasher);
    let file = folder.join(format!("recorder-{:016x}.so", hasher.finish()));
    // Everything is compared, so that the name need not prove anything.
    if !(is_private(&file).unwrap_or(false) && fs::read(&file).is_ok_and(|content| content == RECORDER)) {
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(RECORDER)?;
        draft.as_file().set_permissions(Permissions::from_mode(0o755))?;
        draft.persist(&file)?;
    }
    Ok(file)
}

/// Whether nobody else can change it.
fn is_private(path: &Path) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    Ok(!found.is_symlink() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorder_is_written_once_and_mended_when_it_was_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("cache");

        let file = placed_in(&place).expect("it is written");
        let first = file.metadata().expect("it stands");
        assert_eq!(placed_in(&place).expect("it stands"), file);
        assert_eq!(file.metadata().expect("it stands").ino(), first.ino());
        fs::write(&file, "changed").expect("it is changed");
        placed_in(&place).expect("it is mended");

        assert_eq!(fs::read(&file).expect("it is read"), RECORDER);
        assert_eq!(first.mode() & 0o777, 0o755);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("it is ours");

        assert!(placed_in(folder.path()).is_err());
        assert!(placed_in(&folder.path().join("with space")).is_err());
    }
}
