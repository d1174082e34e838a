/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A block was given. Written after the allocator gave it.
    Allocate = 1,
    /// A block goes back. Written before the allocator gets it.
    Free = 2,
    /// A block is about to be moved or resized, and is gone until the thread's next event says how that went.
    ReallocateBegin = 3,
    /// It is this one now, given to who asked for the change.
    ReallocateEnd = 4,
    /// It stayed as it was.
    ReallocateFailed = 5,
    /// The program mapped memory itself.
    Map = 6,
    /// It unmapped a range: whole mappings, parts of some, or nothing that was known.
    Unmap = 7,
    /// The break moved up: `address` is the old one, `size` the distance.
    BreakUp = 8,
    /// The break moved down: `address` is the new one, `size` the distance.
    BreakDown = 9,
    /// A phase begins that the program names: `address` is the place of the name among the segment's texts, `size` its length.
    MarkBegin = 10,
    /// It ends.
    MarkEnd = 11,
}

impl Kind {
    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Allocate,
            2 => Kind::Free,
            3 => Kind::ReallocateBegin,
            4 => Kind::ReallocateEnd,
            5 => Kind::ReallocateFailed,
            6 => Kind::Map,
            7 => Kind::Unmap,
            8 => Kind::BreakUp,
            9 => Kind::BreakDown,
            10 => Kind::MarkBegin,
            11 => Kind::MarkEnd,
            _ => return None,
        })
    }
}

/// One thing that happened: 32 bytes in a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// When: the processor's time stamp. For an allocation after the allocator gave it, for a free before it gets it.
    ///
    /// A collector that notes the time, then reads the heads of all rings, then takes only events up to the time noted,
    /// in the order of their times, sees causes before effects: whoever could know of an event not yet in its ring does
    /// so after the head was read, hence after the time noted.
    pub time: u64,
    /// The address in the low 56 bits, the kind in the high 8.
    address_and_kind: u64,
    /// The size that was asked for.
    pub size: u64,
    /// The call stack: a node of the tree; 0 when it is not known, and for what needs none.
    pub stack: u32,
    /// What the allocator gave beyond the size, in the low 24 bits, saturated; the power of two of the alignment that was
    /// asked for in the high 8, 0 when none was.
    slack_and_alignment: u32,
}

const ADDRESS: u64 = (1 << 56) - 1;
const SLACK: u32 = (1 << 24) - 1;

impl Event {
    /// Something that happened to the memory at an address.
    pub const fn new(kind: Kind, time: u64, address: u64, size: u64, stack: u32) -> Event {
        let address_and_kind = (address & ADDRESS) | ((kind as u64) << 56);
        Event { time, address_and_kind, size, stack, slack_and_alignment: 0 }
    }

    /// The same, with what the allocator gave beyond the size, and the alignment asked for (a power of two; 0: none).
    #[must_use]
    pub const fn with(mut self, slack: u64, alignment: u64) -> Event {
        #[allow(clippy::cast_possible_truncation, reason = "it was compared")]
        let slack = if slack > SLACK as u64 { SLACK } else { slack as u32 };
        let power = if alignment == 0 { 0 } else { alignment.trailing_zeros() };
        self.slack_and_alignment = slack | (power << 24);
        self
    }

    /// What happened; None when a stray write of the program damaged it.
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_number((self.address_and_kind >> 56) as u8)
    }

    /// Where.
    pub const fn address(&self) -> u64 {
        self.address_and_kind & ADDRESS
    }

    /// What the allocator gave beyond the size; 16 MiB and more is one.
    pub const fn slack(&self) -> u64 {
        (self.slack_and_alignment & SLACK) as u64
    }

    /// The alignment that was asked for; 0 when none was.
    pub const fn alignment(&self) -> u64 {
        match self.slack_and_alignment >> 24 {
            power @ 1..64 => 1 << power,
            _ => 0,
        }
    }
}

const _: () = assert!(size_of::<Event>() == 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_holds_what_was_put_in() {
        let event = Event::new(Kind::Map, 7, 0x7fff_ffff_f000, 1 << 40, 12).with(24, 4096);

        assert_eq!(
            (event.kind(), event.address(), event.size, event.stack),
            (Some(Kind::Map), 0x7fff_ffff_f000, 1 << 40, 12)
        );
        assert_eq!((event.time, event.slack(), event.alignment()), (7, 24, 4096));
        assert_eq!(event.with(1 << 30, 0).slack(), (1 << 24) - 1);
    }

    #[test]
    fn each_kind_has_its_number() {
        for number in 0..=u8::MAX {
            assert!(Kind::from_number(number).is_none_or(|kind| kind as u8 == number));
        }
    }
}
