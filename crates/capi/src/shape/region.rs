//! A region of an address space.

use std::ffi::{c_int, c_void};

use library::model::{Backing, Extent, Protection, State};

/// Bit of `protection`: may be read.
pub const RESIDUE_READ: u32 = 1 << 0;
/// Bit of `protection`: may be written.
pub const RESIDUE_WRITE: u32 = 1 << 1;
/// Bit of `protection`: may be executed.
pub const RESIDUE_EXECUTE: u32 = 1 << 2;
/// Bit of `protection`: writes reach everyone who maps the same memory.
pub const RESIDUE_SHARED: u32 = 1 << 3;

/// Whether address space can be used as it stands.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum residue_state {
    /// It may be touched: pages come when it is. Windows: committed.
    RESIDUE_STATE_MAPPED = 1,
    /// It is only set aside. Windows: reserved. Linux: mapped without any right.
    RESIDUE_STATE_RESERVED = 2,
    /// Nothing stands there.
    RESIDUE_STATE_FREE = 3,
}

/// What stands behind a region, as far as numbers tell.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum residue_backing {
    /// Memory of this process alone.
    RESIDUE_BACKING_PRIVATE_ANONYMOUS = 1,
    /// Memory that others can share.
    RESIDUE_BACKING_SHARED_MEMORY = 2,
    /// A file, of which written pages stay private: programs and libraries too.
    RESIDUE_BACKING_PRIVATE_FILE = 3,
    /// A file that writes reach. Windows: any section that is no program.
    RESIDUE_BACKING_SHARED_FILE = 4,
    /// Made by the kernel.
    RESIDUE_BACKING_SPECIAL = 5,
}

/// A region: a range of one state and protection. It never changes within `RESIDUE_ABI_VERSION` 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct residue_region {
    /// Its first address.
    pub start: u64,
    /// How many bytes it has.
    pub size: u64,
    /// Where what was reserved together with it begins. Linux: `start`.
    pub allocation_base: u64,
    /// Mapped or reserved.
    pub state: residue_state,
    /// `RESIDUE_READ`, `RESIDUE_WRITE`, `RESIDUE_EXECUTE`, `RESIDUE_SHARED`.
    pub protection: u32,
    /// What stands behind it.
    pub backing: residue_backing,
    /// Windows: `State` of `MEMORY_BASIC_INFORMATION`; 0 elsewhere.
    pub os_state: u32,
    /// Windows: its `Type`; 0 where that is not known, and elsewhere.
    pub os_type: u32,
    /// Windows: its `Protect`; 0 where that is not known, and elsewhere.
    pub os_protection: u32,
}

impl From<&Extent> for residue_region {
    fn from(extent: &Extent) -> residue_region {
        let pages = extent.pages.as_ref();
        residue_region {
            start: extent.range.start.0,
            size: extent.size().0,
            allocation_base: extent.allocation_base.0,
            state: extent.state.into(),
            protection: bits(extent.protection),
            backing: extent.backing.into(),
            os_state: pages.map_or(0, |pages| pages.state),
            os_type: pages.and_then(|pages| pages.kind).unwrap_or_default(),
            os_protection: pages.and_then(|pages| pages.protect).unwrap_or_default(),
        }
    }
}

impl From<State> for residue_state {
    fn from(state: State) -> residue_state {
        match state {
            State::Mapped => residue_state::RESIDUE_STATE_MAPPED,
            State::Reserved => residue_state::RESIDUE_STATE_RESERVED,
            State::Free => residue_state::RESIDUE_STATE_FREE,
        }
    }
}

impl From<Backing> for residue_backing {
    fn from(backing: Backing) -> residue_backing {
        match backing {
            Backing::PrivateAnonymous => residue_backing::RESIDUE_BACKING_PRIVATE_ANONYMOUS,
            Backing::SharedMemory => residue_backing::RESIDUE_BACKING_SHARED_MEMORY,
            Backing::PrivateFile => residue_backing::RESIDUE_BACKING_PRIVATE_FILE,
            Backing::SharedFile => residue_backing::RESIDUE_BACKING_SHARED_FILE,
            Backing::Special => residue_backing::RESIDUE_BACKING_SPECIAL,
        }
    }
}

fn bits(protection: Protection) -> u32 {
    let bit = |is_set, bit| if is_set { bit } else { 0 };
    bit(protection.read, RESIDUE_READ)
        | bit(protection.write, RESIDUE_WRITE)
        | bit(protection.execute, RESIDUE_EXECUTE)
        | bit(protection.shared, RESIDUE_SHARED)
}

/// Is shown a region, which is there until it returns. What it returns but 0 stops.
pub type residue_region_callback =
    Option<unsafe extern "C" fn(region: *const residue_region, user: *mut c_void) -> c_int>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_no_padding_and_the_size_that_it_always_had() {
        assert_eq!(size_of::<residue_region>(), 3 * 8 + 6 * 4);
    }

    #[test]
    fn protections_are_bits() {
        let of = |letters: &[u8]| bits(Protection::from_letters(letters).expect("four letters"));
        assert_eq!((of(b"r-xp"), of(b"rw-s"), of(b"---p")), (5, 11, 0));
    }
}
