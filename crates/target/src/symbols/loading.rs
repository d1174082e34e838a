//! From regions to modules: which mappings are programs, and where their files are.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use residue_model::{Address, Gap, Memory, Module, ProcessId, Range, Region};

use super::build::{Same, compare};
use super::contents::Contents;
use super::layout::{Layout, PAGE, Part};
use super::loaded::{Filed, Loaded};
use super::open::Way;

/// The module that begins with the first of some regions; none when that is a file of another kind.
pub(super) fn load(
    pid: Option<ProcessId>,
    regions: &[Region],
    memory: &dyn Memory,
    missing: &mut Missing,
) -> Option<Loaded> {
    let region = &regions[0];
    let mut head = vec![0; HEAD];
    let length = memory.read(region.range.start, &mut head);
    let mapped = Layout::read(&head[..length]);
    // Where memory begins as a program does but goes on without its headers, those stand further behind (BOLT puts
    // them there), and the file has them.
    if length >= MAGIC.len() && !head.starts_with(MAGIC) {
        return None;
    }
    if region.name() == "[vdso]" {
        return vdso(region, mapped?, memory);
    }
    let filed = Filing::of(pid, region, mapped.as_ref(), memory);
    let Some(layout) = mapped.or_else(|| filed.layout.clone()) else {
        let is_code = |other: &Region| other.name == region.name && other.protection.execute;
        if let Some(why) = filed.file.err().filter(|_| regions.iter().take(PARTS).any(is_code)) {
            missing.add(region, why);
        }
        return None;
    };
    let bias = layout.bias(region.range.start)?;
    let range = layout.range(bias).filter(|_| is_loaded(&layout, bias, regions))?;
    let file = filed.file.map_err(|why| missing.add(region, why)).ok();
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

/// Program headers stand in the first bytes.
const HEAD: usize = 16 * 1024;

/// The parts of a module stand close behind each other.
const PARTS: usize = 64;
const MAGIC: &[u8] = b"\x7fELF";

/// Whether a module may begin with a region: the start of a file, or what the kernel lends of its own code.
pub(super) fn may_begin(region: &Region) -> bool {
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
    let stands = |load: &Part| {
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

/// The files that could not be used, by reason.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<String, Vec<String>>);

impl Missing {
    fn add(&mut self, region: &Region, why: String) {
        self.0.entry(why).or_default().push(region.name().to_owned());
    }

    /// A gap a reason: of a hundred libraries that are not here the report says it once.
    pub(super) fn told(self) -> Vec<Gap> {
        const NAMED: usize = 4;
        let told = |(why, names): (String, Vec<String>)| {
            let more = names.len().saturating_sub(NAMED);
            let first = names[..names.len() - more].join(", ");
            let what = if more == 0 { first } else { format!("{first} and {more} more") };
            Gap::new(format!("symbols of {what}"), why)
        };
        self.0.into_iter().map(told).collect()
    }
}
