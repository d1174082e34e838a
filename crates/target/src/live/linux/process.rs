use std::sync::OnceLock;

use residue_model::{Memory, ProcessId, Snapshot};

use super::{ProcDir, ProcessMemory, find, snapshot};
use crate::{Care, Result, Target};

/// A running process.
pub struct Process {
    proc_dir: ProcDir,
    pid: ProcessId,
    care: Care,
    memory: OnceLock<ProcessMemory>,
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

    fn memory(&self) -> Result<&dyn Memory> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let memory = ProcessMemory::open(&self.proc_dir, self.pid)?;
        Ok(self.memory.get_or_init(|| memory))
    }
}
