use std::io;
use std::sync::OnceLock;

use residue_model::{Address, Gap, Memory, Module, Os, ProcessId, Range, Region, Snapshot};

use super::build::{Same, compare};
use super::contents::Contents;
use super::layout::{Layout, PAGE};
use super::loaded::{Filed, Loaded};
use super::open::Way;
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
        let mut end = Address(0);
        for (index, region) in regions.iter().enumerate() {
            // Behind the first part of a file come its others, one of which may begin at its start again.
            if region.range.start < end || !may_begin(region) {
                continue;
            }
            if let Some(loaded) = modules.load(pid, &regions[index..], memory) {
                end = loaded.module.range.end;
                modules.loaded.push(loaded);
            }
        }
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
        self.loaded[..behind].last().filter(|loaded| loaded.module.range.contains(address))
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

    /// The module that begins with the first of some regions.
    fn load(&mut self, pid: Option<ProcessId>, regions: &[Region], memory: &dyn Memory) -> Option<Loaded> {
        let region = &regions[0];
        let mut head = vec![0; HEAD];
        let length = memory.read(region.range.start, &mut head);
        let mapped = Layout::read(&head[..length]);
        // Memory that can be read and shows no program is a file of another kind.
        if mapped.is_none() && length >= 64 {
            return None;
        }
        if region.name() == "[vdso]" {
            return vdso(region, mapped?, memory);
        }
        let filed = Filing::of(pid, region, mapped.as_ref(), memory);
        let layout = mapped.or_else(|| filed.layout.clone())?;
        let bias = layout.bias(region.range.start)?;
        let range = layout.range(bias).filter(|_| is_loaded(&layout, bias, regions))?;
        let file = filed
            .file
            .map_err(|why| self.gaps.push(Gap::new(format!("symbols of {}", region.name()), why)))
            .ok();
        let range = Range { start: range.start, end: reach(range, regions) };
        let module = Module { range, name: region.name.clone()?, ..Module::default() };
        let filed = if file.is_some() { read_only(&layout, bias, regions) } else { Vec::new() };
        Some(Loaded {
            file_name: module.file_name().into(),
            module,
            bias,
            layout,
            file,
            filed,
            table: OnceLock::new(),
            cfi: OnceLock::new(),
        })
    }
}

/// Program headers stand in the first bytes.
const HEAD: usize = 16 * 1024;

/// Whether a module may begin with a region: the start of a file, or what the kernel lends of its own code.
fn may_begin(region: &Region) -> bool {
    let name = region.name();
    let is_other = name.starts_with("/dev/") || name.starts_with("/SYSV");
    name == "[vdso]" || region.is_file() && region.offset.0 == 0 && !name.is_empty() && !is_other
}

/// What came of the search for a module's file.
struct Filing {
    file: Result<Contents, String>,
    /// Its headers: of a file that was not used too, where memory does not show any.
    layout: Option<Layout>,
}

impl Filing {
    /// Tries all ways to the file until one leads to the build that is mapped.
    fn of(pid: Option<ProcessId>, region: &Region, mapped: Option<&Layout>, memory: &dyn Memory) -> Filing {
        let (mut refused, mut unopened, mut seen) = (None, None, None);
        for way in Way::all(pid) {
            let file = match way.open(region) {
                Ok(file) => Contents::of_file(file),
                Err(error) => {
                    unopened.get_or_insert(error);
                    continue;
                }
            };
            let layout = Layout::read(&file.cache());
            let same = match &layout {
                Some(layout) => match layout.bias(region.range.start) {
                    Some(bias) => compare(mapped, layout, bias, memory, &file),
                    None => Same::No("its headers are not loaded"),
                },
                None => Same::No("it is no program or library"),
            };
            let why = match same {
                Same::Yes => return Filing { file: Ok(file), layout },
                Same::No(why) => format!("the file of that name is of another build: {why}"),
                Same::Unknown => {
                    "no memory that is left tells whether the file of that name is the same build".into()
                }
            };
            refused.get_or_insert(why);
            seen = seen.or(layout);
        }
        let why = refused.or(unopened.map(|error| told(pid, &error)));
        Filing { file: Err(why.unwrap_or_default()), layout: seen }
    }
}

fn told(pid: Option<ProcessId>, error: &io::Error) -> String {
    match (pid, error.kind()) {
        (Some(_), io::ErrorKind::PermissionDenied) => {
            format!("its file cannot be opened: {error}; run as root")
        }
        (Some(_), _) => format!("its file cannot be opened: {error}"),
        (None, _) => {
            format!("the file it was mapped from is not here: {error}; examine the dump where it was made")
        }
    }
}

/// Whether a file is mapped as a loader maps it, and not just to be read: its writable parts stand where its headers
/// want them, or there is more than one part at all.
fn is_loaded(layout: &Layout, bias: u64, regions: &[Region]) -> bool {
    let stands = |load: &super::layout::Part| {
        let start = Address(load.address.wrapping_add(bias) & !(PAGE - 1));
        let Some(index) = Region::find(regions, start) else { return false };
        let region = &regions[index];
        let offset = region.offset.0.wrapping_add(start.0 - region.range.start.0);
        region.name == regions[0].name && offset == load.offset & !(PAGE - 1)
    };
    let mut written = layout.loads.iter().filter(|load| load.can_write && load.file > 0).peekable();
    if written.peek().is_none() {
        return layout.loads.iter().all(stands);
    }
    written.all(stands)
}

/// Where a module ends: at the latest where another file is mapped, whatever its headers claim.
fn reach(range: Range, regions: &[Region]) -> Address {
    let is_other = |region: &&Region| region.is_file() && region.name != regions[0].name;
    let other = regions.iter().take_while(|region| region.range.start < range.end).find(is_other);
    other.map_or(range.end, |other| other.range.start)
}

/// The parts of a module's file that nobody can have written to in memory.
fn read_only(layout: &Layout, bias: u64, regions: &[Region]) -> Vec<Filed> {
    let mut filed = Vec::new();
    for load in layout.loads.iter().filter(|load| !load.can_write) {
        let whole = load.first(bias, load.file.min(load.memory));
        for region in regions.iter().take_while(|region| region.range.start < whole.end) {
            let Some(range) = region.range.overlap(whole) else { continue };
            let offset = load.offset.wrapping_add(range.start.0 - whole.start.0);
            let is_there = region.offset.0.wrapping_add(range.start.0 - region.range.start.0) == offset;
            if region.name == regions[0].name && is_there && !region.protection.write {
                filed.push(Filed { range, offset });
            }
        }
    }
    filed.sort_by_key(|part| part.range.start);
    filed
}

/// The kernel's own code is a whole file in memory.
fn vdso(region: &Region, layout: Layout, memory: &dyn Memory) -> Option<Loaded> {
    const MOST: u64 = 64 * 1024;
    let mut bytes = vec![0; usize::try_from(region.size().0.min(MOST)).ok()?];
    let length = memory.read(region.range.start, &mut bytes);
    bytes.truncate(length);
    let bias = layout.bias(region.range.start)?;
    let module = Module { range: region.range, name: region.name.clone()?, ..Module::default() };
    Some(Loaded {
        file_name: module.file_name().into(),
        module,
        bias,
        layout,
        file: Some(Contents::Bytes(bytes)),
        filed: Vec::new(),
        table: OnceLock::new(),
        cfi: OnceLock::new(),
    })
}
