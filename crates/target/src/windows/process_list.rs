//! The list of all processes and their threads.
//!
//! Source: `NtQuerySystemInformation(SystemProcessInformation)`: `SYSTEM_PROCESS_INFORMATION`,
//! `SYSTEM_THREAD_INFORMATION`; offsets are the same since Windows Vista.

use residue_model::{Bytes, ProcessId};

use super::Counted;
use crate::procfs::printable;

/// A process in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub pid: ProcessId,
    /// The file name of its program; empty for the idle process.
    pub name: String,
    /// Start in 100 ns since 1601.
    pub created: u64,
    /// What it has.
    pub counted: Counted,
    /// The numbers of its threads, the first one first.
    pub threads: Vec<u32>,
}

/// Where things stand in an entry.
struct Layout {
    word: usize,
    name_buffer: usize,
    pid: usize,
    handles: usize,
    virtual_size: usize,
    page_faults: usize,
    /// `PeakWorkingSetSize`, and eight more words behind it.
    sizes: usize,
    threads: usize,
    thread_size: usize,
    thread_id: usize,
}

const WIDE: Layout = Layout {
    word: 8,
    name_buffer: 64,
    pid: 80,
    handles: 96,
    virtual_size: 120,
    page_faults: 128,
    sizes: 136,
    threads: 256,
    thread_size: 80,
    thread_id: 48,
};

const NARROW: Layout = Layout {
    word: 4,
    name_buffer: 60,
    pid: 68,
    handles: 76,
    virtual_size: 92,
    page_faults: 96,
    sizes: 100,
    threads: 184,
    thread_size: 64,
    thread_id: 36,
};

const THREAD_COUNT: usize = 4;
const PRIVATE_WORKING_SET: usize = 8;
const CREATED: usize = 32;
const NAME_LENGTH: usize = 56;

/// The processes of a list that was read to `base`, by a program whose pointers take so many bytes.
///
/// An entry that reaches out of the list ends it.
pub fn process_list(list: &[u8], base: u64, pointer_bytes: usize) -> Vec<Listed> {
    let layout = if pointer_bytes == 8 { &WIDE } else { &NARROW };
    let mut processes = Vec::new();
    let mut at = 0;
    while let Some(entry) = list.get(at..).filter(|rest| rest.len() >= layout.threads) {
        let reader = Entry { entry, layout };
        processes.push(reader.process(list, base));
        // An entry that begins inside of the one before it is none; 0 is the end.
        match usize::try_from(reader.number(0, 4)) {
            Ok(next) if next >= layout.threads => at += next.min(list.len()),
            _ => break,
        }
    }
    processes
}

struct Entry<'a> {
    entry: &'a [u8],
    layout: &'static Layout,
}

