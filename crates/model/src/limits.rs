use serde::Serialize;

use crate::Bytes;

/// What stands above a process: the bounds it can grow into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The memory bounds that apply, nearest first where the distance is known.
    pub memory: Vec<Limit>,
    /// `vm.max_map_count`: how many regions a process may have.
    pub max_map_count: Option<u64>,
}

/// One bound on memory and how far it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Which bound.
    pub kind: LimitKind,
    /// The bound itself.
    pub limit: Bytes,
    /// What counts against it now.
    pub used: Option<Bytes>,
    /// Where it is set: a cgroup path, `RLIMIT_AS`.
    pub source: String,
}

impl Limit {
    /// What is left below the bound.
    pub fn headroom(&self) -> Option<Bytes> {
        self.used.map(|used| self.limit - used)
    }
}

/// The kinds of bound on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// `memory.max` of a cgroup of the process or one above it.
    Cgroup,
    /// `RLIMIT_AS`: address space.
    AddressSpace,
    /// `RLIMIT_DATA`: brk and private writable mappings.
    Data,
    /// The memory that the machine can still give without swapping.
    Machine,
    /// What Windows can promise to all processes: RAM and page files.
    Commit,
}
