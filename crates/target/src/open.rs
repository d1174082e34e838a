use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use residue_model::{Gap, Memory, Snapshot};

use crate::elf_core::ElfCore;
use crate::image::{Mapped, Packing, unpack};
use crate::minidump::Minidump;
use crate::windows::{Recorded, is_recording};
use crate::{Error, ErrorKind, Result, Still, StillProgress, Stillness, Target};

/// Whether a word names a file that is a dump by its first bytes, packed or not.
pub fn is_dump(word: &str) -> bool {
    let magic =
        Path::new(word).metadata().is_ok_and(|metadata| metadata.is_file()).then(|| first_bytes(word));
    magic
        .is_some_and(|magic| magic.is_ok_and(|magic| kind(&magic).is_some_and(|kind| kind != Kind::OtherElf)))
}

/// Opens a core or a minidump; what it is gets told from its first bytes.
///
/// A packed file is unpacked into a temporary one first: `progress` is told how many of its bytes have been read, of
/// how many.
///
/// # Errors
/// When it cannot be read, is neither, or is too damaged to tell anything.
pub fn open_dump(path: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Box<dyn Target>> {
    let failed = |error| Error::reading(path, error);
    let metadata = Path::new(path).metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(unsupported(path, "a directory"));
    }
    if !metadata.is_file() {
        return Err(unsupported(path, "no regular file"));
    }
    if metadata.len() == 0 {
        return Err(Error::new(ErrorKind::Syntax, format!("{path} is empty"))
            .help("the disk was full, or `ulimit -c` was 0, when the dump was written"));
    }
    let mut magic = first_bytes(path).map_err(failed)?;
    let mut file = File::open(path).map_err(failed)?;
    let mut gaps = Vec::new();
    if let Some(packing) = Packing::of(&magic) {
        let unpacked = unpack(&file, packing, progress).map_err(|error| unpacking(path, packing, error))?;
        if let Some(error) = unpacked.broken {
            let what = format!("what the {} file held behind its break", packing.name());
            gaps.push(Gap::new(what, format!("it cannot be unpacked to its end: {error}")));
        }
        file = unpacked.file;
        magic = start_of(&mut file).map_err(failed)?;
    }
    let mapped = Mapped::of(&file).map_err(failed)?;
    let target: Box<dyn Target> = match kind(&magic) {
        Some(Kind::Core | Kind::OtherElf) => Box::new(ElfCore::open(path, mapped)?),
        Some(Kind::Minidump) => Box::new(Minidump::open(path, mapped)?),
        Some(Kind::Recording) => Box::new(Recorded::open(path, &mapped)?),
        _ => return Err(unsupported(path, "neither an ELF core nor a minidump")),
    };
    Ok(if gaps.is_empty() { target } else { Box::new(Broken { target, gaps }) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Core,
    /// A program or a library.
    OtherElf,
    Minidump,
    Recording,
    Packed,
}

fn kind(magic: &[u8]) -> Option<Kind> {
    match magic {
        [0x7f, b'E', b'L', b'F', ..] => Some(if is_core(magic) { Kind::Core } else { Kind::OtherElf }),
        // Whoever wrote it on a machine of the other byte order wrote the signature so too.
        [b'M', b'D', b'M', b'P', ..] | [b'P', b'M', b'D', b'M', ..] => Some(Kind::Minidump),
        _ if is_recording(magic) => Some(Kind::Recording),
        _ => Packing::of(magic).map(|_| Kind::Packed),
    }
}

/// `e_type` is `ET_CORE`, in the byte order that the file says.
fn is_core(magic: &[u8]) -> bool {
    let is_big = magic.get(5) == Some(&2);
    magic.get(16..18) == Some(if is_big { &[0, 4] } else { &[4, 0] })
}

fn first_bytes(path: &str) -> io::Result<Vec<u8>> {
    start_of(&mut File::open(path)?)
}

fn start_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    file.rewind()?;
    file.take(32).read_to_end(&mut magic)?;
    Ok(magic)
}

fn unsupported(path: &str, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{path} is {what}"))
        .help("give an ELF core, a minidump (.dmp), one of them packed by zstd, xz, gzip or lz4, a pid or a process name")
}

fn unpacking(path: &str, packing: Packing, error: io::Error) -> Error {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let error = Error::reading(path, error).of(format!("failed to unpack {path} ({})", packing.name()));
    if full {
        return error.help(format!(
            "it is unpacked into {}, which is full: set TMPDIR to a folder with room",
            std::env::temp_dir().display()
        ));
    }
    error.help("is it whole? Compare its size with the original")
}

/// A dump of which the end could not be unpacked.
struct Broken {
    target: Box<dyn Target>,
    gaps: Vec<Gap>,
}

impl Target for Broken {
    fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = self.target.snapshot()?;
        snapshot.gaps.splice(0..0, self.gaps.iter().cloned());
        Ok(snapshot)
    }

    fn memory(&self) -> Result<&dyn Memory> {
        self.target.memory()
    }

    fn still(&self, how: Stillness<'_>, progress: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>> {
        let mut still = self.target.still(how, progress)?;
        still.snapshot.gaps.splice(0..0, self.gaps.iter().cloned());
        Ok(still)
    }
}
