//! Builds ELF cores from the structures of `fs/binfmt_elf.c`, `elfcore.h` and `elf.h` of Linux, apart from the reader.

use std::iter::repeat_n;

pub(crate) const READ: u32 = 4;
pub(crate) const WRITE: u32 = 2;
pub(crate) const EXECUTE: u32 = 1;

pub(crate) const AT_ENTRY: u64 = 9;
pub(crate) const AT_RANDOM: u64 = 25;
pub(crate) const AT_SYSINFO_EHDR: u64 = 33;

const NT_PRSTATUS: u32 = 1;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
pub(crate) const NT_FILE: u32 = 0x4649_4c45;
const NT_SIGINFO: u32 = 0x5349_4749;

/// A machine: how it writes numbers, its registers, the form of its process note.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) number: u16,
    pub(crate) wide: bool,
    pub(crate) big_endian: bool,
    /// Words of `elf_gregset_t`, and which of them is the stack pointer.
    registers: (usize, usize),
    /// Whether `__kernel_uid_t` has two bytes.
    short_uid: bool,
}

const fn machine(number: u16, wide: bool, big_endian: bool, registers: (usize, usize)) -> Machine {
    Machine { number, wide, big_endian, registers, short_uid: false }
}

pub(crate) const X86_64: Machine = machine(62, true, false, (27, 19));
pub(crate) const AARCH64: Machine = machine(183, true, false, (34, 31));
pub(crate) const S390X: Machine = machine(22, true, true, (27, 17));
pub(crate) const PPC: Machine = machine(20, false, true, (48, 1));
pub(crate) const I386: Machine = Machine { short_uid: true, ..machine(3, false, false, (17, 15)) };
pub(crate) const ARM: Machine = Machine { short_uid: true, ..machine(40, false, false, (18, 13)) };

/// A core in the making: headers, notes, memory, in the order in which the kernel writes them.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    machine: Machine,
    kind: u16,
    notes: Vec<u8>,
    loads: Vec<Load>,
    extended: bool,
}

#[derive(Clone, Debug)]
struct Load {
    start: u64,
    memory: u64,
    flags: u32,
    bytes: Vec<u8>,
}

impl Core {
    pub(crate) fn of(machine: Machine) -> Core {
        Core { machine, kind: 4, notes: Vec::new(), loads: Vec::new(), extended: false }
    }

    /// A file of another kind with the same headers: 2 is a program.
    pub(crate) fn kind(mut self, kind: u16) -> Core {
        self.kind = kind;
        self
    }

    /// Memory of which all stands in the file.
    pub(crate) fn load(self, start: u64, flags: u32, bytes: &[u8]) -> Core {
        self.part(start, bytes.len() as u64, flags, bytes)
    }

    /// Memory of which only the beginning stands in the file.
    pub(crate) fn part(mut self, start: u64, memory: u64, flags: u32, bytes: &[u8]) -> Core {
        self.loads.push(Load { start, memory, flags, bytes: bytes.to_vec() });
        self
    }

    /// Counts its headers in the first section header, as the kernel does for 65535 and more (`PN_XNUM`).
    pub(crate) fn extended(mut self) -> Core {
        self.extended = true;
        self
    }

    pub(crate) fn note(mut self, name: &str, kind: u32, content: &[u8]) -> Core {
        let mut head = Vec::new();
        self.put(&mut head, name.len() as u64 + 1, 4);
        self.put(&mut head, content.len() as u64, 4);
        self.put(&mut head, u64::from(kind), 4);
        self.notes.extend(head);
        for part in [&[name.as_bytes(), b"\0"].concat(), content] {
            self.notes.extend_from_slice(part);
            self.notes.extend(repeat_n(0, part.len().next_multiple_of(4) - part.len()));
        }
        self
    }

