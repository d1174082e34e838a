use std::sync::Arc;

use residue_model::{
    Address, Backing, Bytes, Counter, Counters, Extent, Module, Pages, Range, Region, State,
};
use serde::{Deserialize, Serialize};

use crate::image::{Claim, part};

/// One range that is not free, as `VirtualQuery` described it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queried {
    /// Where it stands.
    #[serde(flatten)]
    pub range: Range,
    /// Where what was reserved together begins.
    pub allocation_base: Address,
    /// State, type and protection.
    #[serde(flatten)]
    pub pages: Pages,
    /// Its pages in RAM, and those of them that are this process's alone, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<(Bytes, Bytes)>,
}

impl Queried {
    /// The same as a region, named after the module that it is part of or the file that is mapped there.
    pub(crate) fn region(&self, name: Option<Arc<str>>) -> Region {
        let mut counters = Counters::default();
        if let Some((resident, private)) = self.resident {
            counters.set(Counter::Rss, resident);
            counters.set(Counter::Uss, private);
        }
        Region {
            range: self.range,
            protection: self.pages.protection(),
            allocation_base: self.allocation_base,
            name,
            counters,
            pages: Some(self.pages),
            ..Region::default()
        }
    }

    /// The same as an extent.
    pub fn extent(&self) -> Extent {
        Extent {
            range: self.range,
            allocation_base: self.allocation_base,
            state: if self.pages.is_committed() { State::Mapped } else { State::Reserved },
            protection: self.pages.protection(),
            backing: self.pages.backing(),
            pages: Some(self.pages),
        }
    }
}

/// The regions that were queried, in order of address. `files` says in order of address
/// what is mapped at some allocations.
pub(crate) fn regions(queried: &[Queried], modules: &[Module], files: &[(Address, Arc<str>)]) -> Vec<Region> {
    let modules = loaded(modules);
    let file = |base: Address| {
        let index = files.binary_search_by_key(&base, |(at, _)| *at).ok()?;
        Some(Arc::clone(&files[index].1))
    };
    let named = |query: &Queried| {
        let module = (query.pages.kind == Some(Pages::IMAGE))
            .then(|| module_at(&modules, query.range.start).map(|module| Arc::clone(&module.name)))
            .flatten();
        let is_section = query.pages.backing() != Backing::PrivateAnonymous;
        // The list of a 32-bit program names the folder that it asked for, not the one that it was given.
        query.region(file(query.allocation_base).filter(|_| is_section).or(module))
    };
    queried.iter().map(named).collect()
}

/// The loaded modules in order of address, each with the range that is its own: where several claim an address, the one
/// that begins first has it.
pub(crate) fn loaded(modules: &[Module]) -> Vec<(Range, &Module)> {
    let mut loaded: Vec<(Range, &Module)> =
        modules.iter().filter(|module| !module.unloaded).map(|module| (module.range, module)).collect();
    part(&mut loaded);
    loaded
}

impl Claim for (Range, &Module) {
    fn range(&self) -> Range {
        self.0
    }

    fn begin(&mut self, start: Address) {
        self.0.start = start;
    }
}

/// The module at an address.
pub(crate) fn module_at<'a>(modules: &[(Range, &'a Module)], address: Address) -> Option<&'a Module> {
    let behind = modules.partition_point(|(range, _)| range.start <= address);
    modules[..behind].last().filter(|(range, _)| range.contains(address)).map(|(_, module)| *module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start: u64, kind: u32) -> Queried {
        Queried {
            range: Range { start: Address(start), end: Address(start + 0x1000) },
            allocation_base: Address(start & !0xffff),
            pages: Pages { state: Pages::COMMIT, kind: Some(kind), protect: Some(0x04) },
            resident: Some((Bytes(0x1000), Bytes::ZERO)),
        }
    }

    #[test]
    fn what_is_part_of_a_module_or_a_file_is_named_after_it() {
        let range = Range { start: Address(0x1_0000), end: Address(0x1_4000) };
        let modules = [Module { range, name: "a.dll".into(), ..Module::default() }];
        let files = [(Address(0x2_0000), Arc::from("C:\\x.nls"))];
        let queried = [0x1_1000, 0x2_0000, 0x3_0000].map(|at| match at {
            0x1_1000 => query(at, Pages::IMAGE),
            0x2_0000 => query(at, Pages::MAPPED),
            _ => query(at, Pages::PRIVATE),
        });
        let regions = regions(&queried, &modules, &files);
        assert_eq!(regions.iter().map(Region::name).collect::<Vec<_>>(), ["a.dll", "C:\\x.nls", ""]);
        assert_eq!(regions[0].counters.get(Counter::Rss), Some(Bytes(0x1000)));
        assert_eq!(regions[2].protection.to_string(), "rw-p");
        assert_eq!(queried[2].extent().backing, Backing::PrivateAnonymous);
    }
}
