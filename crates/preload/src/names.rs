//! The names of marks among the segment's texts, each once.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::segment::Segment;

/// A longer one is cut.
const LONGEST: usize = 255;

/// Places and lengths of the names that were seen; 0: none yet. More names than this are written again each time.
static SEEN: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

/// The place of a name among the texts, and its length. `None`: they are full.
pub fn place(segment: Segment, name: &[u8]) -> Option<(u32, u32)> {
    let name = name.get(..LONGEST).unwrap_or(name);
    let seen = SEEN.iter().map(|seen| unpacked(seen.load(Acquire))).take_while(|&(_, length)| length != 0);
    for (start, length) in seen {
        let text = segment.text(start, length).iter().map(|byte| byte.load(Relaxed));
        if length as usize == name.len() && text.eq(name.iter().copied()) {
            return Some((start, length));
        }
    }
    let (start, length) = segment.lock()?.add_text(name)?;
    let packed = u64::from(start) << 32 | u64::from(length);
    SEEN.iter().find(|seen| seen.compare_exchange(0, packed, AcqRel, Relaxed).is_ok());
    Some((start, length))
}

fn unpacked(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}
