/// A block that stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where; 0 marks an empty slot.
    pub(crate) address: u64,
    /// What was asked for.
    pub(crate) size: u64,
    /// When: a time stamp.
    pub(crate) time: u64,
    /// The number of its site.
    pub(crate) site: u32,
}

/// All blocks that stand, by address: a table with open addressing that keeps no gravestones.
#[derive(Debug)]
pub(crate) struct Live {
    slots: Vec<Block>,
    used: usize,
}

/// A power of two.
const FIRST: usize = 1024;

impl Default for Live {
    fn default() -> Live {
        Live { slots: vec![Block::default(); FIRST], used: 0 }
    }
}

impl Live {
    /// Puts a block in; gives the one that stood at its address.
    #[inline]
    pub(crate) fn insert(&mut self, block: Block) -> Option<Block> {
        if self.used * 8 >= self.slots.len() * 5 {
            self.grow();
        }
        let mut at = self.home(block.address);
        loop {
            let slot = &mut self.slots[at];
            if slot.address == 0 {
                *slot = block;
                self.used += 1;
                return None;
            }
            if slot.address == block.address {
                return Some(std::mem::replace(slot, block));
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Takes the block at an address out.
    #[inline]
    pub(crate) fn remove(&mut self, address: u64) -> Option<Block> {
        if address == 0 {
            return None;
        }
        let mut at = self.home(address);
        while self.slots[at].address != address {
            if self.slots[at].address == 0 {
                return None;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        let block = self.slots[at];
        self.close(at);
        self.used -= 1;
        Some(block)
    }

    /// Moves up what stands behind a hole, where that brings it nearer to its home.
    #[inline]
    fn close(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let block = self.slots[at];
            if block.address == 0 {
                break;
            }
            let from_home = at.wrapping_sub(self.home(block.address)) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = block;
                hole = at;
            }
        }
        self.slots[hole] = Block::default();
    }

    /// Where a block is looked for first: blocks are at least 16 bytes apart.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "it is masked")]
    fn home(&self, address: u64) -> usize {
        let mixed = address.rotate_right(4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.slots.len() - 1)
    }

    /// Has the processor fetch where a block would stand.
    #[inline]
    pub(crate) fn fetch(&self, address: u64) {
        super::merge::fetch(&self.slots[self.home(address)]);
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![Block::default(); self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, larger);
        self.used = 0;
        for block in old.into_iter().filter(|block| block.address != 0) {
            self.insert(block);
        }
    }

    /// All of them, in no order.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.slots.iter().filter(|block| block.address != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn block(address: u64, size: u64) -> Block {
        Block { address, size, ..Block::default() }
    }

    #[test]
    fn a_block_is_given_back_once() {
        let mut live = Live::default();

        assert_eq!(live.insert(block(16, 1)), None);
        assert_eq!(live.insert(block(16, 2)), Some(block(16, 1)));
        assert_eq!(live.remove(16), Some(block(16, 2)));
        assert_eq!((live.remove(16), live.remove(0)), (None, None));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((1..600u64, any::<bool>()), 0..4000)) {
            let (mut live, mut map) = (Live::default(), HashMap::new());
            for (number, (key, is_insert)) in (0u64..).zip(steps) {
                // Some far apart, as mappings of large blocks are, and some side by side.
                let address = if key % 2 == 0 { key << 12 } else { key << 4 };
                if is_insert {
                    let old = map.insert(address, number).map(|size| block(address, size));
                    prop_assert_eq!(live.insert(block(address, number)), old);
                } else {
                    prop_assert_eq!(live.remove(address).map(|block| block.size), map.remove(&address));
                }
            }
            let mut left: Vec<(u64, u64)> = live.blocks().map(|block| (block.address, block.size)).collect();
            left.sort_unstable();
            let mut truth: Vec<(u64, u64)> = map.into_iter().collect();
            truth.sort_unstable();
            prop_assert_eq!(left, truth);
        }
    }
}
