//! A core as the walkers see it, read by as little as they need: what it maps and what it saved.

use std::fs;
use std::path::Path;

use residue_heap::Image;
use residue_model::{Address, NoMemory, Pieces, Protection, Range, Region};

const LOAD: u64 = 1;
const HEADER: usize = 56;

/// The bytes of a core and what its program headers say.
#[derive(Clone)]
pub(crate) struct CoreFile {
    bytes: Vec<u8>,
    loads: Vec<Load>,
}

#[derive(Clone, Copy)]
struct Load {
    region: Range,
    writable: bool,
    offset: usize,
    saved: usize,
}

impl CoreFile {
    /// Reads a packed core of `fixtures/heap`.
    pub(crate) fn open(name: &str) -> CoreFile {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/heap").join(name);
        let file = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let bytes = zstd::decode_all(file).expect("the fixture is packed");
        let loads = loads(&bytes);
        CoreFile { bytes, loads }
    }

    /// Writes over a byte of the target's memory.
    pub(crate) fn poke(&mut self, at: u64, byte: u8) {
        let load = self.loads.iter().find(|load| load.region.contains(Address(at))).expect("memory is there");
        let offset = usize::try_from(at - load.region.start.0).expect("a core fits");
        self.bytes[load.offset + offset] = byte;
    }

    /// Shows it to a walker.
    pub(crate) fn look<T>(&self, see: impl FnOnce(&Image<'_>) -> T) -> T {
        let regions: Vec<_> = self.loads.iter().map(Load::region).collect();
        let saved = self.loads.iter().filter(|load| load.writable && load.saved > 0);
        let pieces = saved.map(|load| (load.region.start, &self.bytes[load.offset..][..load.saved]));
        let pieces = Pieces(pieces.collect());
        see(&Image { pieces: &pieces, regions: &regions, threads: &[], rest: &NoMemory })
    }
}

impl Load {
    fn region(&self) -> Region {
        let protection = Protection { read: true, write: self.writable, ..Protection::default() };
        Region { range: self.region, protection, ..Region::default() }
    }
}

fn loads(bytes: &[u8]) -> Vec<Load> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let size = |at: usize| usize::try_from(number(at)).expect("a core fits");
    let count = number(56) & 0xffff;
    let headers = (0..usize::try_from(count).expect("few")).map(|index| size(32) + HEADER * index);
    let loads = headers.filter(|&header| number(header) & u64::from(u32::MAX) == LOAD);
    loads
        .map(|header| {
            let (start, memory) = (number(header + 16), number(header + 40));
            Load {
                region: Range { start: Address(start), end: Address(start + memory) },
                writable: number(header) >> 32 & 2 != 0,
                offset: size(header + 8),
                saved: size(header + 32),
            }
        })
        .collect()
}
