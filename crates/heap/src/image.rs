use residue_model::{Address, Memory, Pieces, Region, Thread};

/// What a walker sees of a target: one moment of its memory.
///
/// Words are eight bytes, the lowest first: walkers of this version know 64-bit processes of little-endian machines.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Writable memory, in place. What is not here was never touched, or could not be read.
    pub pieces: &'a Pieces<'a>,
    /// All regions, in order of address.
    pub regions: &'a [Region],
    /// The threads, as far as they are known.
    pub threads: &'a [Thread],
    /// The rest: what programs and libraries only read, such as their texts. Slower; may know nothing.
    pub rest: &'a dyn Memory,
}

impl<'a> Image<'a> {
    /// A word; none where it is not held.
    #[inline]
    pub fn word(&self, address: u64) -> Option<u64> {
        self.pieces.word(Address(address))
    }

    /// Half a word.
    pub fn int(&self, address: u64) -> Option<u32> {
        self.pieces.int(Address(address))
    }

    /// The region that holds an address.
    pub fn region(&self, address: u64) -> Option<&'a Region> {
        Region::find(self.regions, Address(address)).map(|index| &self.regions[index])
    }

    /// Whether an address lies in memory that the program may write.
    pub fn is_writable(&self, address: u64) -> bool {
        self.region(address).is_some_and(|region| region.protection.write)
    }

    /// Regions that a program may write and no file stands behind: where heaps grow.
    pub fn anonymous(&self) -> impl Iterator<Item = &'a Region> {
        self.regions.iter().filter(|region| region.protection.write && region.is_private_anonymous())
    }
}
