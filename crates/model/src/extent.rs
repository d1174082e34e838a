use crate::{Address, Backing, Bytes, Pages, Protection, Range, State};

/// A region without what takes memory of our own to say: its name, its counters.
///
/// Who reads an address space thousands of times a second reads these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it stands.
    pub range: Range,
    /// Where what was reserved together with it begins; on Linux its own start.
    pub allocation_base: Address,
    /// Mapped or reserved.
    pub state: State,
    /// What may be done with it.
    pub protection: Protection,
    /// What stands behind it.
    pub backing: Backing,
    /// What Windows says of these pages, in its own terms.
    pub pages: Option<Pages>,
}

impl Extent {
    /// How much address space it takes.
    pub fn size(&self) -> Bytes {
        self.range.size()
    }
}
