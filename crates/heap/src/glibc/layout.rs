//! Where fields stand, for each family of versions of 64-bit glibc.
//!
//! Source: `malloc/malloc.c` and `malloc/arena.c` of glibc 2.17 to 2.43.

/// The first and the last version, 2.x, that have a structure in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions(pub(super) u32, pub(super) u32);

impl Versions {
    /// Versions that have both; none when there is none.
    pub(super) fn meet(self, other: Versions) -> Option<Versions> {
        let both = Versions(self.0.max(other.0), self.1.min(other.1));
        (both.0 <= both.1).then_some(both)
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Versions(first, last) if first == last => write!(f, "2.{first}"),
            Versions(first, last) => write!(f, "2.{first} ... 2.{last}"),
        }
    }
}

/// `struct malloc_state`: an arena.
#[derive(Debug)]
pub(super) struct State {
    /// The versions that have it.
    pub(super) versions: Versions,
    /// Ten lists of small chunks that were freed and not merged; gone in 2.43.
    pub(super) fastbins: Option<u64>,
    pub(super) top: u64,
    /// 127 pairs of links; the first is the list of chunks not sorted yet.
    pub(super) bins: u64,
    pub(super) next: u64,
    pub(super) system_mem: u64,
    pub(super) size: u64,
}

pub(super) const BINS: u64 = 127;
pub(super) const FASTBINS: u64 = 10;

pub(super) const STATES: [State; 4] = [
    State {
        versions: Versions(43, 43),
        fastbins: None,
        top: 0x8,
        bins: 0x18,
        next: 0x818,
        system_mem: 0x830,
        size: 0x840,
    },
    State {
        versions: Versions(27, 42),
        fastbins: Some(0x10),
        top: 0x60,
        bins: 0x70,
        next: 0x870,
        system_mem: 0x888,
        size: 0x898,
    },
    State {
        versions: Versions(23, 26),
        fastbins: Some(0x8),
        top: 0x58,
        bins: 0x68,
        next: 0x868,
        system_mem: 0x880,
        size: 0x890,
    },
    State {
        versions: Versions(17, 22),
        fastbins: Some(0x8),
        top: 0x58,
        bins: 0x68,
        next: 0x868,
        system_mem: 0x878,
        size: 0x888,
    },
];

/// `struct malloc_par`, of which there is one: `mp_`. Its first three words are the same everywhere: `trim_threshold`,
/// `top_pad`, `mmap_threshold`.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) versions: Versions,
    /// `n_mmaps`; behind it `n_mmaps_max`, `max_n_mmaps` and `no_dyn_threshold`, four bytes each.
    pub(super) n_mmaps: u64,
    /// `mmapped_mem`, and behind it the most that this ever was.
    pub(super) mmapped_mem: u64,
    pub(super) sbrk_base: u64,
    /// `tcache_bins`, and behind it `tcache_max_bytes` and `tcache_count`.
    pub(super) tcache: Option<u64>,
}

impl Settings {
    /// Each remapping of a mapped block adds two words too much to `mmapped_mem`. Source: `mremap_chunk`, which takes
    /// off the size of the old chunk, and that leaves out its header since 2.43.
    pub(super) fn drifts(&self) -> bool {
        self.versions.0 >= 43
    }
}

pub(super) const SETTINGS: [Settings; 5] = [
    Settings {
        versions: Versions(43, 43),
        n_mmaps: 0x44,
        mmapped_mem: 0x58,
        sbrk_base: 0x68,
        tcache: Some(0x70),
    },
    Settings {
        versions: Versions(35, 42),
        n_mmaps: 0x3c,
        mmapped_mem: 0x50,
        sbrk_base: 0x60,
        tcache: Some(0x68),
    },
    Settings {
        versions: Versions(26, 34),
        n_mmaps: 0x28,
        mmapped_mem: 0x38,
        sbrk_base: 0x48,
        tcache: Some(0x50),
    },
    Settings { versions: Versions(24, 25), n_mmaps: 0x28, mmapped_mem: 0x38, sbrk_base: 0x48, tcache: None },
    Settings { versions: Versions(17, 23), n_mmaps: 0x28, mmapped_mem: 0x38, sbrk_base: 0x50, tcache: None },
];

