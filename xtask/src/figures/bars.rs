//! What Residue has set itself: its figure divided by the peer's is at most this.
//!
//! A table of PSS and USS for 1000 processes costs what `ps` pays and an eighth of smem; a table by mapping 0.30 s against
//! the 1.7 s of `pmap -X`; 60 000 regions are understood in 1.3 times the time of reading their text; and a reader of a
//! large region makes its target wait a third of what one read of `smaps_rollup` does.

pub(super) const PS_TO_SMEM: f64 = 0.125;
pub(super) const PS_TO_PS: f64 = 1.00;
pub(super) const PS_PEAK_TO_SMEM: f64 = 1.00;
pub(super) const MAPPING_TO_PMAP: f64 = 0.17;
/// Reading is the floor: the kernel prints the text for both.
pub(super) const MAP_TO_READING: f64 = 1.30;
pub(super) const STALL_TO_ROLLUP: f64 = 0.33;
