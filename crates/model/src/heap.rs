use serde::Serialize;

use crate::{Address, Blocks, Bytes, Gap, Range};

/// What one allocator holds of a process, as it was found in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Its name and, where it tells, its version: `glibc`, `jemalloc 5.3`.
    pub allocator: String,
    /// Which of the layouts we know its structures have: `2.35 ... 2.41`.
    pub layout: String,
    /// Its arenas, in order of address, the main one first.
    pub arenas: Vec<Arena>,
    /// Its blocks.
    pub blocks: Blocks,
    /// What `mallinfo2(3)` would say, where the allocator has it.
    pub mallinfo: Option<Mallinfo>,
    /// How it is set up, as its own variables say.
    pub parameters: Vec<Parameter>,
    /// Sums that must agree when everything was understood.
    pub identities: Vec<Identity>,
    /// Where its bookkeeping is broken.
    pub damage: Vec<Damage>,
    /// Its own words outside of blocks: whoever looks for pointers of the program leaves them out.
    pub metadata: Vec<Range>,
    /// A part of it could not be looked for, so that no sum tells what is missing.
    pub is_partial: bool,
    /// What could not be seen of it.
    pub gaps: Vec<Gap>,
}

impl Heap {
    /// Whether all that it holds is accounted for.
    pub fn verified(&self) -> Verified {
        let unexplained: u64 = self.identities.iter().map(Identity::unexplained).max().unwrap_or_default();
        let lost: Bytes = self.damage.iter().map(|damage| damage.unwalked).sum();
        match (unexplained.max(lost.0), self.damage.is_empty() && !self.is_partial) {
            (0, true) => Verified::Exact,
            (bytes, _) => Verified::Partial { unexplained: Bytes(bytes) },
        }
    }
}

/// How far the walk of a heap proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// All identities hold, nothing is damaged, and all of it was looked for.
    Exact,
    /// So much is not accounted for; where a sum of blocks and not of bytes disagrees, at least something.
    Partial {
        /// The largest disagreement.
        unexplained: Bytes,
    },
}

/// An arena and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arena {
    /// Where its own structure stands; of mapped blocks, where the first stands.
    pub address: Address,
    /// What it is.
    pub kind: ArenaKind,
    /// Memory that it got from the system.
    pub system_bytes: Bytes,
    /// Blocks that the program has, with the allocator's words around them.
    pub live_bytes: Bytes,
    /// How many these are.
    pub live_blocks: u64,
    /// What the program gave back, ready for any thread, the top left out.
    pub free_bytes: Bytes,
    /// How many blocks these are.
    pub free_blocks: u64,
    /// What the program gave back and a cache keeps for one thread or one size.
    pub cached_bytes: Bytes,
    /// How many blocks these are.
    pub cached_blocks: u64,
    /// Of the cached, what stands in fastbins: glibc counts that as free, and what thread caches keep as in use.
    pub fast_bytes: Bytes,
    /// The free end, from which new blocks are cut.
    pub top_bytes: Bytes,
    /// The allocator's own: headers of arenas, caches, fenceposts.
    pub own_bytes: Bytes,
    /// The largest free block, the top counted.
    pub largest_free: Bytes,
    /// What `malloc_trim(3)` would give back.
    pub trim_gain: Bytes,
    /// Where its blocks stand.
    pub extents: Vec<Range>,
}

/// What an arena is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArenaKind {
    /// The one that a program begins with; glibc's grows by `brk`.
    #[default]
    Main,
    /// One more, for threads.
    Thread,
    /// Large blocks, each mapped for itself.
    Mapped,
}

/// `struct mallinfo2`. Source: `mallinfo(3)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mallinfo {
    /// Bytes from the system, mapped blocks left out.
    pub arena: u64,
    /// Free chunks that are not in fastbins.
    pub ordblks: u64,
    /// Free chunks in fastbins.
    pub smblks: u64,
    /// Mapped blocks.
    pub hblks: u64,
    /// Bytes in mapped blocks.
    pub hblkhd: u64,
    /// Always 0 since glibc 2.x keeps no such count.
    pub usmblks: u64,
    /// Bytes in fastbins.
    pub fsmblks: u64,
    /// Bytes in use; what thread caches keep counts as in use.
    pub uordblks: u64,
    /// Free bytes.
    pub fordblks: u64,
    /// The top of the main arena.
    pub keepcost: u64,
}

/// A setting of an allocator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name in the allocator's documentation.
    pub name: &'static str,
    /// Its value now.
    pub value: u64,
    /// Its value where nobody sets it, where there is one.
    pub default: Option<u64>,
}

/// Two ways to count one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// What is counted.
    pub what: String,
    /// What the walk counted.
    pub walked: u64,
    /// What the allocator's own variables say.
    pub stated: u64,
}

impl Identity {
    /// How far the two are apart.
    pub fn unexplained(&self) -> u64 {
        self.walked.abs_diff(self.stated)
    }
}

/// A place where an allocator's bookkeeping contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where.
    pub at: Address,
    /// What is wrong there.
    pub what: String,
    /// The block that ends there, and so is the first suspect for having written beyond its end.
    pub suspect: Option<Range>,
    /// How much could not be walked because of it.
    pub unwalked: Bytes,
}

/// An allocator or a runtime with memory of its own that is in a process, walked or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// Its name: `tcmalloc`, `Go`, `CPython`.
    pub name: String,
    /// Its version, where it tells.
    pub version: Option<String>,
    /// By what it was recognised.
    pub evidence: String,
    /// Its blocks were walked.
    pub walked: bool,
    /// What it is known to hold.
    pub holds: Vec<Range>,
}
