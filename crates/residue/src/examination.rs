//! A target held still and its heaps walked: what every question about blocks begins with.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use residue_analysis::classify;
use residue_analysis::content::Layout;
use residue_analysis::examined::Circumstances;
use residue_analysis::reachability::Scene;
use residue_analysis::types::{Names, Types};
use residue_heap::{Image, Walked};
use residue_model::{
    Address, Blocks, Bytes, Gap, Heap, Memory, Os, Pieces, Range, Recognised, Region, Snapshot, Thread,
};
use residue_target::symbols::{Modules, WithFiles, demangle};
use residue_target::{Error as TargetError, ErrorKind, Still, StillProgress, Stillness, Target};

use crate::{Interrupt, Result};

/// How far an examination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapProgress {
    /// The target is being held still.
    Still(StillProgress),
    /// Its heaps are being walked.
    Walking,
    /// So much memory was searched for pointers.
    Scanned(Bytes),
    /// Blocks are being told by type.
    Typing,
}

/// A target held still, and its blocks.
pub struct Examination<'a> {
    pub(crate) still: Still<'a>,
    pub(crate) memory: Option<&'a dyn Memory>,
    pub(crate) blocks: Blocks,
    pub(crate) modules: Modules,
    snapshot: Snapshot,
    heaps: Vec<Heap>,
    recognised: Vec<Recognised>,
    claimed: Vec<Range>,
    gaps: Vec<Gap>,
    is_fuzzy: bool,
}

/// Memory in place and with files, borrowed from an examination.
pub(crate) struct View<'e> {
    pub(crate) pieces: Pieces<'e>,
    examination: &'e Examination<'e>,
}

impl<'a> Examination<'a> {
    /// Holds a target still and walks its heaps.
    ///
    /// # Errors
    /// When it cannot be held still, or no walker knows its kind of machine.
    pub fn of(
        target: &'a dyn Target,
        stillness: Stillness<'_>,
        progress: &mut dyn FnMut(HeapProgress),
    ) -> Result<Examination<'a>> {
        let still = target.still(stillness, &mut |more| progress(HeapProgress::Still(more)))?;
        let mut snapshot = still.snapshot.clone();
        refuse(&snapshot)?;
        progress(HeapProgress::Walking);
        let memory = target.memory().ok();
        let pieces = still.pieces();
        classify(&mut snapshot, memory.unwrap_or(&pieces));
        let modules = Modules::of(&snapshot, memory.unwrap_or(&pieces));
        let rest = WithFiles { memory: memory.unwrap_or(&pieces), modules: &modules };
        let image =
            Image { pieces: &pieces, regions: &snapshot.regions, threads: &snapshot.threads, rest: &rest };
        let Walked { mut heaps, recognised, gaps } = residue_heap::walk(&image);
        let runs = heaps.iter_mut().flat_map(|heap| std::mem::take(&mut heap.blocks).into_runs()).collect();
        let (blocks, refused) = Blocks::new(runs);
        let mut all = std::mem::take(&mut snapshot.gaps);
        all.extend(gaps);
        if let Some(first) = refused.first() {
            let what = format!("{} stretches of blocks, the first at {}", refused.len(), first.range().start);
            all.push(Gap::new(
                what,
                "two allocators claim them; those of the one that begins first are shown",
            ));
        }
        all.extend(missing_stacks(&snapshot, &pieces));
        drop(pieces);
        let mut claimed: Vec<Range> = heaps.iter().flat_map(claimed).collect();
        claimed.sort_by_key(|range| range.start);
        let is_fuzzy = still.stop.is_some_and(|stop| stop.ran_on);
        Ok(Examination {
            still,
            memory,
            blocks,
            modules,
            snapshot,
            heaps,
            recognised,
            claimed,
            gaps: all,
            is_fuzzy,
        })
    }

    /// Whether there is a heap to look at.
    pub fn has_heap(&self) -> bool {
        !self.heaps.is_empty()
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { pieces: self.still.pieces(), examination: self }
    }

    /// How the target was looked at, and by what names its types are told.
    pub(crate) fn circumstances(&self, needs_names: bool) -> Circumstances {
        let mut gaps = self.gaps.clone();
        if needs_names {
            gaps.extend(self.modules.gaps().iter().cloned());
        }
        for other in self.recognised.iter().filter(|other| !other.walked && !other.holds.is_empty()) {
            let version = other.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
            let what = format!("blocks of {}{version}", other.name);
            gaps.push(Gap::new(what, "Residue cannot walk its heap yet: leaks in it are not checked"));
        }
        if self.heaps.is_empty() {
            gaps.push(Gap::new(
                "blocks and leaks",
                "no heap of an allocator that Residue can walk was found: glibc, jemalloc 5.3, musl's mallocng",
            ));
        }
        Circumstances {
            snapshot: self.snapshot.clone(),
            stop: self.still.stop,
            is_fuzzy: self.is_fuzzy,
            heaps: self.heaps.clone(),
            recognised: self.recognised.clone(),
            gaps,
        }
    }

    pub(crate) fn threads(&self) -> &[Thread] {
        &self.snapshot.threads
    }
}

