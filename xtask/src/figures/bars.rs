//! What Residue has set itself: its figure divided by the peer's is at most this.
//!
//! From the design notes on accounting: a table of PSS and USS for 1000 processes costs what
//! `ps` pays, a tenth of smem; a table by mapping 0.30 s against the 1.73 s of `pmap -X`; a reader of a large
//! region makes its target wait a sixth of what one read of `smaps_rollup` does.

pub(super) const PS_TO_SMEM: f64 = 0.10;
pub(super) const PS_TO_PS: f64 = 1.00;
pub(super) const PS_PEAK_TO_SMEM: f64 = 1.00;
pub(super) const MAPPING_TO_PMAP: f64 = 0.17;
/// Reading is the floor: the kernel prints the text for both.
pub(super) const MAP_TO_READING: f64 = 1.50;
pub(super) const MAP_JSON_TO_READING: f64 = 2.00;
pub(super) const STALL_TO_ROLLUP: f64 = 0.17;
