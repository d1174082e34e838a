//! How a handle reads.

use crate::border::error::{Failure, Result};
use crate::border::sized::Sized32;

/// Flag of `residue_options`: samples also hold what takes longer the larger the process or the machine is: PSS and USS
/// on Linux, the private working set and the number of threads on Windows. Samples then allocate.
pub const RESIDUE_DETAIL_FULL: u32 = 1 << 0;
/// Flag of `residue_options`: samples do not walk the regions, which is most of what a sample costs. Calls that ask for
/// regions or free ranges walk all the same.
pub const RESIDUE_NO_REGIONS: u32 = 1 << 1;

/// How a handle reads. Set all of it to 0 but `size`; null stands for that.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct residue_options {
    /// `sizeof (struct residue_options)`.
    pub size: u32,
    /// `RESIDUE_DETAIL_FULL`, `RESIDUE_NO_REGIONS`, both or 0.
    pub flags: u32,
    /// For later versions: 0.
    pub reserved: [u64; 3],
}

// SAFETY: 4 + 4 + 24 bytes without padding, the size first, numbers only.
unsafe impl Sized32 for residue_options {
    const FIRST: usize = 32;
}

impl residue_options {
    /// The flags, if all of it means something.
    pub(crate) fn checked(&self) -> Result<u32> {
        let unknown = self.flags & !(RESIDUE_DETAIL_FULL | RESIDUE_NO_REGIONS);
        if unknown != 0 {
            return Err(Failure::argument(format!(
                "`options->flags` has {unknown:#x}, which means nothing yet"
            )));
        }
        if self.reserved != [0; 3] {
            return Err(Failure::argument("`options->reserved` is not 0"));
        }
        Ok(self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_options_do_not_mean_yet_is_refused() {
        let options = |flags, last| residue_options { size: 32, flags, reserved: [0, 0, last] };
        assert_eq!(options(RESIDUE_DETAIL_FULL | RESIDUE_NO_REGIONS, 0).checked(), Ok(3));
        assert!(options(4, 0).checked().is_err());
        assert!(options(0, 1).checked().is_err());
    }
}