    /// `struct elf_prstatus`, all registers zero but the stack pointer.
    pub(crate) fn thread(self, tid: u32, stack_pointer: u64) -> Core {
        let word = self.word();
        let mut status = vec![0; 12]; // pr_info
        status.extend([0; 4]); // pr_cursig and its padding
        status.extend(vec![0; 2 * word]); // pr_sigpend, pr_sighold
        self.put(&mut status, u64::from(tid), 4);
        status.extend([0; 12]); // ppid, pgrp, sid
        status.extend(vec![0; 8 * word]); // four times
        let (count, index) = self.machine.registers;
        for register in 0..count {
            self.put(&mut status, if register == index { stack_pointer } else { 0 }, word);
        }
        status.extend(vec![0; word]); // pr_fpvalid and its padding
        self.note("CORE", NT_PRSTATUS, &status)
    }

    /// `struct elf_prpsinfo`.
    pub(crate) fn process(self, pid: u32, uid: u32, name: &str, command: &str) -> Core {
        let mut info = vec![0; 4];
        info.resize(self.word(), 0); // pr_state, sname, zomb, nice, and what aligns the flags
        self.put(&mut info, 0, self.word());
        let id = if self.machine.short_uid { 2 } else { 4 };
        self.put(&mut info, u64::from(uid), id);
        self.put(&mut info, 0, id);
        for number in [pid, 1, pid, pid] {
            self.put(&mut info, u64::from(number), 4);
        }
        for (text, size) in [(name, 16), (command, 80)] {
            let mut field = text.as_bytes().to_vec();
            field.resize(size, 0);
            info.extend(field);
        }
        self.note("CORE", NT_PRPSINFO, &info)
    }

    /// `siginfo_t` of a fault.
    pub(crate) fn signal(self, number: u32, address: u64) -> Core {
        let mut info = Vec::new();
        self.put(&mut info, u64::from(number), 4);
        self.put(&mut info, 0, 4); // si_errno
        self.put(&mut info, 1, 4); // si_code: the address is not mapped
        info.resize(info.len().next_multiple_of(self.word()), 0);
        self.put(&mut info, address, self.word());
        info.resize(128, 0);
        self.note("CORE", NT_SIGINFO, &info)
    }

    pub(crate) fn auxv(self, entries: &[(u64, u64)]) -> Core {
        let mut vector = Vec::new();
        for &(key, value) in entries.iter().chain(&[(0, 0)]) {
            self.put(&mut vector, key, self.word());
            self.put(&mut vector, value, self.word());
        }
        self.note("CORE", NT_AUXV, &vector)
    }

    /// `NT_FILE`: start, end, offset in pages of 4096, name.
    pub(crate) fn files(self, files: &[(u64, u64, u64, &str)]) -> Core {
        let count = files.len() as u64;
        let names: Vec<u8> = files.iter().flat_map(|(.., name)| [name.as_bytes(), b"\0"].concat()).collect();
        let list = self.file_list(count, files, &names);
        self.note("CORE", NT_FILE, &list)
    }

