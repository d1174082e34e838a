//! A segment as the collector sees it. The program may write anything there: every index is compared, every copy is one of
//! plain numbers.

#![allow(unsafe_code, reason = "copies events that another process may be writing")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use residue_recording::Event;
use residue_recording::wire::{CAPACITY, Header, Layout, MAGIC, ModuleRow, NODES, Node, Ring, VERSION};

use crate::shared::Mapping;

/// What one program image tells.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    mapping: Mapping,
    layout: Layout,
    rings: u32,
}

/// A frame: its caller, its return address, its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) caller: u32,
    pub(crate) address: u64,
    /// Counted from 1; 0 is none.
    pub(crate) module: u16,
}

/// An image that code is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) path: Vec<u8>,
    pub(crate) build_id: Vec<u8>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) bias: u64,
}

const _: () = assert!(align_of::<Header>() <= 4096);

impl Segment {
    /// Maps a segment; None while its recorder has not finished making it.
    ///
    /// # Errors
    /// When it cannot be opened, is no segment, or of another version.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Segment>> {
        let file = File::options().read(true).write(true).open(path)?;
        let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if size < size_of::<Header>() {
            return Ok(None);
        }
        let mapping = Mapping::of(&file, size)?;
        let header: &Header = mapping.get(0).ok_or(io::ErrorKind::InvalidData)?;
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Ok(None);
        }
        let rings = header.rings.load(Ordering::Relaxed);
        let layout = Layout::of(rings.min(1 << 16));
        if header.version.load(Ordering::Relaxed) != VERSION || layout.size > size || rings > 1 << 16 {
            return Err(io::Error::other("it is of another version, or damaged"));
        }
        Ok(Some(Segment { file, mapping, layout, rings }))
    }

    pub(crate) fn header(&self) -> &Header {
        self.mapping.get(0).expect("it was compared with the size when it was mapped")
    }

    /// How many rings must be looked at.
    pub(crate) fn rings_used(&self) -> u32 {
        self.header().rings_used.load(Ordering::Acquire).min(self.rings)
    }

    /// How many rings there are.
    pub(crate) fn rings(&self) -> u32 {
        self.rings
    }

    pub(crate) fn ring(&self, number: u32) -> Option<&Ring> {
        let offset = self.layout.rings + number as usize * size_of::<Ring>();
        (number < self.rings).then(|| self.mapping.get(offset)).flatten()
    }

    /// The frame of a node. None for the root, and what is not there.
    pub(crate) fn frame(&self, number: u32) -> Option<Frame> {
        if number == 0 || number as usize >= NODES {
            return None;
        }
        let node: &Node = self.mapping.get(self.layout.nodes + number as usize * size_of::<Node>())?;
        let code = node.code.load(Ordering::Relaxed);
        let (address, module) = (code & ((1 << 48) - 1), (code >> 48) as u16);
        Some(Frame { caller: node.caller.load(Ordering::Relaxed), address, module })
    }

    /// All modules, the one with number 1 first.
    pub(crate) fn modules(&self) -> Vec<Image> {
        let count = (self.header().modules.load(Ordering::Acquire) as usize).min(self.layout.most_modules);
        (1..=count).filter_map(|number| self.module(number)).collect()
    }

    /// The module with that number; code of none has number 0.
    pub(crate) fn module(&self, number: usize) -> Option<Image> {
        let place = number.checked_sub(1).filter(|&place| place < self.layout.most_modules)?;
        let row: &ModuleRow = self.mapping.get(self.layout.modules + place * size_of::<ModuleRow>())?;
        let load = |field: &std::sync::atomic::AtomicU64| field.load(Ordering::Relaxed);
        let length = (row.build_id_length.load(Ordering::Relaxed) as usize).min(row.build_id.len());
        Some(Image {
            path: self.text(row.path.load(Ordering::Relaxed), row.path_length.load(Ordering::Relaxed)),
            build_id: row.build_id[..length].iter().map(|byte| byte.load(Ordering::Relaxed)).collect(),
            start: load(&row.start),
            end: load(&row.end),
            bias: load(&row.bias),
        })
    }

    /// A text; what reaches beyond all texts is cut.
    pub(crate) fn text(&self, at: u32, length: u32) -> Vec<u8> {
        let end = (at as usize).saturating_add((length as usize).min(4096)).min(self.layout.most_texts);
        let byte = |place: usize| self.mapping.get::<AtomicU8>(self.layout.texts + place);
        (at as usize..end).filter_map(byte).map(|byte| byte.load(Ordering::Relaxed)).collect()
    }

    /// Whether anyone but us has this segment mapped still. None when the kernel does not tell.
    ///
    /// A lease on writing is given only while nobody else has the file open for it, and a mapping holds it open.
    pub(crate) fn is_held(&self) -> Option<bool> {
        let lease = |kind: libc::c_int| {
            // SAFETY: it touches no memory, and the descriptor is open.
            unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETLEASE, kind) }
        };
        if lease(libc::F_WRLCK) == 0 {
            lease(libc::F_UNLCK);
            return Some(false);
        }
        (io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock).then_some(true)
    }
}

/// An event of a ring: what stands there, whether it was ever written or not.
pub(crate) fn event(ring: &Ring, number: u64) -> Event {
    #[allow(clippy::cast_possible_truncation, reason = "modulo the capacity")]
    let cell = &ring.events[number as usize % CAPACITY];
    // SAFETY: the cell is within the ring, and any bits are an event. Its writer leaves it alone until the tail has
    // passed it; one that does not tears numbers, which are compared before they are used.
    unsafe { cell.get().read_volatile() }
}