/// `struct heap_info`: stands at the start of each heap of an arena that is not the main one.
pub(super) mod heap_info {
    pub(in super::super) const AR_PTR: u64 = 0;
    pub(in super::super) const PREV: u64 = 8;
    pub(in super::super) const SIZE: u64 = 0x10;
    /// Its size until 2.34, and since.
    pub(in super::super) const SIZES: [u64; 2] = [0x30, 0x20];
    /// Heaps stand at multiples of this (`HEAP_MAX_SIZE`).
    pub(in super::super) const ALIGNMENT: u64 = 64 << 20;
}

/// `struct tcache_perthread_struct`: what a thread keeps of what it freed.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) versions: Versions,
    /// The size of the chunk that holds it.
    pub(super) chunk: u64,
    pub(super) count: Count,
    /// Where the lists begin.
    pub(super) entries: u64,
    pub(super) bins: u64,
    /// Links are stored as they are, or mixed with their own address.
    pub(super) is_mangled: bool,
    /// What the second word of a cached chunk holds.
    pub(super) key: Key,
}

/// All that hold a cache are of a size in this range: most chunks are not, and need no closer look.
pub(super) const CACHE_SIZES: std::ops::RangeInclusive<u64> = 0x250..=0x310;

impl Cache {
    /// Whether a chunk of this size may hold one. Where what is left of a free chunk would be too small for one of its
    /// own, it stays with the chunk: a cache that comes after others have freed may stand in such a one.
    pub(super) fn fits(&self, size: u64) -> bool {
        size == self.chunk || size == self.chunk + 0x10
    }
}

/// How a cache counts the chunks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A byte for each list.
    Bytes,
    /// Two bytes for each list.
    Halves,
    /// Two bytes for each list: how many more it would take.
    Room,
}

/// What marks a cached chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    /// The address of the cache.
    Cache,
    /// A random word, the same in the whole process.
    Random,
}

/// Lists of one size each; the others of a [`Cache`] mix sizes.
pub(super) const SMALL_LISTS: u64 = 64;

pub(super) const CACHES: [Cache; 6] = [
    Cache {
        versions: Versions(42, 43),
        chunk: 0x300,
        count: Count::Room,
        entries: 0x98,
        bins: 76,
        is_mangled: true,
        key: Key::Random,
    },
    Cache {
        versions: Versions(34, 41),
        chunk: 0x290,
        count: Count::Halves,
        entries: 0x80,
        bins: 64,
        is_mangled: true,
        key: Key::Random,
    },
    Cache {
        versions: Versions(32, 33),
        chunk: 0x290,
        count: Count::Halves,
        entries: 0x80,
        bins: 64,
        is_mangled: true,
        key: Key::Cache,
    },
    Cache {
        versions: Versions(30, 31),
        chunk: 0x290,
        count: Count::Halves,
        entries: 0x80,
        bins: 64,
        is_mangled: false,
        key: Key::Cache,
    },
    Cache {
        versions: Versions(29, 29),
        chunk: 0x250,
        count: Count::Bytes,
        entries: 0x40,
        bins: 64,
        is_mangled: false,
        key: Key::Cache,
    },
    Cache {
        versions: Versions(26, 28),
        chunk: 0x250,
        count: Count::Bytes,
        entries: 0x40,
        bins: 64,
        is_mangled: false,
        key: Key::None,
    },
];

/// Words around what the program may use.
pub(super) mod chunk {
    pub(in super::super) const HEAD: u64 = 16;
    /// A chunk in use reaches into the first word of the next.
    pub(in super::super) const TAIL: u64 = 8;
    pub(in super::super) const SMALLEST: u64 = 0x20;
    pub(in super::super) const PREV_INUSE: u64 = 1;
    pub(in super::super) const IS_MMAPPED: u64 = 2;
    pub(in super::super) const NON_MAIN: u64 = 4;
    pub(in super::super) const FLAGS: u64 = 7;
    /// Two of these end a stretch that cannot grow.
    pub(in super::super) const FENCEPOST: u64 = 0x10;
}

/// Undoes the mixing of a link with its own address. Source: `PROTECT_PTR`, since 2.32.
pub(super) fn reveal(at: u64, link: u64) -> u64 {
    (at >> 12) ^ link
}