    /// The content of a list of files whose count and names need not be true.
    pub(crate) fn file_list(&self, count: u64, files: &[(u64, u64, u64, &str)], names: &[u8]) -> Vec<u8> {
        let mut list = Vec::new();
        for number in [count, 4096].into_iter().chain(files.iter().flat_map(|file| [file.0, file.1, file.2]))
        {
            self.put(&mut list, number, self.word());
        }
        list.extend_from_slice(names);
        list
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let (header, entry, section) = if self.machine.wide { (64, 56, 64) } else { (52, 32, 40) };
        let count = self.loads.len() + usize::from(!self.notes.is_empty());
        let notes_at = (header + entry * count) as u64;
        let mut memory_at = (notes_at + self.notes.len() as u64).next_multiple_of(64);
        let sections_at = memory_at + self.loads.iter().map(|load| load.bytes.len() as u64).sum::<u64>();

        let mut file = b"\x7fELF".to_vec();
        file.extend([if self.machine.wide { 2 } else { 1 }, if self.machine.big_endian { 2 } else { 1 }, 1]);
        file.extend([0; 9]);
        self.put(&mut file, u64::from(self.kind), 2);
        self.put(&mut file, u64::from(self.machine.number), 2);
        self.put(&mut file, 1, 4);
        self.put(&mut file, 0, self.word()); // e_entry
        self.put(&mut file, header as u64, self.word()); // e_phoff
        self.put(&mut file, if self.extended { sections_at } else { 0 }, self.word()); // e_shoff
        self.put(&mut file, 0, 4); // e_flags
        let headers = if self.extended { 0xffff } else { count as u64 };
        for half in [header as u64, entry as u64, headers, section, u64::from(self.extended), 0] {
            self.put(&mut file, half, 2);
        }
        if !self.notes.is_empty() {
            self.program_header(&mut file, 4, notes_at, 0, self.notes.len() as u64, 0, 0);
        }
        for load in &self.loads {
            let size = load.bytes.len() as u64;
            self.program_header(&mut file, 1, memory_at, load.start, size, load.memory, load.flags);
            memory_at += size;
        }
        file.extend_from_slice(&self.notes);
        file.resize(file.len().next_multiple_of(64), 0);
        for load in &self.loads {
            file.extend_from_slice(&load.bytes);
        }
        if self.extended {
            self.section_header(&mut file, count as u64);
        }
        file
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of Elf64_Phdr")]
    fn program_header(
        &self,
        file: &mut Vec<u8>,
        kind: u64,
        offset: u64,
        start: u64,
        size: u64,
        memory: u64,
        flags: u32,
    ) {
        let word = self.word();
        self.put(file, kind, 4);
        if word == 8 {
            self.put(file, u64::from(flags), 4);
        }
        for number in [offset, start, 0, size, memory] {
            self.put(file, number, word);
        }
        if word == 4 {
            self.put(file, u64::from(flags), 4);
        }
        self.put(file, 1, word);
    }

    /// The section without a name: its `sh_info` counts program headers.
    fn section_header(&self, file: &mut Vec<u8>, headers: u64) {
        let word = self.word();
        for (number, size) in [
            (0, 4),
            (0, 4),
            (0, word),
            (0, word),
            (0, word),
            (1, word),
            (0, 4),
            (headers, 4),
            (0, word),
            (0, word),
        ] {
            self.put(file, number, size);
        }
    }

    fn word(&self) -> usize {
        if self.machine.wide { 8 } else { 4 }
    }

    fn put(&self, into: &mut Vec<u8>, number: u64, size: usize) {
        if self.machine.big_endian {
            into.extend(&number.to_be_bytes()[8 - size..]);
        } else {
            into.extend(&number.to_le_bytes()[..size]);
        }
    }
}

/// A small program as it stands in a core: its file, plain data behind it, a heap, a mapped library, a stack.
pub(crate) fn small() -> Core {
    nameless().files(&[
        (0x40_0000, 0x40_3000, 0, "/opt/small"),
        (0x7f00_0000_0000, 0x7f00_0000_1000, 2, "/usr/lib/libthing.so.1"),
    ])
}

/// The same by a kernel before 3.7, which lists no files.
pub(crate) fn nameless() -> Core {
    Core::of(X86_64)
        .thread(101, 0x7ffc_0000_0800)
        .process(101, 1000, "small", "./small --once")
        .signal(11, 0xdead_0000)
        .auxv(&[(AT_ENTRY, 0x40_1040), (AT_RANDOM, 0x7ffc_0000_0f00), (AT_SYSINFO_EHDR, 0x7ffc_0010_0000)])
        .thread(102, 0x7f00_0010_0100)
        .part(0x40_0000, 0x2000, READ | EXECUTE, &page(0x7f))
        .load(0x40_2000, READ | WRITE, &page(0xd0))
        .load(0x40_3000, READ | WRITE, &page(0xb5))
        .load(0x41_5000, READ | WRITE, &page(0x48))
        .part(0x7f00_0000_0000, 0x1000, READ, b"")
        .load(0x7f00_0010_0000, READ | WRITE, &page(0x57))
        .load(0x7ffc_0000_0000, READ | WRITE, &page(0x57))
        .load(0x7ffc_0010_0000, READ | EXECUTE, &page(0xd5))
        .load(0xffff_ffff_ff60_0000, EXECUTE, &page(0x55))
}

/// A page of one byte.
pub(crate) fn page(byte: u8) -> Vec<u8> {
    vec![byte; 0x1000]
}
