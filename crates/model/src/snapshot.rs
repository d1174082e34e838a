use serde::Serialize;

use crate::{Address, Dump, Gap, Limits, Machine, Module, Process, Range, Region, SystemMemory, Thread};

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
        let top = regions.iter().map(|region| region.range.end).filter(|&end| end <= USER_TOP).max();
        let top = top.unwrap_or_default().0;
        let (bits, end) = match top {
            0..=0xffff_e000 => (32, 0xffff_e000),
            0xffff_e001..=0x1_0000_0000 => (32, 0x1_0000_0000),
            _ if top <= 0x7fff_ffff_f000 => (64, 0x7fff_ffff_f000),
            _ if top <= 0xffff_ffff_f000 => (64, 0xffff_ffff_f000),
            _ => (64, USER_TOP.0),
        };
        AddressSpace { bits, range: Range { start: lowest, end: Address(end) } }
    }
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
    }
}
