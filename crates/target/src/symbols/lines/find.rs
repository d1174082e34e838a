//! The files that tell of an image: itself, and what was split off it. None of another build is used.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::elf::Elf;
use super::{ImageId, Lookup};
use crate::procfs::printable;
use crate::symbols::contents::Contents;
use crate::symbols::open::open_regular;

/// What was found for an image.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) image: Option<(PathBuf, Elf)>,
    /// What was split off it.
    pub(super) debug: Option<(PathBuf, Elf)>,
    /// Why the image's own file is not used.
    pub(super) refused: Option<String>,
    /// Why nothing was loaded, where something was asked for.
    pub(super) unloaded: Option<String>,
}

impl Files {
    pub(super) fn of(image: &ImageId, how: &Lookup) -> Files {
        let mut files = Files::default();
        files.open_image(image, how);
        if !files.image.as_ref().is_some_and(|(_, elf)| elf.has_lines()) {
            files.open_debug(image, how);
        }
        files
    }

    fn open_image(&mut self, image: &ImageId, how: &Lookup) {
        for path in how.placed(&image.path) {
            let Some(elf) = open(&path).and_then(Elf::read) else { continue };
            match (&image.build_id, &elf.build_id) {
                (Some(recorded), Some(own)) if recorded != own => {
                    self.refused.get_or_insert_with(|| {
                        format!(
                            "the file was built anew since: its build ID was {}, and is {}",
                            hex(recorded),
                            hex(own)
                        )
                    });
                }
                (Some(_), None) => {
                    self.refused.get_or_insert_with(|| {
                        "the file was built anew since: it had a build ID, and has none".to_owned()
                    });
                }
                _ => {
                    self.image = Some((path, elf));
                    self.refused = None;
                    return;
                }
            }
        }
        self.refused.get_or_insert_with(|| "the file is not here".to_owned());
    }

    fn open_debug(&mut self, image: &ImageId, how: &Lookup) {
        let own = self.image.as_ref().and_then(|(_, elf)| elf.build_id.clone());
        let id = image.build_id.clone().or(own);
        let packaged = id.as_deref().and_then(|id| how.packaged(id));
        let linked = || self.image.as_ref().and_then(|(path, elf)| linked(path, elf, how));
        if let Some(found) = packaged.or_else(linked) {
            self.debug = Some(found);
            return;
        }
        let Some(id) = id else { return };
        match how.loaded(&id) {
            Ok(found) => self.debug = found,
            Err(why) => self.unloaded = Some(why),
        }
    }

    /// The file with the debug information.
    pub(super) fn lines(&self) -> Option<&(PathBuf, Elf)> {
        self.debug.iter().chain(&self.image).find(|(_, elf)| elf.has_lines())
    }

    /// The file that the debug information shares tables with.
    ///
    /// # Errors
    /// Its name, where there is one but it is not here.
    pub(super) fn shared(&self, how: &Lookup) -> Result<Option<Elf>, String> {
        let Some((path, elf)) = self.lines() else { return Ok(None) };
        let Some((name, id)) = &elf.shared else { return Ok(None) };
        let named = path.parent().unwrap_or(Path::new("")).join(from_bytes(name));
        let is_same = |elf: &Elf| elf.build_id.as_ref() == Some(id);
        let beside = how.placed(&named).find_map(|path| open(&path).and_then(Elf::read).filter(is_same));
        let found = beside.or_else(|| how.packaged(id).map(|(_, elf)| elf));
        match found.or_else(|| how.loaded(id).ok().flatten().map(|(_, elf)| elf)) {
            Some(found) => Ok(Some(found)),
            None => Err(printable(named.to_string_lossy().as_bytes())),
        }
    }
}

impl Lookup {
    /// Where a path may lead to: in the other roots, then here.
    fn placed(&self, path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
        let inside = path.strip_prefix("/").unwrap_or(path).to_owned();
        let roots: Vec<PathBuf> = self.roots.iter().map(|root| root.join(&inside)).collect();
        roots.into_iter().chain([path.to_owned()])
    }

    /// The debug file of a build, where its package is installed.
    fn packaged(&self, id: &[u8]) -> Option<(PathBuf, Elf)> {
        let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let inside = format!(".build-id/{first:02x}/{}.debug", hex(rest));
        let paths = self.debug_directories.iter().map(|directory| directory.join(&inside));
        paths.flat_map(|path| self.placed(&path)).find_map(|path| of_build(path, id))
    }

    /// The debug file of a build from the cache of debuginfod, or its servers.
    fn loaded(&self, id: &[u8]) -> Result<Option<(PathBuf, Elf)>, String> {
        let Some(debuginfod) = &self.debuginfod else { return Ok(None) };
        Ok(debuginfod.find(id)?.and_then(|path| of_build(path, id)))
    }
}

fn of_build(path: PathBuf, id: &[u8]) -> Option<(PathBuf, Elf)> {
    let elf = open(&path).and_then(Elf::read)?;
    (elf.build_id.as_deref() == Some(id)).then_some((path, elf))
}

/// The debug file that an image names, where debuggers look for it.
///
/// Source: GDB's manual, "Debugging Information in Separate Files".
fn linked(path: &Path, elf: &Elf, how: &Lookup) -> Option<(PathBuf, Elf)> {
    let (name, sum) = elf.link.as_ref()?;
    let name = from_bytes(name);
    let name = name.file_name()?;
    let directory = path.parent()?;
    let inside = directory.strip_prefix("/").unwrap_or(directory);
    let packages = how.debug_directories.iter().map(|packages| packages.join(inside).join(name));
    let beside = [directory.join(name), directory.join(".debug").join(name)];
    beside.into_iter().chain(packages).filter(|other| other != path).find_map(|path| {
        let contents = open(&path)?;
        if checksum(&contents) != *sum {
            return None;
        }
        let debug = Elf::read(contents)?;
        (debug.build_id == elf.build_id).then_some((path, debug))
    })
}

fn checksum(contents: &Contents) -> u32 {
    let (mut sum, mut at, mut piece) = (Crc::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = contents.read_at(at, &mut piece);
        if read == 0 {
            return sum.sum();
        }
        sum.update(&piece[..read]);
        at += read as u64;
    }
}

pub(super) fn open(path: &Path) -> Option<Contents> {
    open_regular(path).ok().map(Contents::of_file)
}

/// A path as a file spells it.
#[cfg(unix)]
pub(super) fn from_bytes(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(path).into()
}

/// A path as a file spells it.
#[cfg(not(unix))]
pub(super) fn from_bytes(path: &[u8]) -> PathBuf {
    String::from_utf8_lossy(path).into_owned().into()
}

pub(super) fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
