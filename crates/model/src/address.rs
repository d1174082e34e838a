use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Bytes;

/// Where something stands in the target's address space, not in ours.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

impl Address {
    /// Whether this is a multiple of `alignment`.
    pub fn is_aligned(self, alignment: Bytes) -> bool {
        alignment.0 != 0 && self.0.is_multiple_of(alignment.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("an address starts with 0x"))?;
        u64::from_str_radix(digits, 16).map(Address).map_err(D::Error::custom)
    }
}

/// Addresses from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// The first address inside.
    pub start: Address,
    /// The first address behind.
    pub end: Address,
}

impl Range {
    /// The range between two addresses; none when `end` comes before `start`.
    pub fn new(start: Address, end: Address) -> Option<Range> {
        (start <= end).then_some(Range { start, end })
    }

    /// How far it reaches.
    pub fn size(self) -> Bytes {
        Bytes(self.end.0.saturating_sub(self.start.0))
    }

    /// Whether `address` lies inside.
    pub fn contains(self, address: Address) -> bool {
        self.start <= address && address < self.end
    }

    /// The part that both have; none when they only touch.
    pub fn overlap(self, other: Range) -> Option<Range> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Range { start, end })
    }

    /// Where a part of this range stands in the bytes that hold the whole.
    ///
    /// # Panics
    /// When `part` begins before this range.
    pub fn offset_of(self, part: Range) -> std::ops::Range<usize> {
        let from = part.start.0.checked_sub(self.start.0).expect("a part begins inside the whole");
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        from..from.saturating_add(usize::try_from(part.size().0).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_travels_through_json_as_hex() {
        let text = serde_json::to_string(&Address(0x7f00_1000)).expect("a string serializes");
        assert_eq!(text, "\"0x7f001000\"");
        assert_eq!(serde_json::from_str::<Address>(&text).expect("and comes back"), Address(0x7f00_1000));
        assert!(serde_json::from_str::<Address>("\"7f\"").is_err());
    }

    #[test]
    fn a_range_holds_its_start_but_not_its_end() {
        let range = Range::new(Address(10), Address(20)).expect("in order");
        assert!(range.contains(Address(10)) && !range.contains(Address(20)));
        assert_eq!(Range::new(Address(2), Address(1)), None);
        let part = range.overlap(Range { start: Address(15), end: Address(40) }).expect("they overlap");
        assert_eq!(range.offset_of(part), 5..10);
        assert_eq!(range.overlap(Range { start: Address(20), end: Address(40) }), None);
    }
}
