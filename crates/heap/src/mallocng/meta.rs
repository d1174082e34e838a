//! `struct meta`: what mallocng knows of one group, kept far from the group itself.
//!
//! Source: musl 1.2.1 to 1.2.6 `src/malloc/mallocng/meta.h`, as 64-bit programs have it.

/// Every address and size of a slot is a multiple of this.
pub(super) const UNIT: u64 = 16;
/// Bytes at the end of a slot that belong to the header of the next one.
pub(super) const IN_BAND: u64 = 4;
/// What `maplen` counts in, whatever the machine's pages are.
pub(super) const PAGE: u64 = 4096;
/// How many size classes share groups; a block with a mapping of its own has class [`SINGLE`].
pub(super) const CLASSES: usize = 48;
/// The class of a block that was mapped alone because it is large.
pub(super) const SINGLE: u8 = 63;
/// How many bytes a meta takes.
pub(super) const SIZE: usize = 40;

/// Sizes of slots in units, by class.
const UNITS: [u16; CLASSES] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 31, 36, 42, 50, 63, 72, 84, 102, 127, 146, 170, 204,
    255, 292, 340, 409, 511, 584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460,
    6552, 8191,
];

/// How many bytes a slot of this class has; none for classes that have no size of their own.
pub(super) fn class_size(class: u8) -> Option<u64> {
    UNITS.get(usize::from(class)).map(|&units| u64::from(units) * UNIT)
}

/// What one meta says of its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// Where it stands.
    pub(super) at: u64,
    /// Its group.
    pub(super) group: u64,
    /// Slots that the next allocations take.
    pub(super) available: u32,
    /// Slots that were given back, or never used yet.
    pub(super) freed: u32,
    /// Index of the last slot.
    pub(super) last: u8,
    /// Whether the group goes back when it is empty; one made of a donated range never does.
    pub(super) freeable: bool,
    /// Its size class.
    pub(super) class: u8,
    /// Pages of its own mapping; 0 when it stands in a slot of a larger group, or in a donated range.
    pub(super) pages: u64,
}

impl Meta {
    /// Reads one meta; none when it is not in use.
    pub(super) fn read(at: u64, bytes: &[u8; SIZE]) -> Option<Meta> {
        let word = |offset: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[offset..offset + 8]);
            u64::from_le_bytes(word)
        };
        let half = |offset: usize| {
            let mut half = [0; 4];
            half.copy_from_slice(&bytes[offset..offset + 4]);
            u32::from_le_bytes(half)
        };
        let (group, bits) = (word(16), word(32));
        let [low, high, ..] = bits.to_le_bytes();
        (group != 0).then_some(Meta {
            at,
            group,
            available: half(24),
            freed: half(28),
            last: low & 31,
            freeable: low & 32 != 0,
            class: (low >> 6) | ((high & 15) << 2),
            pages: bits >> 12,
        })
    }

    /// How many slots the group has.
    pub(super) fn slots(&self) -> u32 {
        u32::from(self.last) + 1
    }

    /// Slots that a program, or a smaller group, holds.
    pub(super) fn taken(&self) -> u32 {
        self.all() & !(self.available | self.freed)
    }

    /// A bit for each slot.
    fn all(&self) -> u32 {
        u32::MAX >> (31 - self.last)
    }

    /// From one slot to the next.
    pub(super) fn stride(&self) -> Option<u64> {
        match class_size(self.class) {
            _ if self.last == 0 && self.pages != 0 => self.pages.checked_mul(PAGE)?.checked_sub(UNIT),
            size => size,
        }
    }

    /// How many bytes the group takes where it stands: its mapping, its slot or its donated range.
    pub(super) fn extent(&self) -> Option<u64> {
        match self.pages {
            0 => Some(UNIT + self.stride()? * u64::from(self.slots())),
            pages => pages.checked_mul(PAGE),
        }
    }

    /// Whether it is made of a range that the dynamic linker had left over in a module's pages.
    pub(super) fn is_donated(&self) -> bool {
        self.pages == 0 && !self.freeable
    }

    /// Whether it stands in a slot of a larger group.
    pub(super) fn is_nested(&self) -> bool {
        self.pages == 0 && self.freeable
    }

    /// Whether a thread is filling it: nothing but a mapping is there yet. No finished one is without a class and never
    /// to be given back.
    pub(super) fn is_unfinished(&self) -> bool {
        self.last == 0 && self.class == 0 && !self.freeable
    }

    /// Whether it can be what mallocng wrote: any other is damaged, and nothing of it is believed.
    pub(super) fn is_sound(&self) -> bool {
        let Some(extent) = self.extent() else { return false };
        let Some(stride) = self.stride() else { return false };
        let known =
            usize::from(self.class) < CLASSES || (self.class == SINGLE && self.pages != 0 && self.last == 0);
        let masks = self.available & self.freed == 0 && (self.available | self.freed) & !self.all() == 0;
        let fits = stride.checked_mul(u64::from(self.slots())).is_some_and(|slots| slots <= extent - UNIT);
        known && masks && fits && self.group.is_multiple_of(UNIT) && self.group.checked_add(extent).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(masks: (u32, u32), bits: u64) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[16..24].copy_from_slice(&0x7f00_0000_1000_u64.to_le_bytes());
        bytes[24..28].copy_from_slice(&masks.0.to_le_bytes());
        bytes[28..32].copy_from_slice(&masks.1.to_le_bytes());
        bytes[32..].copy_from_slice(&bits.to_le_bytes());
        bytes
    }

    #[test]
    fn bits_of_a_meta_are_taken_apart() {
        let bytes = written((0b001, 0b110), 9 | 32 | (33 << 6) | (5 << 12));
        let meta = Meta::read(0x5000, &bytes).expect("it has a group");
        assert_eq!((meta.last, meta.freeable, meta.class, meta.pages), (9, true, 33, 5));
        assert_eq!(meta.taken(), 0b11_1111_1000);
        assert_eq!(Meta::read(0x5000, &[0; SIZE]), None);
    }

    #[test]
    fn a_full_group_of_32_slots_has_no_slot_too_many() {
        let meta = Meta::read(0, &written((0, 0), 31 | 32 | (3 << 12))).expect("it has a group");
        assert_eq!((meta.slots(), meta.taken()), (32, u32::MAX));
        assert!(meta.is_sound());
    }

    /// A slot cannot be both given back and free for the next: a meta that says so is damaged.
    #[test]
    fn what_mallocng_cannot_have_written_is_not_believed() {
        let sound = |masks, bits| Meta::read(0, &written(masks, bits)).expect("it has a group").is_sound();
        assert!(sound((1, 2), 9 | 32 | (5 << 12)));
        assert!(!sound((3, 2), 9 | 32 | (5 << 12)), "a slot in both masks");
        assert!(!sound((0, 1 << 10), 9 | 32 | (5 << 12)), "a slot behind the last");
        assert!(!sound((0, 0), 31 | 32 | (47 << 6) | (1 << 12)), "slots behind the mapping");
        assert!(!sound((0, 0), 32 | (50 << 6) | (1 << 12)), "no such class");
        assert!(!sound((0, 0), 32 | (63 << 6)), "a single block without pages");
        assert!(!sound((0, 0), u64::MAX), "a length past the end of everything");
    }
}
