use residue_model::{Address, Gap, Memory, Module, Os, Range, Snapshot};

use super::contents::Contents;
use super::loaded::{Filed, Loaded};
use super::loading::{Missing, load, may_begin};
use super::symbol::Symbol;

/// The programs and libraries of a target, and the files they were mapped from.
///
/// Files are opened and compared at once; symbols are read when the first address of a module is asked for.
#[derive(Debug, Default)]
pub struct Modules {
    /// In order of address; no two overlap.
    loaded: Vec<Loaded>,
    gaps: Vec<Gap>,
}

impl Modules {
    /// Finds the ELF files that a Linux process has mapped. Of a live process the files themselves are opened, of a
    /// dump those of the same name; one that is another build is left alone, and a gap says so.
    ///
    /// For a target of another system there are none.
    pub fn of(snapshot: &Snapshot, memory: &dyn Memory) -> Modules {
        let mut modules = Modules::default();
        if snapshot.machine.os != Os::Linux {
            return modules;
        }
        let pid = snapshot.dump.is_none().then_some(snapshot.process.pid);
        let regions = &snapshot.regions;
        let (mut end, mut missing) = (Address(0), Missing::default());
        for (index, region) in regions.iter().enumerate() {
            // Behind the first part of a file come its others, one of which may begin at its start again.
            if region.range.start < end || !may_begin(region) {
                continue;
            }
            if let Some(loaded) = load(pid, &regions[index..], memory, &mut missing) {
                end = loaded.module.range.end;
                modules.loaded.push(loaded);
            }
        }
        modules.gaps = missing.told();
        modules
    }

    /// What could not be used, and why.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The modules in order of address.
    pub fn list(&self) -> impl Iterator<Item = &Module> {
        self.loaded.iter().map(|loaded| &loaded.module)
    }

    /// The module that an address lies in.
    pub fn module_at(&self, address: Address) -> Option<&Module> {
        self.at(address).map(|loaded| &loaded.module)
    }

    /// What stands at an address: a symbol, or where there is none a section or at least the module; none outside of
    /// all modules.
    pub fn symbol_at(&self, address: Address) -> Option<Symbol> {
        self.at(address).map(|loaded| loaded.symbol(address))
    }

    /// Where symbols of a name stand, as it is written in the files (`main_arena`, `_ZTV5Shape`): one for each module
    /// that has one, of the modules whose file name begins with `module`.
    pub fn find(&self, module: &str, name: &str) -> Vec<Address> {
        let candidates = self.loaded.iter().filter(|loaded| loaded.file_name.starts_with(module));
        let at = |loaded: &Loaded| {
            let found = loaded.table().named(name.as_bytes()).last()?;
            Some(Address(found.start.wrapping_add(loaded.bias)))
        };
        candidates.filter_map(at).collect()
    }

    pub(super) fn at(&self, address: Address) -> Option<&Loaded> {
        let behind = self.loaded.partition_point(|loaded| loaded.module.range.start <= address);
        self.loaded[..behind].last().filter(|loaded| loaded.holds(address))
    }

    /// The parts of a range that hold what a file does, in order of address.
    pub(super) fn filed(&self, range: Range) -> impl Iterator<Item = (&Contents, Filed, Range)> {
        let first = self.loaded.partition_point(|loaded| loaded.module.range.end <= range.start);
        let inside =
            self.loaded[first..].iter().take_while(move |loaded| loaded.module.range.start < range.end);
        inside.flat_map(move |loaded| {
            let parts = loaded.filed.iter().zip(std::iter::repeat(loaded.file.as_ref()));
            parts.filter_map(move |(part, file)| Some((file?, *part, part.range.overlap(range)?)))
        })
    }
}
