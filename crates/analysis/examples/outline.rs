//! What folding an address space costs a region: `outline [REGIONS…]` prints one line each, `regions=N ns=T`.
//!
//! The regions are made up beforehand, so that nothing but the fold is timed. The least of many rounds counts: whatever
//! else runs on the machine only adds.

use std::hint::black_box;
use std::time::Instant;

use residue_analysis::{FreeRange, Outline};
use residue_model::{Address, AddressSpace, Backing, Extent, Protection, Range, State};

const ROUNDS: usize = 200;

fn main() {
    let told: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    for count in if told.is_empty() { vec![1_000, 10_000, 100_000] } else { told } {
        let extents = extents(count);
        let least = (0..ROUNDS).map(|_| round(&extents)).min().unwrap_or_default();
        println!("regions={count} ns={:.2}", least as f64 / count as f64);
    }
}

/// One fold with the ten largest holes, in nanoseconds.
fn round(extents: &[Extent]) -> u128 {
    let range = Range { start: Address(0x1_0000), end: Address(0x7fff_ffff_0000) };
    let mut top = [FreeRange::default(); 10];
    let begun = Instant::now();
    let mut outline = Outline::new(AddressSpace { bits: 64, range }, &mut top);
    for extent in black_box(extents) {
        outline.push(extent);
    }
    black_box(outline.finish());
    begun.elapsed().as_nanos()
}

/// Regions of different sizes with holes of different sizes, in an order that no branch predictor knows.
fn extents(count: usize) -> Vec<Extent> {
    let (mut at, mut state) = (0x1_0000_u64, 0x9e37_79b9_7f4a_7c15_u64);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let extent = |_| {
        let dice = next();
        at += if dice % 3 == 0 { 0 } else { (dice >> 8) % 64 * 0x1000 };
        let start = Address(at);
        at += ((dice >> 20) % 32 + 1) * 0x1000;
        Extent {
            range: Range { start, end: Address(at) },
            allocation_base: start,
            state: if dice % 5 == 0 { State::Reserved } else { State::Mapped },
            protection: Protection { read: true, write: true, ..Protection::default() },
            backing: Backing::PrivateAnonymous,
            pages: None,
        }
    };
    (0..count).map(extent).collect()
}
