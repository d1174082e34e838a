//! What Residue has set itself: its figure divided by the peer's is at most this.
//!
//! A table of PSS and USS for 1000 processes costs what `ps` pays and an eighth of smem; a table by mapping 0.30 s against
//! the 1.7 s of `pmap -X`; 60 000 regions are understood in 1.3 times the time of reading their text; and a reader of a
//! large region makes its target wait a third of what one read of `smaps_rollup` does. A core is searched at six tenths
//! of the speed of `memmem` alone and in a fifth of gdb's time, mapped in 0.3 s and 64 MiB, judged in 10 s; a process
//! that is dumped stands for a third of what `gcore` makes it.
//!
//! Ten thousand times a second the C library tells the counters and the largest free ranges of a process of 200 regions; our
//! own part of that is at most 100 ns a region.
//!
//! Finding what is lost takes at most 0.2 us of one processor a chunk, walk and records counted, and 350 MB of memory beside the
//! file for a heap of 4 GiB; a process of 1 GiB stands 0.35 s for it, or 0.1 s when it forks.
//!
//! Exact recording adds at most 100 ns of the target's processor time to an operation, and makes all processes together cost
//! at most three times what the program costs alone; the target grows by at most 4 MiB besides the rings. Sampling adds 3 %.
//! A recording takes 2 MiB at most, and of a hundred times as many operations twice as much; it is read within 2 s, the symbols
//! of a large binary included.

use std::time::Duration;

pub(super) const PS_TO_SMEM: f64 = 0.125;
pub(super) const PS_TO_PS: f64 = 1.00;
pub(super) const PS_PEAK_TO_SMEM: f64 = 1.00;
pub(super) const MAPPING_TO_PMAP: f64 = 0.17;
/// Reading is the floor: the kernel prints the text for both.
pub(super) const MAP_TO_READING: f64 = 1.30;
pub(super) const STALL_TO_ROLLUP: f64 = 0.33;
/// Six tenths of the speed are five thirds of the time.
pub(super) const SEARCH_TO_MEMMEM: f64 = 1.67;
pub(super) const SEARCH_TO_GDB: f64 = 0.20;
pub(super) const MAP_SECONDS: f64 = 0.3;
pub(super) const MAP_BYTES: u64 = 64 << 20;
pub(super) const TRIAGE_SECONDS: f64 = 10.0;
pub(super) const STOP_TO_GCORE: f64 = 0.33;
pub(super) const FOLD_A_REGION: Duration = Duration::from_nanos(100);
pub(super) const CALL: Duration = Duration::from_micros(100);
pub(super) const LEAKS_A_CHUNK: Duration = Duration::from_nanos(200);
pub(super) const LEAKS_BYTES: u64 = 350_000_000;
pub(super) const STOP_FOR_LEAKS: Duration = Duration::from_millis(350);
pub(super) const FORK_FOR_LEAKS: Duration = Duration::from_millis(100);
pub(super) const RECORDED_OPERATION: Duration = Duration::from_nanos(100);
pub(super) const RECORDING_TO_PLAIN: f64 = 3.0;
pub(super) const RECORDER_BYTES: u64 = 4 << 20;
pub(super) const SAMPLED_TO_PLAIN: f64 = 1.03;
pub(super) const RECORDING_BYTES: u64 = 2 << 20;
pub(super) const LONG_RECORDING: f64 = 2.0;
pub(super) const REPORT: Duration = Duration::from_secs(2);
