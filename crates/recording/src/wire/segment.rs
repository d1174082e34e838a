use core::mem::size_of;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use super::{INDEX_SLOTS, NODES, Node, Ring};

/// So many processes that came of each other by `fork` share a segment at a time.
pub const PROCESSES: usize = 128;
/// So many modules have room.
const MODULES: usize = 4096;
/// Paths of modules and names of marks have so much room.
const TEXTS: usize = 1 << 20;

/// The states of [`ProcessSlot::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ProcessState {
    /// Nobody's. A process takes it by compare and exchange, fills it, then sets it to `Running`.
    Free = 0,
    /// It is being filled.
    Taken = 1,
    /// A process that is recorded.
    Running = 2,
}

/// A process of a segment: the one that made it, or one that came of it by `fork`.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct ProcessSlot {
    /// A [`ProcessState`]. The collector frees it when the process has ended and all was read.
    pub state: AtomicU32,
    /// Its id, as it sees it itself.
    pub pid: AtomicU32,
    /// The id of its parent, as it sees it itself.
    pub parent: AtomicU32,
    /// Not 0: it found no ring for some thread.
    pub ringless: AtomicU32,
    /// When it started to be recorded: a time stamp.
    pub started: AtomicU64,
    /// Events of threads without a ring.
    pub dropped: AtomicU64,
    /// A futex: not 0 while the process, asked by [`LOOK_AT_END`](super::LOOK_AT_END), waits at its end for the collector to
    /// have looked at its memory. The collector sets it to 0 and wakes it.
    pub ending: AtomicU32,
    spare_2: u32,
    spare: [u64; 3],
}

/// An image that code is in. Filled, then counted by [`Header::modules`]; never changed after.
#[repr(C)]
#[derive(Debug)]
pub struct ModuleRow {
    /// Where it stands.
    pub start: AtomicU64,
    /// The first address behind it.
    pub end: AtomicU64,
    /// What is to be taken from an address for the one in the file's headers.
    pub bias: AtomicU64,
    /// Its path among the texts, and how long it is.
    pub path: AtomicU32,
    /// See `path`.
    pub path_length: AtomicU32,
    /// The bytes of its build id, and how many there are.
    pub build_id: [AtomicU8; 32],
    /// See `build_id`.
    pub build_id_length: AtomicU32,
    spare: [u32; 15],
}

const _: () = assert!(size_of::<ModuleRow>() == 128 && size_of::<ProcessSlot>() == 64);

/// How a segment begins.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Header {
    /// [`MAGIC`](super::MAGIC). Written last: what stands without it is not ready.
    pub magic: AtomicU64,
    /// [`VERSION`](super::VERSION).
    pub version: AtomicU32,
    /// How many rings there are.
    pub rings: AtomicU32,
    /// How many nodes are taken besides the root, which is the number of the last one; more than there is room for when
    /// the tree is full.
    pub nodes: AtomicU32,
    /// How many rows of modules are filled. The first module has number 1.
    pub modules: AtomicU32,
    /// How many bytes of the texts are taken.
    pub texts: AtomicU32,
    /// Not 0 while a recorder adds a module or a text.
    pub lock: AtomicU32,
    /// The highest ring that was ever taken, plus one: no more need be looked at.
    pub rings_used: AtomicU32,
    /// What could not be done: bits of [`Trouble`](Header::OTHER_MALLOC).
    pub trouble: AtomicU32,
    spare: [u64; 2],
    /// The processes.
    pub processes: [ProcessSlot; PROCESSES],
}

impl Header {
    /// A bit of `trouble`: the program calls another `malloc` than the recorder's.
    pub const OTHER_MALLOC: u32 = 1;
    /// A bit of `trouble`: modules are not told by this C library, so that frames of libraries loaded later are missing.
    pub const NO_FIND_OBJECT: u32 = 2;
    /// A bit of `trouble`: the tree, the modules or the texts are full.
    pub const FULL: u32 = 4;
}

/// Where the parts of a segment stand, from its start, and how large it is: a header, the modules, the texts, the index,
/// the nodes, the rings, each from a page on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `[ModuleRow]`.
    pub modules: usize,
    /// How many rows there is room for.
    pub most_modules: usize,
    /// Bytes.
    pub texts: usize,
    /// How many there is room for.
    pub most_texts: usize,
    /// `[AtomicU32; INDEX_SLOTS]`.
    pub index: usize,
    /// `[Node; NODES]`.
    pub nodes: usize,
    /// `[Ring; rings]`.
    pub rings: usize,
    /// The whole.
    pub size: usize,
}

impl Layout {
    /// A segment with so many rings.
    pub const fn of(rings: u32) -> Layout {
        let modules = size_of::<Header>();
        let texts = (modules + MODULES * size_of::<ModuleRow>()).next_multiple_of(4096);
        let index = (texts + TEXTS).next_multiple_of(4096);
        let nodes = (index + INDEX_SLOTS * size_of::<u32>()).next_multiple_of(4096);
        let at = (nodes + NODES * size_of::<Node>()).next_multiple_of(4096);
        let size = at + rings as usize * size_of::<Ring>();
        Layout { modules, most_modules: MODULES, texts, most_texts: TEXTS, index, nodes, rings: at, size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_segment_do_not_overlap() {
        let layout = Layout::of(3);

        let parts = [
            (0, size_of::<Header>()),
            (layout.modules, layout.most_modules * size_of::<ModuleRow>()),
            (layout.texts, layout.most_texts),
            (layout.index, INDEX_SLOTS * 4),
            (layout.nodes, NODES * size_of::<Node>()),
            (layout.rings, 3 * size_of::<Ring>()),
            (layout.size, 0),
        ];
        assert!(parts.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{layout:?}");
        assert_eq!(layout.rings % align_of::<Ring>(), 0);
    }
}
