//! What was walked, summed and counted twice.

use residue_model::{Address, Arena, ArenaKind, Bytes, Identity, Mallinfo, Range};

use super::bins::Listed;
use super::layout::chunk;
use super::mapped::Mapped;
use super::reading::Reading;
use super::walk::{self, Sum};
use crate::Image;

pub(super) fn mallinfo(readings: &[Reading], listed: &[Listed], mapped: &Mapped, drift: u64) -> Mallinfo {
    let hblkhd = mapped.sum.bytes + drift;
    let mut info = Mallinfo { hblks: mapped.sum.count, hblkhd, ..Mallinfo::default() };
    for (reading, listed) in readings.iter().zip(listed) {
        let free = reading.sum(|walk| walk.free);
        info.arena += reading.walked();
        info.ordblks += free.count + 1;
        info.smblks += listed.fast.count;
        info.fsmblks += listed.fast.bytes;
        info.fordblks += free.bytes + listed.fast.bytes + reading.top_bytes();
        if reading.is_main {
            info.keepcost = reading.top_bytes();
        }
    }
    info.uordblks = info.arena.saturating_sub(info.fordblks);
    info
}

/// What the walk counted, beside what malloc's own variables and lists say.
pub(super) fn identities(
    readings: &[Reading],
    listed: &[Listed],
    mapped: &Mapped,
    drift: u64,
    stated: Option<Sum>,
) -> Vec<Identity> {
    let identity = |what: &str, walked, stated| Identity { what: what.into(), walked, stated };
    let free = |reading: &Reading| reading.sum(|walk| walk.free);
    let total = |part: &dyn Fn(&Reading) -> u64| readings.iter().map(part).sum::<u64>();
    let in_lists = |part: fn(&Listed) -> u64| listed.iter().map(part).sum::<u64>();
    let mut identities = vec![
        identity("arena: bytes from the system", total(&Reading::walked), total(&|reading| reading.system)),
        identity(
            "free bytes in lists",
            total(&|reading| free(reading).bytes),
            in_lists(|listed| listed.bins.bytes),
        ),
        identity(
            "free chunks in lists",
            total(&|reading| free(reading).count),
            in_lists(|listed| listed.bins.count),
        ),
    ];
    if let Some(stated) = stated {
        identities.push(identity("hblks: mapped blocks", mapped.sum.count, stated.count));
        let what = match drift {
            0 => "hblkhd: mapped bytes".into(),
            _ => format!(
                "hblkhd: mapped bytes, and the {drift} that glibc counts too much since blocks were remapped"
            ),
        };
        identities.push(identity(&what, mapped.sum.bytes + drift, stated.bytes));
    }
    // Differences of two arenas could make up for each other.
    if readings.len() > 1 {
        for (reading, listed) in readings.iter().zip(listed) {
            if reading.walked() != reading.system {
                let what = format!("bytes of the arena at {:#x}", reading.at);
                identities.push(identity(&what, reading.walked(), reading.system));
            }
            if free(reading).bytes != listed.bins.bytes {
                let what = format!("free bytes of the arena at {:#x}", reading.at);
                identities.push(identity(&what, free(reading).bytes, listed.bins.bytes));
            }
        }
    }
    identities
}

pub(super) fn arena(image: &Image<'_>, reading: &Reading, fast_bytes: u64) -> Arena {
    let in_use = reading.sum(|walk| walk.in_use);
    let (free, top) = (reading.sum(|walk| walk.free), reading.top_bytes());
    let fences: u64 = reading.walks.iter().map(|walk| walk.fence_bytes).sum();
    let idle: u64 = reading.walks.iter().map(|walk| walk.idle_bytes).sum();
    let gone = reading.cached.bytes + reading.own.bytes;
    let largest = reading.walks.iter().map(|walk| walk.largest_free).max().unwrap_or_default();
    Arena {
        address: Address(reading.at),
        kind: if reading.is_main { ArenaKind::Main } else { ArenaKind::Thread },
        system_bytes: Bytes(reading.system),
        live_bytes: Bytes(in_use.bytes.saturating_sub(gone)),
        live_blocks: in_use.count.saturating_sub(reading.cached.count + reading.own.count),
        free_bytes: Bytes(free.bytes),
        free_blocks: free.count,
        cached_bytes: Bytes(reading.cached.bytes),
        cached_blocks: reading.cached.count,
        fast_bytes: Bytes(fast_bytes),
        top_bytes: Bytes(top),
        own_bytes: Bytes(reading.header_bytes + fences + reading.own.bytes),
        largest_free: Bytes(largest.max(top)),
        trim_gain: Bytes(idle + if reading.is_main { top_gain(image, reading.top, top) } else { 0 }),
        extents: reading.extents.clone(),
    }
}

/// What `malloc_trim` gives back of the top of the main arena, as far as it holds memory. Source: `systrim`.
fn top_gain(image: &Image<'_>, top: u64, size: u64) -> u64 {
    const PAGE: u64 = 0x1000;
    let extra = size.saturating_sub(chunk::SMALLEST + 1) / PAGE * PAGE;
    let end = top + size;
    walk::held(image.pieces, Range { start: Address(end - extra), end: Address(end) })
}
