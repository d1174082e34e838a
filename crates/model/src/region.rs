use std::sync::Arc;

use serde::Serialize;

use crate::{Address, Bytes, Counters, Pages, Protection, Range, Usage};

/// One mapped range with one protection: a VMA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Where it stands.
    pub range: Range,
    /// What may be done with it.
    pub protection: Protection,
    /// Offset into the file, in bytes; 0 for anonymous memory.
    pub offset: Bytes,
    /// Device of the file as `(major, minor)`; `(0, 0)` for anonymous memory.
    pub device: (u32, u32),
    /// Inode of the file; the id of a System V segment; 0 for anonymous memory.
    pub inode: u64,
    /// The path or the kernel's name for it (`[heap]`), printable, without ` (deleted)`.
    pub name: Option<Arc<str>>,
    /// The file has been unlinked since it was mapped.
    pub deleted: bool,
    /// What `smaps` says of it; empty when only `maps` was read.
    pub counters: Counters,
    /// The kernel's flags (`rd wr mr mw me ac`), when `smaps` was read.
    pub flags: Option<Arc<str>>,
    /// The start of the reservation that it belongs to: a module's first segment, an arena's start.
    pub allocation_base: Address,
    /// What it is used for; [`Usage::Unknown`] until it has been classified.
    pub usage: Usage,
    /// The threads whose stacks lie here.
    pub threads: Vec<u32>,
    /// The System V segment that is mapped here.
    pub segment: Option<Arc<SharedSegment>>,
    /// What Windows says of these pages, in its own terms.
    pub pages: Option<Pages>,
    /// How much of it the dump holds; `None` in a live process, where all of it can be asked for.
    pub saved: Option<Bytes>,
}

/// What stands behind a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backing {
    /// Memory of this process alone.
    PrivateAnonymous,
    /// Memory shared by inheritance, System V, POSIX or memfd.
    SharedMemory,
    /// A file, written copies stay private.
    PrivateFile,
    /// A file, writes reach it.
    SharedFile,
    /// Made by the kernel: vdso, vvar, devices.
    Special,
}

impl Backing {
    /// The name in documents and tables.
    pub fn key(self) -> &'static str {
        match self {
            Backing::PrivateAnonymous => "private_anonymous",
            Backing::SharedMemory => "shared_memory",
            Backing::PrivateFile => "private_file",
            Backing::SharedFile => "shared_file",
            Backing::Special => "special",
        }
    }
}

/// Whether address space can be used as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May be touched; pages come when they are.
    Mapped,
    /// Set aside with no access: costs address space, no memory.
    Reserved,
    /// Nothing stands here.
    Free,
}

impl State {
    /// The name in documents and tables.
    pub fn key(self) -> &'static str {
        match self {
            State::Mapped => "mapped",
            State::Reserved => "reserved",
            State::Free => "free",
        }
    }
}

impl Region {
    /// Which of some regions holds an address. They must be in order and not overlap.
    pub fn find(regions: &[Region], address: Address) -> Option<usize> {
        let index = regions.partition_point(|region| region.range.end <= address);
        regions.get(index).filter(|region| region.range.contains(address)).map(|_| index)
    }

    /// How much address space it takes.
    pub fn size(&self) -> Bytes {
        self.range.size()
    }

    /// Its name, empty when it has none.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Mapped or reserved.
    pub fn state(&self) -> State {
        match self.pages {
            Some(pages) if pages.is_committed() => State::Mapped,
            Some(_) => State::Reserved,
            None if self.protection.is_none() => State::Reserved,
            None => State::Mapped,
        }
    }

    /// A file stands behind it, or a name that a core gives only to files.
    pub fn is_file(&self) -> bool {
        self.inode != 0 || self.name().starts_with('/')
    }

    /// Private memory without a file: no inode, and no name but one that a process gave it.
    pub fn is_private_anonymous(&self) -> bool {
        if let Some(pages) = self.pages {
            // Where the type is not told, what belongs to no module is private as good as always.
            return matches!(pages.kind, None | Some(Pages::PRIVATE));
        }
        let name = self.name();
        self.inode == 0
            && !self.protection.shared
            && (name.is_empty()
                || name == "[heap]"
                || name.starts_with("[stack")
                || name.starts_with("[anon:"))
    }

    /// What stands behind it.
    pub fn backing(&self) -> Backing {
        match self.usage {
            Usage::Vdso | Usage::Device => Backing::Special,
            Usage::SysvShm | Usage::PosixShm | Usage::Memfd | Usage::SharedAnonymous => Backing::SharedMemory,
            _ if self.is_private_anonymous() => Backing::PrivateAnonymous,
            _ if !self.is_file() && self.protection.shared => Backing::SharedMemory,
            _ if !self.is_file() => Backing::Special,
            _ if self.protection.shared => Backing::SharedFile,
            _ => Backing::PrivateFile,
        }
    }
}

/// A System V shared memory segment.
///
/// Source: `/proc/sysvipc/shm`, `shmctl(2)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedSegment {
    /// Its id, as `ipcs -m` shows it.
    pub id: u64,
    /// Its size.
    pub size: Bytes,
    /// How many times it is attached, over all processes.
    pub attached: u64,
    /// The process that made it.
    pub creator: u32,
    /// The user that made it.
    pub creator_uid: u32,
}
