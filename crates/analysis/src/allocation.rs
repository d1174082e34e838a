use residue_model::{Address, Bytes, Region, State, Usage};
use serde::Serialize;

/// Regions that were reserved together: what Windows calls a region, whose parts it calls blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Allocation {
    /// Where it begins.
    pub base: Address,
    /// The first address behind its last block.
    pub end: Address,
    /// All of it.
    pub size: Bytes,
    /// How much can be used as it stands.
    pub committed: Bytes,
    /// How much is only set aside.
    pub reserved: Bytes,
    /// How many blocks of one protection it has.
    pub blocks: u64,
    /// How many of them are guards.
    pub guards: u64,
    /// What most of it is used for.
    pub usage: Usage,
    /// Its name, empty for none.
    pub name: String,
    /// The threads whose stack it is.
    pub threads: Vec<u32>,
}

impl Allocation {
    /// Groups neighbouring regions by the allocation that they belong to. Regions must be in order of address.
    pub fn of(regions: &[Region]) -> Vec<Allocation> {
        regions.chunk_by(|a, b| a.allocation_base == b.allocation_base).map(Allocation::one).collect()
    }

    fn one(blocks: &[Region]) -> Allocation {
        let size_of = |state| blocks.iter().filter(|block| block.state() == state).map(Region::size).sum();
        let largest = blocks.iter().max_by_key(|block| block.size());
        let mut threads: Vec<u32> = blocks.iter().flat_map(|block| block.threads.iter().copied()).collect();
        threads.sort_unstable();
        threads.dedup();
        Allocation {
            base: blocks[0].allocation_base,
            end: blocks[blocks.len() - 1].range.end,
            size: blocks.iter().map(Region::size).sum(),
            committed: size_of(State::Mapped),
            reserved: size_of(State::Reserved),
            blocks: blocks.len() as u64,
            guards: blocks.iter().filter(|block| is_guard(block)).count() as u64,
            usage: largest.map(|block| block.usage).unwrap_or_default(),
            name: blocks
                .iter()
                .map(Region::name)
                .find(|name| !name.is_empty())
                .unwrap_or_default()
                .to_owned(),
            threads,
        }
    }
}

fn is_guard(region: &Region) -> bool {
    region.usage == Usage::Guard || region.pages.is_some_and(residue_model::Pages::is_guard)
}

#[cfg(test)]
mod tests {
    use residue_model::{Pages, Range};

    use super::*;

    #[test]
    fn a_stack_is_one_allocation_of_three_blocks() {
        let block = |start: u64, size: u64, state, protect| Region {
            range: Range { start: Address(start), end: Address(start + size) },
            allocation_base: Address(0x10000),
            pages: Some(Pages { state, kind: Some(Pages::PRIVATE), protect: Some(protect) }),
            usage: Usage::Stack,
            ..Region::default()
        };
        let next = Region { allocation_base: Address(0x9_0000), ..block(0x9_0000, 0x1000, Pages::COMMIT, 4) };
        let regions = [
            block(0x1_0000, 0x8000, Pages::RESERVE, 0),
            block(0x1_8000, 0x1000, Pages::COMMIT, 0x104),
            block(0x1_9000, 0x7000, Pages::COMMIT, 4),
            next,
        ];
        let allocations = Allocation::of(&regions);
        assert_eq!(allocations.len(), 2);
        let stack = &allocations[0];
        assert_eq!((stack.blocks, stack.guards), (3, 1));
        assert_eq!(
            (stack.size, stack.committed, stack.reserved),
            (Bytes(0x10000), Bytes(0x8000), Bytes(0x8000))
        );
    }
}
