//! What stands in a slot that is taken: the block of a program, or a smaller group.
//!
//! The four bytes before a block say which slot it is, how far its group lies behind it, and how many bytes at the
//! end of the slot were not asked for. A block need not begin where its slot does: mallocng moves it on at each
//! reuse, and further for an alignment; the slot's own header then says how far.
//! Source: musl 1.2.3 `src/malloc/mallocng/meta.h`, `enframe` and `set_size`; `aligned_alloc.c`, `free.c`.

use super::meta::{IN_BAND, UNIT};
use super::window::Window;

/// In place of the reserved bytes: the block begins further on.
const MOVED: u8 = 7;
/// The same: a smaller group stands here.
const NESTED: u8 = 6;
/// The same: they are too many for three bits and stand at the end of the slot.
const AT_THE_END: u8 = 5;
/// The packed byte of a block that was given back.
const GIVEN_BACK: u8 = 0xff;
/// How far reuse alone moves a block.
const WIDEST_CYCLE: u64 = 255 * UNIT;

/// A taken slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The block of a program: where it begins and how many bytes were asked for.
    Block { start: u64, requested: u64 },
    /// A group of smaller slots.
    Group { start: u64 },
    /// A thread is inside `malloc` or `free` with it: no program has it.
    Passing,
    /// Its header agrees with nothing.
    Damaged,
}

/// One slot of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first byte behind the group's own header.
    pub(super) storage: u64,
    /// Its index.
    pub(super) index: u8,
    /// From one slot to the next.
    pub(super) stride: u64,
}

impl Place {
    /// Where the slot begins.
    pub(super) fn start(self) -> u64 {
        self.storage + self.stride * u64::from(self.index)
    }

    /// The first byte that belongs to the next slot's header.
    pub(super) fn end(self) -> u64 {
        self.start() + self.stride - IN_BAND
    }

    /// Reads what stands here.
    pub(super) fn read(self, memory: &Window<'_>) -> Slot {
        let Some(own) = Header::read(self.start(), memory) else { return Slot::Damaged };
        if own.reserved() != MOVED {
            return self.framed(self.start(), own, memory);
        }
        if own.packed == GIVEN_BACK {
            return Slot::Passing;
        }
        let near = self.start() + u64::from(own.near) * UNIT;
        self.aligned(near)
            .find_map(|start| {
                Some((start, Header::read(start, memory)?)).filter(|(at, header)| header.is_of(self, *at))
            })
            .map_or_else(|| self.unframed(near, memory), |(start, header)| self.framed(start, header, memory))
    }

    /// Where a block can begin that was moved so far.
    ///
    /// The distance has 16 bits, so that it tells of an alignment of 1 MiB and more only a part.
    fn aligned(self, near: u64) -> impl Iterator<Item = u64> {
        let wide = (20..36).flat_map(move |bits| {
            [0, WIDEST_CYCLE].map(|cycled| (self.start() + cycled).checked_next_multiple_of(1 << bits))
        });
        let inside = move |&start: &u64| start > self.start() && start < self.end();
        std::iter::once(near).chain(wide.flatten()).filter(inside)
    }

    /// What a slot is of which the header says that its block was moved, and the block does not agree.
    fn unframed(self, near: u64, memory: &Window<'_>) -> Slot {
        match Header::read(near, memory) {
            Some(header) if near < self.end() && header.packed == GIVEN_BACK => Slot::Passing,
            _ => Slot::Damaged,
        }
    }

    fn framed(self, start: u64, header: Header, memory: &Window<'_>) -> Slot {
        if !header.is_of(self, start) {
            let untouched = header.near == 0 && header.packed == 0;
            return if untouched { Slot::Passing } else { Slot::Damaged };
        }
        let reserved = match header.reserved() {
            NESTED => return Slot::Group { start },
            AT_THE_END => memory.int(self.end() - 4).map(u64::from),
            few => Some(u64::from(few)),
        };
        let requested = reserved.and_then(|reserved| (self.end() - start).checked_sub(reserved));
        requested.map_or(Slot::Damaged, |requested| Slot::Block { start, requested })
    }

    /// The byte that mallocng keeps zero behind a block, when it is not: someone wrote past the end.
    pub(super) fn overrun(self, end: u64, memory: &Window<'_>) -> Option<u64> {
        [end, self.end()].into_iter().find(|&at| memory.byte(at).is_some_and(|byte| byte != 0))
    }
}

/// The bytes before a block.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// How far behind the block the group's storage lies, in units, when that fits.
    near: u16,
    /// The same when it does not fit.
    far: Option<u32>,
    /// The index of the slot, and the bytes reserved at its end.
    packed: u8,
}

impl Header {
    fn read(block: u64, memory: &Window<'_>) -> Option<Header> {
        let [far @ .., wide, packed, low, high] = memory.word(block.checked_sub(8)?)?.to_le_bytes();
        let near = u16::from_le_bytes([low, high]);
        let far = (wide != 0 && near == 0).then(|| u32::from_le_bytes(far));
        Some(Header { near, far, packed })
    }

    fn reserved(self) -> u8 {
        self.packed >> 5
    }

    /// Whether it leads from a block back to the group and the slot that it was reached from.
    fn is_of(self, place: Place, block: u64) -> bool {
        let distance = self.far.map_or(u64::from(self.near), u64::from);
        self.packed & 31 == place.index
            && self.reserved() != MOVED
            && block.checked_sub(place.storage) == Some(distance * UNIT)
    }
}