impl Entry<'_> {
    fn number(&self, at: usize, size: usize) -> u64 {
        let mut raw = [0; 8];
        if let Some(bytes) = self.entry.get(at..at + size) {
            raw[..size].copy_from_slice(bytes);
        }
        u64::from_le_bytes(raw)
    }

    fn int(&self, at: usize) -> u64 {
        self.number(at, 4)
    }

    fn word(&self, at: usize) -> u64 {
        self.number(at, self.layout.word)
    }

    fn size(&self, index: usize) -> Bytes {
        Bytes(self.word(self.layout.sizes + index * self.layout.word))
    }

    fn process(&self, list: &[u8], base: u64) -> Listed {
        let layout = self.layout;
        Listed {
            // Numbers take a word and fit into half of one.
            pid: ProcessId(u32::try_from(self.word(layout.pid)).unwrap_or_default()),
            name: self.name(list, base),
            created: self.number(CREATED, 8),
            counted: Counted {
                peak_working_set: Some(self.size(0)),
                working_set: Some(self.size(1)),
                paged_pool: Some(self.size(3)),
                nonpaged_pool: Some(self.size(5)),
                pagefile_usage: Some(self.size(6)),
                peak_pagefile_usage: Some(self.size(7)),
                private_usage: Some(self.size(8)),
                private_working_set: Some(Bytes(self.number(PRIVATE_WORKING_SET, 8))),
                virtual_size: Some(Bytes(self.word(layout.virtual_size))),
                page_faults: Some(self.int(layout.page_faults)),
                handles: Some(self.int(layout.handles)),
                threads: Some(self.int(THREAD_COUNT)),
            },
            threads: self.threads(),
        }
    }

    /// The name stands in the same list, behind the entries.
    fn name(&self, list: &[u8], base: u64) -> String {
        let length = usize::try_from(self.number(NAME_LENGTH, 2)).unwrap_or_default();
        let at = self.word(self.layout.name_buffer).checked_sub(base).and_then(|at| usize::try_from(at).ok());
        let raw = at.and_then(|at| list.get(at..at.checked_add(length)?)).unwrap_or_default();
        let units: Vec<u16> =
            raw.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        printable(String::from_utf16_lossy(&units).as_bytes())
    }

    fn threads(&self) -> Vec<u32> {
        let count = usize::try_from(self.int(THREAD_COUNT)).unwrap_or_default();
        let room = (self.entry.len() - self.layout.threads) / self.layout.thread_size;
        let at = |index: usize| self.layout.threads + index * self.layout.thread_size + self.layout.thread_id;
        (0..count.min(room)).map(|index| u32::try_from(self.word(at(index))).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x7000_0000;

    fn put(list: &mut [u8], at: usize, value: u64, size: usize) {
        list[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// Two processes as a 64-bit Windows lists them, the second with two threads.
    fn list() -> Vec<u8> {
        let mut list = vec![0; 1024];
        put(&mut list, 0, 256, 4);
        let second = 256;
        put(&mut list, second + 4, 2, 4);
        put(&mut list, second + 8, 0x9000, 8);
        put(&mut list, second + 32, 1234, 8);
        put(&mut list, second + 56, 10, 2);
        put(&mut list, second + 64, BASE + 900, 8);
        put(&mut list, second + 80, 4321, 8);
        put(&mut list, second + 96, 77, 4);
        put(&mut list, second + 120, 0x10_0000, 8);
        put(&mut list, second + 144, 0xa000, 8);
        put(&mut list, second + 200, 0xb000, 8);
        put(&mut list, second + 256 + 48, 11, 8);
        put(&mut list, second + 256 + 80 + 48, 12, 8);
        for (index, unit) in "a.exe".encode_utf16().enumerate() {
            put(&mut list, 900 + 2 * index, u64::from(unit), 2);
        }
        list
    }

    #[test]
    fn an_entry_tells_counters_name_and_threads() {
        let processes = process_list(&list(), BASE, 8);
        assert_eq!(processes.len(), 2);
        let second = &processes[1];
        assert_eq!((second.pid, second.name.as_str(), second.created), (ProcessId(4321), "a.exe", 1234));
        assert_eq!(second.threads, [11, 12]);
        let counted = second.counted;
        assert_eq!((counted.working_set, counted.private_usage), (Some(Bytes(0xa000)), Some(Bytes(0xb000))));
        assert_eq!((counted.private_working_set, counted.handles), (Some(Bytes(0x9000)), Some(77)));
        assert_eq!(counted.virtual_size, Some(Bytes(0x10_0000)));
    }

    /// The list may change between two calls: whatever comes must end.
    #[test]
    fn a_damaged_list_ends_it_and_nothing_else() {
        let mut damaged = list();
        put(&mut damaged, 256, u64::from(u32::MAX), 4);
        put(&mut damaged, 256 + 4, u64::from(u32::MAX), 4);
        put(&mut damaged, 256 + 64, 7, 8);
        let processes = process_list(&damaged, BASE, 8);
        assert_eq!(processes.len(), 2);
        assert_eq!(processes[1].name, "");
        assert!(processes[1].threads.len() < 20);
        assert!(process_list(&damaged[..100], BASE, 8).is_empty());
        assert!(process_list(&[], BASE, 4).is_empty());
    }
}
