//! The end of a process that ends by itself.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use residue_recording::wire::{Control, LOOK_AT_END};

use crate::ring::{is_given_up, ring_doorbell};
use crate::{process, sys};

/// A wait takes no longer than this at a time: nanoseconds.
const WAIT: u32 = 50_000_000;
/// So many waits without a heartbeat, and nobody is waited for any more.
const PATIENCE: u32 = 40;

/// Stands still until the collector has looked at the memory, where it wants to: what nobody can reach is told now or never.
pub fn end() {
    let Some((recording, row)) = process::recorded() else { return };
    let control = recording.control;
    if control.flags.load(Relaxed) & LOOK_AT_END == 0 || sys::is_bound() || is_given_up(control) {
        return;
    }
    row.ending.store(1, Release);
    ring_doorbell(control);
    let mut heartbeat = control.heartbeat.load(Relaxed);
    let mut missed = 0;
    while row.ending.load(Acquire) != 0 && control.stopped.load(Acquire) == 0 && missed < PATIENCE {
        // Whatever ends it: all is looked at anew.
        let _ = sys::wait(&row.ending, 1, WAIT);
        missed = if beats(control, &mut heartbeat) { 0 } else { missed + 1 };
    }
    row.ending.store(0, Release);
}

fn beats(control: &Control, heartbeat: &mut u64) -> bool {
    let beat = control.heartbeat.load(Relaxed);
    core::mem::replace(heartbeat, beat) != beat
}
