//! The kinds of process that a core is written of, told apart by the size of their registers.

/// What a core says of its processor, and how its numbers are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live::linux) enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86, also under a 64-bit kernel.
    I386,
    /// 64-bit ARM.
    Aarch64,
}

/// `NT_PRSTATUS`: the general registers.
pub(in crate::live::linux) const GENERAL: u32 = 1;
/// `NT_PRFPREG`: the floating-point registers.
pub(super) const FLOAT: u32 = 2;

impl Machine {
    /// Whose general registers have this size: `struct user_regs_struct` of each.
    pub(in crate::live::linux) fn of_registers(size: usize) -> Option<Machine> {
        match size {
            216 => Some(Machine::X86_64),
            68 => Some(Machine::I386),
            272 => Some(Machine::Aarch64),
            _ => None,
        }
    }

    pub(in crate::live::linux) fn is_64_bit(self) -> bool {
        self != Machine::I386
    }

    /// `e_machine`.
    pub(super) fn number(self) -> u16 {
        match self {
            Machine::X86_64 => 62,
            Machine::I386 => 3,
            Machine::Aarch64 => 183,
        }
    }

    /// The register sets beside the general ones that debuggers read, by the number that is also their note's type.
    ///
    /// Source: `include/uapi/linux/elf.h`.
    pub(super) fn sets(self) -> &'static [u32] {
        match self {
            // The extended state of the processor.
            Machine::X86_64 => &[FLOAT, 0x202],
            // The same, the older form of it, and the descriptors of thread-local storage.
            Machine::I386 => &[FLOAT, 0x46e6_2b7f, 0x202, 0x200],
            // Thread-local storage, the masks that take signatures off pointers, and how tagged addresses are taken.
            Machine::Aarch64 => &[FLOAT, 0x401, 0x405, 0x406, 0x409],
        }
    }
}
