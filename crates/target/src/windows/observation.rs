use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use residue_model::{
    Address, AddressSpace, Bytes, Gap, Limit, LimitKind, Limits, Machine, Memory, Module, Os, Process,
    ProcessId, Range, Region, Snapshot, Source, SystemMemory, Thread, Visit,
};
use serde::{Deserialize, Serialize};

use super::{Counted, Queried, regions, space};
use crate::image::part;

/// Everything that the calls of Windows said of one process, as they said it.
///
/// Conclusions are drawn from here and nowhere else, so that what was recorded on one machine is concluded again on
/// any other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Observation {
    /// The machine.
    pub system: System,
    /// The process.
    pub process: Observed,
    /// What each call says it has, by the name of the call.
    pub counted: BTreeMap<String, Counted>,
    /// Its address space, range by range.
    pub queried: Vec<Queried>,
    /// Its program and libraries, the program first.
    pub modules: Vec<Module>,
    /// What is mapped where an allocation begins, in order of address.
    pub files: Vec<(Address, Arc<str>)>,
    /// Its threads.
    pub threads: Vec<Thread>,
    /// The memory that tells where its stacks and heaps are, when it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
    /// What could not be asked.
    pub gaps: Vec<Gap>,
}

/// A machine that runs Windows, or Wine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `10.0.19045`.
    pub version: String,
    /// The version of Wine, where that answers in the place of Windows.
    pub wine: Option<String>,
    /// The smallest page.
    pub page_size_bytes: u64,
    /// RAM and page files.
    pub memory: SystemMemory,
}

/// Who was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its number.
    pub pid: u32,
    /// The file name of its program.
    pub name: String,
    /// Its command line.
    pub command: Option<String>,
    /// The account that it runs as.
    pub user: Option<String>,
    /// Start in 100 ns since 1601; with `pid` its identity.
    pub created: Option<u64>,
    /// The instruction set of the process as Windows carries it: `x86-64` of a 32-bit program on 64-bit Windows, unless
    /// a 32-bit program asked.
    pub cpu: String,
    /// It is a 32-bit program on 64-bit Windows, where that was told.
    #[serde(default)]
    pub is_wow64: Option<bool>,
}

/// A piece of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it stood.
    pub address: Address,
    /// Its bytes as hexadecimal digits.
    pub bytes: String,
}

impl Observation {
    /// What is known of the process when all calls are taken together.
    pub fn process(&self) -> Process {
        let counted = self.counted();
        let ranges: Bytes = self.queried.iter().map(|query| query.range.size()).sum();
        let mut footprint = counted.footprint();
        footprint.vss.get_or_insert(ranges);
        Process {
            pid: ProcessId(self.process.pid),
            start_ticks: self.process.created,
            name: self.process.name.clone(),
            command: self.process.command.clone(),
            user: self.process.user.clone(),
            footprint,
            minflt: counted.page_faults,
            threads: counted.threads.or((!self.threads.is_empty()).then_some(self.threads.len() as u64)),
            maps: Some(self.queried.len() as u64),
            handles: counted.handles,
            ..Process::default()
        }
    }

    /// What all calls together say.
    pub fn counted(&self) -> Counted {
        self.counted
            .values()
            .fold(Counted::default(), |known, counted| known.or(counted.believed(self.system.wine.is_some())))
    }

    /// The process as it stood. `memory` is looked at for the header of its program.
    pub fn snapshot(&self, memory: &dyn Memory) -> Snapshot {
        let mut regions = regions(&self.queried, &self.modules, &self.files);
        // A live process may reserve memory while it is asked range by range.
        part(&mut regions);
        let native_bits = if matches!(self.process.cpu.as_str(), "x86-64" | "aarch64") { 64 } else { 32 };
        let space = space(native_bits, self.process.is_wow64, &self.modules, memory, &regions);
        let mut gaps = self.gaps.clone();
        gaps.extend(self.missing());
        let process = self.process();
        Snapshot {
            limits: limits(&regions, &self.system.memory, space),
            process,
            threads: self.threads.clone(),
            modules: self.modules.clone(),
            machine: Machine {
                os: Os::Windows,
                os_version: Some(self.system.shown()),
                cpu: Some(self.process.cpu.clone()),
                big_endian: false,
            },
            system: self.system.memory.clone(),
            space,
            regions,
            source: Source::VirtualQuery,
            gaps,
            ..Snapshot::default()
        }
    }

    /// Counters that no call gave.
    pub(super) fn missing(&self) -> Option<Gap> {
        let missing = self.counted().missing();
        let why = match &self.system.wine {
            Some(version) => format!("this is Wine {version}, which does not count them"),
            None => "Windows did not give them for this process".into(),
        };
        (!missing.is_empty()).then(|| Gap::new(missing.join(", "), why))
    }

