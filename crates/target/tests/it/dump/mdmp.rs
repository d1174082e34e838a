//! Builds minidumps from the structures of `minidumpapiset.h` and `winnt.h`, apart from the reader.
#![allow(clippy::cast_possible_truncation, reason = "what is built here is small")]

pub(crate) const THREADS: u32 = 3;
pub(crate) const MODULES: u32 = 4;
pub(crate) const MEMORY: u32 = 5;
pub(crate) const EXCEPTION: u32 = 6;
pub(crate) const SYSTEM: u32 = 7;
pub(crate) const MEMORY64: u32 = 9;
pub(crate) const UNLOADED: u32 = 14;
pub(crate) const MISC: u32 = 15;
pub(crate) const MEMORY_INFO: u32 = 16;
pub(crate) const THREAD_NAMES: u32 = 24;
pub(crate) const LINUX_MAPS: u32 = 0x4767_0009;

/// Room in the directory; what is not used stays `UnusedStream`.
const DIRECTORY: usize = 12;
const HEADER: usize = 32;

/// A processor: its number, the size of its context, where flags and stack pointer stand, and what the flags are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    number: u16,
    context: usize,
    flags: (usize, u32),
    stack_pointer: (usize, usize),
}

pub(crate) const X86: Cpu = Cpu { number: 0, context: 716, flags: (0, 0x1_0007), stack_pointer: (0xc4, 4) };
pub(crate) const ARM: Cpu =
    Cpu { number: 5, context: 368, flags: (0, 0x4000_0007), stack_pointer: (0x38, 4) };
pub(crate) const X86_64: Cpu =
    Cpu { number: 9, context: 1232, flags: (0x30, 0x10_000b), stack_pointer: (0x98, 8) };
pub(crate) const ARM64: Cpu =
    Cpu { number: 12, context: 912, flags: (0, 0x40_0007), stack_pointer: (0x100, 8) };

pub(crate) const WINDOWS: u32 = 2;
pub(crate) const MACOS: u32 = 0x8101;
pub(crate) const LINUX: u32 = 0x8201;

/// A minidump in the making: streams stand one behind the other, each behind what it points to.
#[derive(Clone, Debug)]
pub(crate) struct Dump {
    big_endian: bool,
    cpu: Cpu,
    file: Vec<u8>,
    directory: Vec<(u32, usize, usize)>,
}

/// `MINIDUMP_MEMORY_INFO`, all but its padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) base: u64,
    pub(crate) state: u32,
    pub(crate) protect: u32,
    pub(crate) kind: u32,
}

impl Dump {
    pub(crate) fn of(cpu: Cpu, platform: u32) -> Dump {
        Dump::in_order(cpu, platform, false)
    }

    /// Written by a machine of the other byte order.
    pub(crate) fn in_order(cpu: Cpu, platform: u32, big_endian: bool) -> Dump {
        Dump::bare(cpu, big_endian).system(platform)
    }

    /// Without a single stream.
    pub(crate) fn bare(cpu: Cpu, big_endian: bool) -> Dump {
        Dump { big_endian, cpu, file: vec![0; HEADER + 12 * DIRECTORY], directory: Vec::new() }
    }

    pub(crate) fn stream(mut self, kind: u32, content: &[u8]) -> Dump {
        let at = self.keep(content);
        self.directory.push((kind, at, content.len()));
        self
    }

    fn system(self, platform: u32) -> Dump {
        let mut info = Vec::new();
        for (number, size) in [(self.cpu.number, 2), (6, 2), (0, 2), (4, 1), (1, 1)] {
            self.put(&mut info, u64::from(number), size);
        }
        for number in [10, 0, 19_042, platform, 0, 0] {
            self.put(&mut info, u64::from(number), 4);
        }
        info.extend([0; 24]);
        self.stream(SYSTEM, &info)
    }

    pub(crate) fn misc(self, pid: u32) -> Dump {
        let mut info = Vec::new();
        for number in [24, 1, pid, 0, 0, 0] {
            self.put(&mut info, u64::from(number), 4);
        }
        self.stream(MISC, &info)
    }

    /// Base, size, name.
    pub(crate) fn modules(mut self, modules: &[(u64, u32, &str)]) -> Dump {
        let named: Vec<_> =
            modules.iter().map(|&(base, size, name)| (base, size, self.string(name))).collect();
        let list = self.module_list(&named);
        self.stream(MODULES, &list)
    }

    /// The same, each with the place where its name should stand.
    pub(crate) fn module_list(&self, modules: &[(u64, u32, u32)]) -> Vec<u8> {
        let mut list = Vec::new();
        self.put(&mut list, modules.len() as u64, 4);
        for &(base, size, name) in modules {
            self.put(&mut list, base, 8);
            for number in [size, 0, 0, name] {
                self.put(&mut list, u64::from(number), 4);
            }
            list.extend([0; 52 + 8 + 8 + 16]); // version, CodeView, misc, reserved
        }
        list
    }

