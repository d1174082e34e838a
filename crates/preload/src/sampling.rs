//! Sampling by bytes: each byte that is allocated is as likely as any other to have its block recorded.
//!
//! The distances between sampled bytes are exponential, so that where the last was says nothing of the next, and a block of
//! `size` bytes is recorded with the probability `1 - exp(-size / interval)`. Of a block that was recorded the end must be
//! recorded too: a small table of counters tells `free` at once that it need not look, a set of addresses tells the rest.

use core::cell::Cell;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};

use crate::process::Recording;
use crate::tls::Local;
use crate::{clock, sys};

/// A power of two; small enough to stay in the nearest cache.
const COUNTERS: usize = 16_384;
/// One that has come so far counts no more and stays.
const STUCK: u8 = u8::MAX;
/// Addresses that stand together: a line of the cache.
const BUCKET: usize = 8;
/// The buckets of the first level. Each further level has twice as many.
const FIRST: usize = 512;
const LEVELS: usize = 10;

static COUNTS: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];
static ADDRESSES: AtomicPtr<[AtomicU64; BUCKET]> = AtomicPtr::new(core::ptr::null_mut());
/// So many levels hold anything.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Makes room for addresses. False: there is none.
pub fn prepare() -> bool {
    let buckets = FIRST * ((1 << LEVELS) - 1);
    let memory = sys::map(buckets * size_of::<[AtomicU64; BUCKET]>());
    memory.map(|memory| ADDRESSES.store(memory.cast(), Relaxed)).is_ok()
}

/// Whether a block at this address may have been sampled. Mostly not.
#[inline(always)]
pub fn may_be_sampled(address: usize) -> bool {
    count_of(address).load(Relaxed) != 0
}

#[inline(always)]
fn count_of(address: usize) -> &'static AtomicU8 {
    // Blocks that are near each other share a counter, so that a small heap uses a small part of the table. Few blocks are
    // sampled: hardly one within a KiB of another.
    &COUNTS[(address >> 10) % COUNTERS]
}

#[inline(always)]
fn mixed(address: usize) -> usize {
    (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Whether an allocation is sampled, of a thread whose countdown it has brought to its end, or who has none yet.
#[cold]
pub fn is_sampled(local: &Local, recording: &Recording, size: usize) -> bool {
    if local.random.get() == 0 {
        // No thread's words stand where another's stand.
        seed(&local.random, clock::now() ^ (&raw const *local as u64).rotate_left(32));
        let first = distance(local, recording);
        if (size as u64) < first {
            local.countdown.set(first - size as u64);
            return false;
        }
    }
    local.countdown.set(distance(local, recording));
    true
}

fn seed(random: &Cell<u64>, number: u64) {
    random.set(number.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    for _ in 0..8 {
        next(random);
    }
}

/// Xorshift.
fn next(random: &Cell<u64>) -> u64 {
    let mut number = random.get();
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
    random.set(number);
    number
}

/// To the next sampled byte.
fn distance(local: &Local, recording: &Recording) -> u64 {
    let number = (next(&local.random) >> 11) + 1;
    let uniform = number as f64 / (1_u64 << 53) as f64;
    (-logarithm(uniform) * recording.interval as f64) as u64 + 1
}

/// The natural logarithm of a positive, normal number, to about 1e-8.
fn logarithm(number: f64) -> f64 {
    let bits = number.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    // From 1 to 2, and then around 1.
    let fraction = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let (fraction, exponent) = if fraction > core::f64::consts::SQRT_2 {
        (fraction / 2.0, exponent + 1)
    } else {
        (fraction, exponent)
    };
    // ln x = 2 artanh((x - 1) / (x + 1))
    let z = (fraction - 1.0) / (fraction + 1.0);
    let square = z * z;
    let series = 1.0 / 9.0 + square / 11.0;
    let series = 1.0 / 5.0 + square * (1.0 / 7.0 + square * series);
    2.0 * z * (1.0 + square * (1.0 / 3.0 + square * series)) + exponent as f64 * core::f64::consts::LN_2
}

/// The block at this address is sampled. False: there is no room to remember it.
pub fn remember(address: usize) -> bool {
    let level = (0..LEVELS).find(|&level| {
        bucket(level, address).iter().any(|slot| {
            slot.load(Relaxed) == 0 && slot.compare_exchange(0, address as u64, AcqRel, Relaxed).is_ok()
        })
    });
    if let Some(level) = level {
        USED.fetch_max(level + 1, AcqRel);
        count(address, 1);
    }
    level.is_some()
}

/// Whether the block at this address was sampled; it is not any more.
pub fn forget(address: usize) -> bool {
    let levels = USED.load(Acquire).min(LEVELS);
    let was_there = (0..levels).any(|level| {
        bucket(level, address).iter().any(|slot| {
            slot.load(Relaxed) == address as u64
                && slot.compare_exchange(address as u64, 0, AcqRel, Relaxed).is_ok()
        })
    });
    if was_there {
        count(address, -1);
    }
    was_there
}

fn count(address: usize, change: i8) {
    let _ = count_of(address)
        .fetch_update(AcqRel, Relaxed, |count| (count != STUCK).then(|| count.saturating_add_signed(change)));
}

fn bucket(level: usize, address: usize) -> &'static [AtomicU64; BUCKET] {
    let before = FIRST * ((1 << level) - 1);
    let place = (mixed(address) >> 20) % (FIRST << level);
    // SAFETY: `prepare` made room for all levels before anything was sampled.
    unsafe { &*ADDRESSES.load(Relaxed).add(before + place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        for number in [1e-16, 0.001, 0.25, 0.5, 0.7, 0.999, 1.0, 3.0, 1e9] {
            assert!((logarithm(number) - f64::ln(number)).abs() < 1e-6, "{number}");
        }
    }
}
