use serde::{Deserialize, Serialize};

use crate::{Address, Footprint};

/// The number the kernel gives a process. Numbers come back: with the start time it is an identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProcessId(pub u32);

impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a process is doing, as far as memory cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// Runs or sleeps: it has memory.
    #[default]
    Alive,
    /// Has ended and waits for its parent: its memory is gone.
    Zombie,
    /// Part of the kernel: it has no user memory.
    Kernel,
}

/// One process as it stood when it was read.
///
/// Names are printable: control characters and bytes that are not UTF-8 stand as `\xNN`, so no name can write to a
/// terminal or break a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its number in the pid namespace of the reader.
    pub pid: ProcessId,
    /// Start time in clock ticks since boot, on Windows in 100 ns since 1601; with `pid` the identity of the process.
    pub start_ticks: Option<u64>,
    /// The short name (`comm`), at most 15 bytes; on Windows the file name of the program.
    pub name: String,
    /// The command line, arguments parted by spaces.
    pub command: Option<String>,
    /// The real user.
    pub uid: Option<u32>,
    /// The name of that user where the process was read.
    pub user: Option<String>,
    /// Alive, zombie or kernel thread.
    pub state: ProcessState,
    /// Its memory.
    #[serde(flatten)]
    pub footprint: Footprint,
    /// Page faults that needed I/O.
    pub majflt: Option<u64>,
    /// Page faults that did not; on Windows, which does not tell them apart, all of them.
    pub minflt: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Mapped regions.
    pub maps: Option<u64>,
    /// Open handles, of a Windows process.
    pub handles: Option<u64>,
    /// How gladly the kernel would kill it: 0 to 2000.
    pub oom_score: Option<i64>,
}

/// One thread of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its number.
    pub tid: u32,
    /// The one that the process began with: its stack is the main stack.
    pub is_main: bool,
    /// Its short name.
    pub name: String,
    /// Where its stack pointer stood, if the target told.
    pub stack_pointer: Option<Address>,
    /// An address in the thread's own control block: with glibc and musl at the upper end of the stack that
    /// `pthread_create` made; on Windows the TEB.
    pub control_block: Option<Address>,
    /// Its general registers in the order of the processor's `user_regs_struct`, where somebody saved them.
    #[serde(skip)]
    pub registers: Vec<u64>,
    /// What the processor takes for the start of thread-local storage: `fs_base` on x86-64, `tpidr_el0` on 64-bit ARM.
    #[serde(skip)]
    pub thread_pointer: Option<Address>,
}