    pub(crate) fn unloaded(mut self, modules: &[(u64, u32, &str)]) -> Dump {
        let mut list = Vec::new();
        for number in [12, 24, modules.len() as u64] {
            self.put(&mut list, number, 4);
        }
        for &(base, size, name) in modules {
            let name = self.string(name);
            self.put(&mut list, base, 8);
            for number in [size, 0, 0, name] {
                self.put(&mut list, u64::from(number), 4);
            }
        }
        self.stream(UNLOADED, &list)
    }

    /// Number, TEB, stack pointer; a thread without a stack pointer has no context.
    pub(crate) fn threads(mut self, threads: &[(u32, u64, Option<u64>)]) -> Dump {
        let mut list = Vec::new();
        self.put(&mut list, threads.len() as u64, 4);
        for &(tid, teb, stack_pointer) in threads {
            let context = stack_pointer.map_or((0, 0), |pointer| self.context(pointer));
            for number in [tid, 0, 0, 0] {
                self.put(&mut list, u64::from(number), 4);
            }
            self.put(&mut list, teb, 8);
            list.extend([0; 16]); // the stack's place
            self.put(&mut list, context.0, 4);
            self.put(&mut list, context.1, 4);
        }
        self.stream(THREADS, &list)
    }

    pub(crate) fn thread_names(mut self, names: &[(u32, &str)]) -> Dump {
        let mut list = Vec::new();
        self.put(&mut list, names.len() as u64, 4);
        for &(tid, name) in names {
            let at = self.string(name);
            self.put(&mut list, u64::from(tid), 4);
            self.put(&mut list, u64::from(at), 8);
        }
        self.stream(THREAD_NAMES, &list)
    }

    pub(crate) fn exception(mut self, tid: u32, code: u32, address: u64) -> Dump {
        let context = self.context(0);
        let mut stream = Vec::new();
        for number in [tid, 0, code, 0] {
            self.put(&mut stream, u64::from(number), 4);
        }
        self.put(&mut stream, 0, 8);
        self.put(&mut stream, address, 8);
        stream.extend([0; 8 + 15 * 8]);
        self.put(&mut stream, context.0, 4);
        self.put(&mut stream, context.1, 4);
        self.stream(EXCEPTION, &stream)
    }

    pub(crate) fn memory_info(self, infos: &[Info]) -> Dump {
        let mut list = Vec::new();
        self.put(&mut list, 16, 4);
        self.put(&mut list, 48, 4);
        self.put(&mut list, infos.len() as u64, 8);
        for info in infos {
            self.put(&mut list, info.start, 8);
            self.put(&mut list, info.base, 8);
            self.put(&mut list, u64::from(info.protect), 8); // AllocationProtect and padding
            self.put(&mut list, info.size, 8);
            for number in [info.state, info.protect, info.kind, 0] {
                self.put(&mut list, u64::from(number), 4);
            }
        }
        self.stream(MEMORY_INFO, &list)
    }

    pub(crate) fn memory(mut self, ranges: &[(u64, &[u8])]) -> Dump {
        let placed: Vec<_> = ranges
            .iter()
            .map(|(start, bytes)| (*start, bytes.len() as u32, self.keep(bytes) as u32))
            .collect();
        let list = self.memory_list(&placed);
        self.stream(MEMORY, &list)
    }

    /// Start, size, place in the file.
    pub(crate) fn memory_list(&self, ranges: &[(u64, u32, u32)]) -> Vec<u8> {
        let mut list = Vec::new();
        self.put(&mut list, ranges.len() as u64, 4);
        for &(start, size, place) in ranges {
            self.put(&mut list, start, 8);
            self.put(&mut list, u64::from(size), 4);
            self.put(&mut list, u64::from(place), 4);
        }
        list
    }

    /// Memory behind everything else, as `MiniDumpWithFullMemory` has it: what is added afterwards stands behind it.
    pub(crate) fn memory64(self, ranges: &[(u64, &[u8])]) -> Dump {
        let sizes: Vec<_> = ranges.iter().map(|(start, bytes)| (*start, bytes.len() as u64)).collect();
        let place = self.file.len() + 16 + 16 * ranges.len();
        let list = self.memory64_list(place as u64, &sizes);
        let mut dump = self.stream(MEMORY64, &list);
        for (_, bytes) in ranges {
            dump.file.extend_from_slice(bytes);
        }
        dump
    }

    pub(crate) fn memory64_list(&self, place: u64, ranges: &[(u64, u64)]) -> Vec<u8> {
        let mut list = Vec::new();
        let sizes = ranges.iter().flat_map(|&(start, size)| [start, size]);
        for number in [ranges.len() as u64, place].into_iter().chain(sizes) {
            self.put(&mut list, number, 8);
        }
        list
    }

