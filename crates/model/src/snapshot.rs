use serde::Serialize;

use crate::{Address, Dump, Gap, Limits, Machine, Module, Os, Process, Range, Region, SystemMemory, Thread};

/// A process as it stood at one moment: the input of every conclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Who it is and how much it has.
    pub process: Process,
    /// Its mapped regions, in order of address.
    pub regions: Vec<Region>,
    /// Its threads.
    pub threads: Vec<Thread>,
    /// Its program and libraries where the target lists them by itself: a minidump does, Linux maps do not.
    pub modules: Vec<Module>,
    /// What bounds it.
    pub limits: Limits,
    /// The machine it runs on.
    pub machine: Machine,
    /// The memory of that machine.
    pub system: SystemMemory,
    /// The bounds of its address space.
    pub space: AddressSpace,
    /// Which interface gave the sizes of its regions.
    pub source: Source,
    /// The file it was read from, when it is no live process.
    pub dump: Option<Dump>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// Whether regions are only derived from what a dump holds, so that what is reserved passes for free.
    pub fn is_derived(&self) -> bool {
        let is_told = |region: &Region| region.pages.is_some_and(|pages| pages.protect.is_some());
        self.machine.os == Os::Windows && self.dump.is_some() && !self.regions.iter().any(is_told)
    }

    /// Whether only memory tells where stacks and heaps are: Windows keeps that in blocks of the process itself.
    pub fn needs_memory(&self) -> bool {
        self.dump.is_some() || self.machine.os == Os::Windows
    }

    /// How many bytes an address takes in its memory.
    pub fn pointer_bytes(&self) -> usize {
        if self.space.bits == 32 { 4 } else { 8 }
    }
}

/// Where the resident sizes of regions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Region list only: no resident sizes.
    #[default]
    Maps,
    /// `/proc/PID/smaps`: everything, and the target waits while it is read.
    Smaps,
    /// `/proc/PID/maps` and the page table in small steps: no PSS, and the target hardly waits.
    Pagemap,
    /// The program headers of an ELF core.
    Core,
    /// The streams of a minidump.
    Minidump,
    /// `VirtualQueryEx`, range by range.
    VirtualQuery,
}

/// The part of the address space that a program may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AddressSpace {
    /// 32 or 64.
    pub bits: u8,
    /// First and last usable address.
    #[serde(flatten)]
    pub range: Range,
}

impl AddressSpace {
    /// Bounds of a Linux process, told from where its regions stand: each has a stack near the top.
    ///
    /// Source: `TASK_SIZE` and `IA32_PAGE_OFFSET` in `arch/x86/include/asm/page_types.h`; arm64 has 48 bits by default.
    pub fn of(regions: &[Region], lowest: Address) -> AddressSpace {
        let bits = if top(regions).0 <= 0x1_0000_0000 { 32 } else { 64 };
        AddressSpace::wide(bits, regions, lowest)
    }

    /// The same where it is known how wide addresses are.
    pub fn wide(bits: u8, regions: &[Region], lowest: Address) -> AddressSpace {
        let end = match (bits, top(regions).0) {
            (32, 0..=0xffff_e000) => 0xffff_e000,
            (32, _) => 0x1_0000_0000,
            (_, 0..=0x7fff_ffff_f000) => 0x7fff_ffff_f000,
            (_, 0..=0xffff_ffff_f000) => 0xffff_ffff_f000,
            _ => USER_TOP.0,
        };
        AddressSpace { bits, range: Range { start: lowest, end: Address(end) } }
    }

    /// Bounds of a Windows process: 2 GiB for 32-bit programs unless memory stands above, which only a program that
    /// says it can (`/LARGEADDRESSAWARE`) gets.
    ///
    /// Source: "Memory Limits for Windows"; 64 KiB at both ends are never given out.
    pub fn windows(bits: u8, regions: &[Region]) -> AddressSpace {
        const NARROW: u64 = 0x7fff_0000;
        let above = |region: &Region| (NARROW + 0x1_0000..0xffff_0000).contains(&region.range.start.0);
        let end = match bits {
            32 if regions.iter().any(above) => 0xfffe_0000,
            32 => NARROW,
            _ => 0x7fff_ffff_0000,
        };
        AddressSpace { bits, range: Range { start: Address(0x1_0000), end: Address(end) } }
    }

    /// Bounds of a 32-bit program on 64-bit Windows: what its header says it can use, 2 GiB or 4.
    pub fn wow64(is_large_address_aware: bool) -> AddressSpace {
        let end = if is_large_address_aware { 0xffff_0000 } else { 0x7fff_0000 };
        AddressSpace { bits: 32, range: Range { start: Address(0x1_0000), end: Address(end) } }
    }
}

fn top(regions: &[Region]) -> Address {
    regions.iter().map(|region| region.range.end).filter(|&end| end <= USER_TOP).max().unwrap_or_default()
}

/// Above this stands no program, only the kernel (and its vsyscall page, which `maps` lists all the same).
const USER_TOP: Address = Address(0x00ff_ffff_ffff_f000);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u64, end: u64) -> Region {
        Region { range: Range { start: Address(start), end: Address(end) }, ..Region::default() }
    }

    #[test]
    fn the_stack_tells_how_wide_the_address_space_is() {
        let vsyscall = at(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000);
        let wide = [at(0x40_0000, 0x50_0000), at(0x7ffc_0000_0000, 0x7ffc_0002_1000), vsyscall];
        assert_eq!(AddressSpace::of(&wide, Address(0x1000)).bits, 64);
        assert_eq!(AddressSpace::of(&wide, Address(0x1000)).range.end, Address(0x7fff_ffff_f000));
        let narrow = [at(0x40_0000, 0x50_0000), at(0xfff0_0000, 0xfff2_1000)];
        assert_eq!(AddressSpace::of(&narrow, Address(0x1000)).bits, 32);
        assert_eq!(AddressSpace::of(&narrow, Address(0x1000)).range.end, Address(0xffff_e000));
        assert_eq!(AddressSpace::wide(64, &narrow, Address(0x1000)).range.end, Address(0x7fff_ffff_f000));
    }

    #[test]
    fn a_32_bit_windows_program_has_two_gigabytes_or_four() {
        let small = [at(0x40_0000, 0x50_0000), at(0x7ffe_0000, 0x7ffe_1000)];
        assert_eq!(AddressSpace::windows(32, &small).range.end, Address(0x7fff_0000));
        let large = [at(0x40_0000, 0x50_0000), at(0x9000_0000, 0x9001_0000)];
        assert_eq!(AddressSpace::windows(32, &large).range.end, Address(0xfffe_0000));
        assert_eq!(AddressSpace::windows(64, &large).range.end, Address(0x7fff_ffff_0000));
    }
}