    /// The recorded pieces as memory.
    pub(super) fn memory(&self) -> Recalled {
        let raw = |digits: &str| {
            let pairs = digits.as_bytes().chunks_exact(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            pairs.map(byte).collect::<Option<Vec<u8>>>()
        };
        let mut pieces: Vec<(Address, Vec<u8>)> =
            self.pieces.iter().filter_map(|piece| Some((piece.address, raw(&piece.bytes)?))).collect();
        pieces.sort_by_key(|(address, _)| *address);
        Recalled(pieces)
    }
}

impl System {
    /// `10.0.19045`, `10.0.17763 (Wine 8.0)`.
    pub fn shown(&self) -> String {
        match &self.wine {
            Some(wine) => format!("{} (Wine {wine})", self.version),
            None => self.version.clone(),
        }
    }
}

/// What a Windows process can grow into.
fn limits(regions: &[Region], system: &SystemMemory, space: AddressSpace) -> Limits {
    let mut memory = Vec::new();
    let mut add = |kind, limit: Option<Bytes>, used: Option<Bytes>, source: &str| {
        if let Some(limit) = limit.filter(|_| used.is_some()) {
            memory.push(Limit { kind, limit, used, source: source.into() });
        }
    };
    let taken = system.total.zip(system.available).map(|(total, available)| total - available);
    add(LimitKind::Machine, system.total, taken, "ullAvailPhys of GlobalMemoryStatusEx");
    add(LimitKind::Commit, system.commit_limit, system.committed, "CommitLimit of GetPerformanceInfo");
    if space.bits == 32 {
        let used =
            regions.iter().filter_map(|region| region.range.overlap(space.range)).map(Range::size).sum();
        add(LimitKind::AddressSpace, Some(space.range.size()), Some(used), "the 32-bit address space");
    }
    memory.sort_by_key(|limit| limit.headroom().unwrap_or(limit.limit));
    Limits { memory, max_map_count: None }
}

/// Memory of which some pieces were recorded, in order of address. They may overlap.
#[derive(Debug)]
pub(super) struct Recalled(Vec<(Address, Vec<u8>)>);

impl Recalled {
    /// How much of a region was recorded.
    pub(super) fn saved(&self, region: &Region) -> Bytes {
        let mut saved = Bytes::ZERO;
        let _ = self.walk(region.range, &mut Vec::new(), &mut |_, piece| {
            saved += Bytes(piece.len() as u64);
            ControlFlow::Continue(())
        });
        saved
    }
}

impl Memory for Recalled {
    fn walk(&self, range: Range, _: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut shown = range.start;
        for (start, bytes) in &self.0 {
            let end = Address(start.0.saturating_add(bytes.len() as u64));
            let held = Range { start: *start, end };
            let left = Range { start: shown, end: range.end };
            let Some(part) = held.overlap(left) else { continue };
            visit(part.start, &bytes[held.offset_of(part)])?;
            shown = part.end;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classification reads a word here and a word there, and the same ones again.
    #[test]
    fn recorded_pieces_that_overlap_show_each_byte_once() {
        let piece = |address, bytes: &str| Piece { address: Address(address), bytes: bytes.into() };
        let observation = Observation {
            pieces: vec![piece(0x1004, "05060708"), piece(0x1000, "010203040506"), piece(0x2000, "0x")],
            ..Observation::default()
        };
        let memory = observation.memory();
        let mut into = [0; 16];
        assert_eq!(memory.read(Address(0x1001), &mut into), 7);
        assert_eq!(into[..7], [2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(memory.read(Address(0x2000), &mut into), 0, "no digits, no bytes");
    }

    #[test]
    fn a_32_bit_process_is_bounded_by_its_address_space() {
        let range = Range { start: Address(0x1_0000), end: Address(0x7fff_0000) };
        let taken = Range { start: Address(0x1000_0000), end: Address(0x7fff_0000) };
        let above = Range { start: Address(0x7ffe_0000_0000), end: Address(0x7fff_0000_0000) };
        let regions = [taken, above].map(|range| Region { range, ..Region::default() });
        let limits = limits(&regions, &SystemMemory::default(), AddressSpace { bits: 32, range });
        assert_eq!(limits.memory.len(), 1);
        assert_eq!(limits.memory[0].kind, LimitKind::AddressSpace);
        assert_eq!(limits.memory[0].headroom(), Some(Bytes(0x1000_0000 - 0x1_0000)));
    }
}