    /// Where something that streams point to stands.
    fn keep(&mut self, bytes: &[u8]) -> usize {
        let at = self.file.len();
        self.file.extend_from_slice(bytes);
        at
    }

    /// `MINIDUMP_STRING`: its size in bytes, UTF-16, an end that does not count.
    pub(crate) fn string(&mut self, text: &str) -> u32 {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.units(&units)
    }

    /// The same of units that need not be text.
    pub(crate) fn units(&mut self, units: &[u16]) -> u32 {
        let mut string = Vec::new();
        self.put(&mut string, 2 * units.len() as u64, 4);
        for &unit in units.iter().chain(&[0]) {
            self.put(&mut string, u64::from(unit), 2);
        }
        self.keep(&string) as u32
    }

    /// Size and place of a context of which only the stack pointer is set.
    fn context(&mut self, stack_pointer: u64) -> (u64, u64) {
        let Cpu { context: size, flags: (flags_at, flags), stack_pointer: (at, width), .. } = self.cpu;
        let mut context = vec![0; size];
        for (at, number, width) in [(flags_at, u64::from(flags), 4), (at, stack_pointer, width)] {
            let mut bytes = Vec::new();
            self.put(&mut bytes, number, width);
            context[at..at + width].copy_from_slice(&bytes);
        }
        (size as u64, self.keep(&context) as u64)
    }

    /// Where a stream stands in the file, to damage it.
    pub(crate) fn place(&self, kind: u32) -> usize {
        self.directory.iter().find(|(known, ..)| *known == kind).expect("it was added").1
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        self.count(self.directory.len() as u32)
    }

    /// With a directory that says it has so many streams.
    pub(crate) fn count(&self, streams: u32) -> Vec<u8> {
        let mut head = Vec::new();
        for number in [0x504d_444d, 0xa793, streams, HEADER as u32, 0, 0, 2, 0] {
            self.put(&mut head, u64::from(number), 4);
        }
        for &(kind, at, size) in &self.directory {
            for number in [kind, size as u32, at as u32] {
                self.put(&mut head, u64::from(number), 4);
            }
        }
        let mut file = self.file.clone();
        file[..head.len()].copy_from_slice(&head);
        file
    }

    pub(crate) fn put(&self, into: &mut Vec<u8>, number: u64, size: usize) {
        if self.big_endian {
            into.extend(&number.to_be_bytes()[8 - size..]);
        } else {
            into.extend(&number.to_le_bytes()[..size]);
        }
    }
}

const COMMIT: u32 = 0x1000;
const RESERVE: u32 = 0x2000;
const FREE: u32 = 0x1_0000;
const PRIVATE: u32 = 0x2_0000;
const IMAGE: u32 = 0x100_0000;

/// A small program of Windows with all its memory: its file, a heap of which half is only reserved, a stack.
pub(crate) fn small() -> Dump {
    let region = |start, size, base, state, protect, kind| Info { start, size, base, state, protect, kind };
    Dump::of(X86_64, WINDOWS)
        .misc(4242)
        .modules(&[
            (0x1_4000_0000, 0x2000, "C:\\Tools\\small.exe"),
            (0x7ff8_0000_0000, 0x1000, "C:\\Windows\\System32\\ntdll.dll"),
        ])
        .unloaded(&[(0x7ff8_1000_0000, 0x5000, "once.dll")])
        .threads(&[(11, 0x20_0000, Some(0x10_0ff0)), (12, 0x20_2000, Some(0x10_0800))])
        .thread_names(&[(12, "worker")])
        .exception(12, 0xc000_0005, 0xdead_0000)
        .memory_info(&[
            region(0, 0x1_0000, 0, FREE, 1, 0),
            region(0x1_0000, 0x1000, 0x1_0000, COMMIT, 4, PRIVATE),
            region(0x1_1000, 0xf000, 0x1_0000, RESERVE, 0, PRIVATE),
            region(0x10_0000, 0x1000, 0x10_0000, COMMIT, 4, PRIVATE),
            region(0x1_4000_0000, 0x1000, 0x1_4000_0000, COMMIT, 2, IMAGE),
            region(0x1_4000_1000, 0x1000, 0x1_4000_0000, COMMIT, 0x20, IMAGE),
            region(0x7ff8_0000_0000, 0x1000, 0x7ff8_0000_0000, COMMIT, 0x20, IMAGE),
        ])
        .memory64(&[
            (0x1_0000, &[0x48; 0x1000]),
            (0x10_0000, &[0x57; 0x1000]),
            (0x1_4000_0000, &[0x4d; 0x1000]),
            (0x1_4000_1000, &[0xcc; 0x1000]),
            (0x7ff8_0000_0000, &[0xcc; 0x1000]),
        ])
}
