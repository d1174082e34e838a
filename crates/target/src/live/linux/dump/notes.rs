//! The notes of a core: registers, who the process was, and which files it mapped.
//!
//! Source: `include/linux/elfcore.h` (`struct elf_prstatus`, `elf_prpsinfo`), `fill_files_note` in `fs/binfmt_elf.c`.

use super::elf::Numbers;
use super::machine::{FLOAT, GENERAL, Machine};
use super::status::{Identity, ThreadStatus};
use crate::live::linux::map::{Map, Place};

const PROCESS: u32 = 3;
const AUXILIARY: u32 = 6;
const SIGNAL_INFO: u32 = 0x5349_4749;
const FILES: u32 = 0x4649_4c45;

/// Who is shown for an owner whose number is too large for 16 bits. Source: `fs.overflowuid`.
const OVERFLOWN: u16 = 65534;

/// All notes, in the kernel's order: readers take the first thread for the one that matters, and what follows a
/// thread's registers for its own.
pub(super) fn notes(
    machine: Machine,
    identity: &Identity,
    threads: &[ThreadStatus],
    map: &Map,
    page_size_bytes: u64,
) -> Vec<u8> {
    let mut notes = Vec::new();
    for (number, thread) in threads.iter().enumerate() {
        add(&mut notes, "CORE", GENERAL, &status(machine, identity, thread));
        if number == 0 {
            add(&mut notes, "CORE", PROCESS, &process(machine, identity));
            if let Some(info) = &thread.signal_info {
                add(&mut notes, "CORE", SIGNAL_INFO, info);
            }
            add(&mut notes, "CORE", AUXILIARY, &identity.auxiliary);
            add(&mut notes, "CORE", FILES, &files(machine, map, page_size_bytes));
        }
        for (set, registers) in &thread.sets {
            add(&mut notes, if *set == FLOAT { "CORE" } else { "LINUX" }, *set, registers);
        }
    }
    notes
}

fn add(notes: &mut Vec<u8>, name: &str, kind: u32, content: &[u8]) {
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    notes.extend_from_slice(&size(name.len() + 1));
    notes.extend_from_slice(&size(content.len()));
    notes.extend_from_slice(&kind.to_le_bytes());
    notes.extend_from_slice(name.as_bytes());
    notes.push(0);
    notes.resize(notes.len().next_multiple_of(4), 0);
    notes.extend_from_slice(content);
    notes.resize(notes.len().next_multiple_of(4), 0);
}

/// `struct elf_prstatus`.
fn status(machine: Machine, identity: &Identity, thread: &ThreadStatus) -> Vec<u8> {
    let mut out = Numbers::of(machine);
    // Signals are small numbers. Number, code and errno of this one.
    let signal = u16::try_from(thread.signal).unwrap_or_default();
    for number in [u32::from(signal), 0, 0] {
        out.word(number);
    }
    out.half(signal);
    out.half(0);
    out.long(0);
    out.long(thread.blocked);
    for number in [thread.tid, identity.parent, identity.group, identity.session] {
        out.word(number);
    }
    // Four times of two numbers each: no reader uses them, and each thread would cost a file while it stands.
    for _ in 0..8 {
        out.long(0);
    }
    out.bytes.extend_from_slice(&thread.general);
    out.word(u32::from(thread.sets.iter().any(|(set, _)| *set == FLOAT)));
    if machine.is_64_bit() {
        out.word(0);
    }
    out.bytes
}

/// `struct elf_prpsinfo`.
fn process(machine: Machine, identity: &Identity) -> Vec<u8> {
    let mut out = Numbers::of(machine);
    let state = b"RSDTZW".iter().position(|&letter| letter == identity.letter);
    out.byte(state.and_then(|state| u8::try_from(state).ok()).unwrap_or_default());
    out.byte(identity.letter);
    out.byte(u8::from(identity.letter == b'Z'));
    out.byte(identity.nice.cast_unsigned());
    if machine.is_64_bit() {
        out.word(0);
        out.long(identity.flags);
        out.word(identity.uid);
        out.word(identity.gid);
    } else {
        out.long(identity.flags);
        for number in [identity.uid, identity.gid] {
            out.half(u16::try_from(number).unwrap_or(OVERFLOWN));
        }
    }
    for number in [identity.pid, identity.parent, identity.group, identity.session] {
        out.word(number);
    }
    text(&mut out, &identity.name, 16);
    text(&mut out, &identity.arguments, 80);
    out.bytes
}

/// A field of fixed size, cut where it is too short; the last byte stays zero.
fn text(out: &mut Numbers, text: &[u8], size: usize) {
    let end = out.bytes.len() + size;
    out.bytes.extend_from_slice(&text[..text.len().min(size - 1)]);
    out.pad(end);
}

/// `NT_FILE`: which file stands where. Offsets are in pages.
fn files(machine: Machine, map: &Map, page_size_bytes: u64) -> Vec<u8> {
    let is_file = |place: &Place<'_>| place.name.starts_with(b"/");
    let mut out = Numbers::of(machine);
    out.long(map.places().filter(is_file).count() as u64);
    out.long(page_size_bytes);
    for place in map.places().filter(is_file) {
        out.long(place.range.start.0);
        out.long(place.range.end.0);
        out.long(place.offset.0 / page_size_bytes);
    }
    for place in map.places().filter(is_file) {
        out.bytes.extend_from_slice(place.name);
        out.byte(0);
    }
    out.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of the kernel's structures: a debugger refuses others.
    #[test]
    fn the_structures_have_the_sizes_of_the_kernels() {
        let sizes = |machine, registers: usize| {
            let thread = ThreadStatus { general: vec![0; registers], ..ThreadStatus::default() };
            let identity = Identity::default();
            (status(machine, &identity, &thread).len(), process(machine, &identity).len())
        };
        assert_eq!(sizes(Machine::X86_64, 216), (336, 136));
        assert_eq!(sizes(Machine::I386, 68), (144, 124));
        assert_eq!(sizes(Machine::Aarch64, 272), (392, 136));
    }

    #[test]
    fn notes_are_padded_to_words_and_names_end_with_zero() {
        let mut notes = Vec::new();
        add(&mut notes, "CORE", 6, b"CORE");
        add(&mut notes, "CORE", 6, b"abcde");
        let words: Vec<u32> =
            notes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("four"))).collect();
        assert_eq!(words[..3], [5, 4, 6]);
        assert_eq!(&notes[12..24], b"CORE\0\0\0\0CORE");
        assert_eq!(&notes[24..], b"\x05\0\0\0\x05\0\0\0\x06\0\0\0CORE\0\0\0\0abcde\0\0\0");
    }

    #[test]
    fn files_are_named_with_their_places() {
        let text = b"1000-2000 r--p 00003000 fe:01 7    /a b\n3000-4000 rw-p 00000000 00:00 0 \n";
        let map = Map::parse(text.to_vec()).expect("two regions");
        let files = files(Machine::X86_64, &map, 4096);
        let words: Vec<u64> = files[..40]
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("eight")))
            .collect();
        assert_eq!(words, [1, 4096, 0x1000, 0x2000, 3]);
        assert_eq!(&files[40..], b"/a b\0");
    }
}
