use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError};

use residue_model::{Memory, ProcessId, Range, Region, Snapshot, Visit};

use super::pagemap::{Pagemap, Which};
use super::snapshot::read_maps;
use super::still::still;
use super::{ProcDir, ProcessMemory, find, layout, snapshot};
use crate::{Care, Error, Result, Still, StillProgress, Stillness, Target};

/// A running process.
pub struct Process {
    proc_dir: ProcDir,
    pid: ProcessId,
    care: Care,
    memory: OnceLock<TouchedMemory>,
}

impl Process {
    /// The process that a word means: a pid, or the name of just one.
    ///
    /// # Errors
    /// When nothing or several fit.
    pub fn find(word: &str, care: Care) -> Result<Process> {
        let proc_dir = ProcDir::open()?;
        let pid = find(&proc_dir, word)?;
        Ok(Process { proc_dir, pid, care, memory: OnceLock::new() })
    }
}

impl Target for Process {
    fn snapshot(&self) -> Result<Snapshot> {
        snapshot(&self.proc_dir, self.pid, self.care)
    }

    fn layout(&self) -> Result<Snapshot> {
        layout(&self.proc_dir, self.pid)
    }

    fn is_dump(&self) -> bool {
        false
    }

    fn memory(&self) -> Result<&dyn Memory> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let memory = TouchedMemory::open(&self.proc_dir, self.pid)?;
        Ok(self.memory.get_or_init(|| memory))
    }

    fn still(&self, how: Stillness<'_>, progress: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>> {
        still(&self.proc_dir, self.pid, how, progress)
    }
}

/// The memory of a process, where a look costs it nothing.
///
/// The kernel gives a page to shared memory, and a huge one to huge pages, whenever somebody reads there first: of those
/// only what the process has touched is shown.
struct TouchedMemory {
    memory: ProcessMemory,
    /// Where only touched pages may be read, in order of address.
    costly: Vec<Range>,
    pagemap: Mutex<Pagemap>,
}

impl TouchedMemory {
    fn open(proc_dir: &ProcDir, pid: ProcessId) -> Result<TouchedMemory> {
        let memory = ProcessMemory::open(proc_dir, pid)?;
        let mut regions = Vec::new();
        read_maps(proc_dir, pid, &mut regions)?;
        let costly = regions.iter().filter(|region| is_costly(region)).map(|region| region.range).collect();
        let pagemap = Pagemap::open(proc_dir, pid)
            .map_err(|error| Error::reading(format!("/proc/{pid}/pagemap"), error))?;
        Ok(TouchedMemory { memory, costly, pagemap: Mutex::new(pagemap) })
    }

    fn walk_touched(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let mut pagemap = self.pagemap.lock().unwrap_or_else(PoisonError::into_inner);
        // What the page table does not tell is left out.
        let runs = pagemap.touched(range, Which::Touched).unwrap_or_default();
        drop(pagemap);
        for run in runs.iter().filter(|run| !run.is_guard) {
            if let Some(part) = run.range.overlap(range) {
                self.memory.walk(part, window, visit)?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn is_costly(region: &Region) -> bool {
    region.protection.shared || region.name().contains("hugepage")
}

impl Memory for TouchedMemory {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let first = self.costly.partition_point(|costly| costly.end <= range.start);
        let mut at = range.start;
        for part in self.costly[first..].iter().map_while(|costly| costly.overlap(range)) {
            self.memory.walk(Range { start: at, end: part.start }, window, visit)?;
            self.walk_touched(part, window, visit)?;
            at = part.end;
        }
        self.memory.walk(Range { start: at, end: range.end }, window, visit)
    }
}