impl<'e> View<'e> {
    pub(crate) fn examination(&self) -> &'e Examination<'e> {
        self.examination
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        let of = self.examination;
        Scene {
            pieces: &self.pieces,
            regions: &of.snapshot.regions,
            threads: &of.snapshot.threads,
            blocks: &of.blocks,
            claimed: &of.claimed,
        }
    }

    /// Memory with what stands in files.
    pub(crate) fn files(&self) -> WithFiles<'_> {
        let of = self.examination;
        WithFiles { memory: of.memory.unwrap_or(&self.pieces), modules: &of.modules }
    }

    /// Calls with the means to tell types.
    pub(crate) fn with_types<T>(&self, then: impl FnOnce(&mut Types<'_>) -> T) -> T {
        let of = self.examination;
        let files = self.files();
        let class_at = |at: Address| {
            let symbol = of.modules.symbol_at(at)?;
            symbol.class().map(str::to_owned)
        };
        let place_of = |at: Address| {
            let module = of.modules.module_at(at)?;
            Some(format!("{}+{:#x}", module.file_name(), at.0 - module.range.start.0))
        };
        let names = Names { class_at: &class_at, place_of: &place_of, demangle: &|name| demangle(name) };
        let layout = Layout::of_snapshot(&of.snapshot);
        then(&mut Types::new(&self.pieces, &files, &of.snapshot.regions, layout, names))
    }
}

/// Runs long work that other threads may share, while this one tells how far it is and listens for an interrupt.
pub(crate) fn attended<T: Send>(
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(HeapProgress),
    work: impl FnOnce(&(dyn Fn(u64) -> ControlFlow<()> + Sync)) -> T + Send,
) -> T {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let (scanned, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let tell = |more: u64| {
        scanned.fetch_add(more, Ordering::Relaxed);
        if is_over.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&tell));
        while !worker.is_finished() {
            if interrupt.wait_for(LOOK_EVERY, || worker.is_finished()) {
                is_over.store(true, Ordering::Relaxed);
            }
            progress(HeapProgress::Scanned(Bytes(scanned.load(Ordering::Relaxed))));
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Targets that no walker knows, said before anything else is done.
fn refuse(snapshot: &Snapshot) -> Result<()> {
    let what = match () {
        () if snapshot.machine.os != Os::Linux => {
            format!("heaps of {} processes", snapshot.machine.os.label())
        }
        () if snapshot.space.bits != 64 => "heaps of 32-bit processes".into(),
        () if snapshot.machine.big_endian => "heaps of big-endian machines".into(),
        () => return Ok(()),
    };
    let error = TargetError::new(ErrorKind::Unsupported, format!("{what} cannot be walked yet"));
    Err(error.help("what is in its memory: residue triage, residue map, residue search").into())
}

/// What belongs to an allocator, beside its blocks.
fn claimed(heap: &Heap) -> Vec<Range> {
    let extents = heap.arenas.iter().flat_map(|arena| arena.extents.iter().copied());
    heap.metadata.iter().copied().chain(extents).collect()
}

/// Threads whose stack or registers are not there: what only they hold would pass for lost.
fn missing_stacks(snapshot: &Snapshot, pieces: &Pieces<'_>) -> Vec<Gap> {
    // No stack begins with zeros: where a page could not be read, gdb leaves zeros for it and all around it.
    let holds = |pointer: Address| {
        let held = pieces.from(pointer);
        held[..held.len().min(STACK_TOP)].iter().any(|&byte| byte != 0)
    };
    let is_saved = |thread: &&Thread| thread.stack_pointer.is_none_or(holds);
    let lost = snapshot.threads.iter().filter(|thread| !is_saved(thread)).count();
    let blind = snapshot.threads.iter().filter(|thread| thread.registers.is_empty()).count();
    let all = snapshot.threads.len();
    let gap = |count: usize, what: &str| {
        (count > 0).then(|| {
            let what = format!("{what} of {count} of {all} threads");
            Gap::new(what, "blocks that only they hold are called lost though they are not")
        })
    };
    let threads = (all == 0)
        .then(|| Gap::new("all threads", "blocks that only they hold are called lost though they are not"));
    gap(lost, "the stacks").into_iter().chain(gap(blind, "the registers")).chain(threads).collect()
}

/// So much of a live stack holds at least where its function returns to.
const STACK_TOP: usize = 0x1000;

/// The region that an address lies in.
pub(crate) fn region_at(snapshot: &Snapshot, address: Address) -> Option<&Region> {
    Region::find(&snapshot.regions, address).map(|index| &snapshot.regions[index])
}
