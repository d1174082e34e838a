//! Whether a file is the one that the target has mapped, or another of the same name.

use residue_model::{Address, Memory};

use super::contents::Contents;
use super::layout::{Layout, Part};
use crate::image::number;

/// The number that a linker gives a build.
///
/// Source: `NT_GNU_BUILD_ID`, `ld(1)` under `--build-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildId(pub(super) Vec<u8>);

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    /// It is another build; how that was seen.
    No(&'static str),
    /// The target's memory does not hold what would tell.
    Unknown,
}

/// Compares what a target's memory shows of a module with the file of its name.
///
/// `mapped` is what the headers in memory say, where they could be read.
pub(super) fn compare(
    mapped: Option<&Layout>,
    filed: &Layout,
    bias: u64,
    memory: &dyn Memory,
    file: &Contents,
) -> Same {
    if mapped.is_some_and(|mapped| mapped != filed) {
        return Same::No("its program headers are others");
    }
    let from_file = |part: &Part, into: &mut [u8]| file.read_at(part.offset, into);
    let from_memory =
        |part: &Part, into: &mut [u8]| memory.read(Address(part.address.wrapping_add(bias)), into);
    match (build_id(filed, &from_memory), build_id(filed, &from_file)) {
        (Noted::Id(mapped), Noted::Id(filed)) if mapped == filed => Same::Yes,
        (Noted::Id(_), Noted::Id(_)) => Same::No("its build ID is another"),
        (Noted::None, Noted::None) if mapped.is_some() => Same::Yes,
        (Noted::Id(_), Noted::None) | (Noted::None, Noted::Id(_)) => {
            Same::No("one of them has a build ID, the other has none")
        }
        _ => dynamic(filed, bias, &from_memory, &from_file),
    }
}

/// The dynamic section stands in memory that was written, so a core holds it when it holds anything: with its sizes and
/// places it is as good as a build ID.
fn dynamic(
    layout: &Layout,
    bias: u64,
    from_memory: &dyn Fn(&Part, &mut [u8]) -> usize,
    from_file: &dyn Fn(&Part, &mut [u8]) -> usize,
) -> Same {
    let Some(part) = &layout.dynamic else { return Same::Unknown };
    let word = layout.word_bytes();
    let size = usize::try_from(part.file.min(MOST)).unwrap_or_default() / (2 * word) * (2 * word);
    let (mut mapped, mut filed) = (vec![0; size], vec![0; size]);
    if from_memory(part, &mut mapped) < size || from_file(part, &mut filed) < size || size < MARKS * 2 * word
    {
        return Same::Unknown;
    }
    let value = |bytes: &[u8], at| number(bytes, at, word, layout.is_big_endian).unwrap_or_default();
    for at in (0..size).step_by(2 * word) {
        let tag = value(&filed, at);
        let (mine, theirs) = (value(&filed, at + word), value(&mapped, at + word));
        if value(&mapped, at) != tag {
            return Same::No("its dynamic section is another");
        }
        // The loader writes the places that it relocates, and where it keeps its own list.
        let is_written = tag == DEBUG || theirs == mine.wrapping_add(bias);
        if theirs != mine && !is_written {
            return Same::No("its dynamic section is another");
        }
        if tag == 0 {
            break;
        }
    }
    Same::Yes
}

/// `DT_DEBUG`.
const DEBUG: u64 = 21;
/// Fewer entries tell too little.
const MARKS: usize = 8;
/// Notes and dynamic sections are smaller.
const MOST: u64 = 64 * 1024;

/// What notes say of the build.
enum Noted {
    Id(BuildId),
    /// All notes were read, and none gives an ID.
    None,
    /// They cannot be read.
    Unknown,
}

/// The build ID that a file says it has.
pub(super) fn file_id(layout: &Layout, file: &Contents) -> Option<BuildId> {
    match build_id(layout, &|part, into| file.read_at(part.offset, into)) {
        Noted::Id(id) => Some(id),
        _ => None,
    }
}

fn build_id(layout: &Layout, read: &dyn Fn(&Part, &mut [u8]) -> usize) -> Noted {
    let mut is_whole = true;
    for part in &layout.notes {
        let mut bytes = vec![0; usize::try_from(part.file.min(MOST)).unwrap_or_default()];
        let length = read(part, &mut bytes);
        is_whole &= length == bytes.len();
        if let Some(id) = id_among(&bytes[..length], part.align, layout.is_big_endian) {
            return Noted::Id(id);
        }
    }
    if is_whole { Noted::None } else { Noted::Unknown }
}

/// Source: `elf(5)` under "Notes"; those of 64-bit properties are aligned to 8, all others to 4.
fn id_among(notes: &[u8], align: u64, is_big_endian: bool) -> Option<BuildId> {
    const BUILD_ID: u64 = 3;
    let align = if align == 8 { 8 } else { 4 };
    let int = |at| number(notes, at, 4, is_big_endian);
    let mut at = 0_usize;
    loop {
        let (name_size, size, kind) = (int(at)?, int(at + 4)?, int(at + 8)?);
        let (name_size, size) = (usize::try_from(name_size).ok()?, usize::try_from(size).ok()?);
        let name = at + 12;
        let text = name.checked_add(name_size)?.checked_next_multiple_of(align)?;
        let end = text.checked_add(size)?;
        if kind == BUILD_ID && notes.get(name..name + name_size)? == b"GNU\0" && size >= 8 {
            return Some(BuildId(notes.get(text..end)?.to_vec()));
        }
        at = end.checked_next_multiple_of(align)?;
    }
}
