//! All threads of a process, stopped together for a moment.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use residue_model::{Gap, ProcessId};

use super::tracee::{self, State};
use crate::live::linux::ProcDir;
use crate::procfs::{number, printable};
use crate::{Error, ErrorKind, Result};

/// How long a thread may take to stop. One that is not on a processor may have to wait for its turn.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long one may take that waits where no signal reaches it, which can last for ever: `vfork`, a dead disk.
const PATIENCE_ASLEEP: Duration = Duration::from_millis(100);

/// The longest nap between two looks whether a thread has stopped: `waitpid` knows no time limit, and a thread that no
/// signal reaches would keep all others standing for ever.
const NAP: Duration = Duration::from_micros(500);

/// A thread that was seized.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) tid: u32,
    pub(super) state: State,
}

/// A process whose threads stand still until this is dropped, at the latest.
///
/// Only the thread that made it may use it. Should that thread end without dropping it, the kernel lets go by itself.
pub(super) struct Frozen<'a> {
    proc_dir: &'a ProcDir,
    pid: ProcessId,
    /// In order of number, the main thread first.
    held: Vec<Held>,
    since: Instant,
}

impl<'a> Frozen<'a> {
    /// Stops all threads, those too that begin meanwhile.
    ///
    /// # Errors
    /// When the process is gone, the kernel refuses, someone else traces it, or no thread stops.
    pub(super) fn stop(proc_dir: &'a ProcDir, pid: ProcessId) -> Result<Frozen<'a>> {
        let mut frozen = Frozen { proc_dir, pid, held: Vec::new(), since: Instant::now() };
        // Until all that are known have stopped, they may start others.
        while frozen.seize_new()? > 0 {
            frozen.await_all()?;
        }
        let is_main = |held: &Held| held.tid == pid.0;
        frozen.held.sort_by_key(|held| (!is_main(held), held.tid));
        if frozen.stopped().next().is_some() {
            return Ok(frozen);
        }
        let alive = frozen.held.iter().any(|held| held.state == State::Running);
        let (kind, what) = if alive {
            (
                ErrorKind::Io,
                format!("no thread of process {pid} stops: all wait where no signal reaches them"),
            )
        } else {
            (ErrorKind::Ended, format!("process {pid} ended while it was stopped"))
        };
        Err(Error::new(kind, what))
    }

    /// The threads that stand, and the signal that each was about to get.
    pub(super) fn stopped(&self) -> impl Iterator<Item = (u32, i32)> {
        self.held.iter().filter_map(|held| match held.state {
            State::Stopped { signal } => Some((held.tid, signal)),
            _ => None,
        })
    }

    /// Threads without registers. None of them runs a line of the program before it is let go.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Gap> {
        let running = self.held.iter().filter(|held| held.state == State::Running);
        running.map(|held| {
            let what = format!("registers of thread {} of process {}", held.tid, self.pid);
            Gap::new(what, "it waits in the kernel, where no signal reaches it, and did not stop")
        })
    }

    /// Lets all threads run on, and says how long the first of them stood.
    pub(super) fn resume(mut self) -> Duration {
        self.let_go();
        self.since.elapsed()
    }

    fn let_go(&mut self) {
        for held in self.held.drain(..) {
            if let State::Stopped { signal } = held.state {
                // A thread that was killed meanwhile is gone, which is no failure here.
                let _ = tracee::detach(held.tid, signal);
            }
        }
    }

    /// Seizes the threads that are not held yet, and says how many.
    fn seize_new(&mut self) -> Result<usize> {
        let listed = self.proc_dir.threads(self.pid).map_err(|error| self.failed(error))?;
        let before = self.held.len();
        for tid in listed {
            if self.held[..before].iter().any(|held| held.tid == tid) {
                continue;
            }
            match tracee::seize(tid).and_then(|()| tracee::interrupt(tid)) {
                Ok(()) => self.held.push(Held { tid, state: State::Running }),
                Err(_) if self.has_ended(tid) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(self.held.len() - before)
    }

    fn await_all(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut nap = Duration::from_micros(10);
        loop {
            let mut running = Vec::new();
            for held in self.held.iter_mut().filter(|held| held.state == State::Running) {
                held.state = tracee::state(held.tid)
                    .map_err(|error| Error::reading(format!("thread {}", held.tid), error))?;
                if held.state == State::Running {
                    running.push(held.tid);
                }
            }
            let waited = begun.elapsed();
            let given_up = waited > PATIENCE
                || waited > PATIENCE_ASLEEP && running.iter().all(|&tid| self.is_out_of_reach(tid));
            if running.is_empty() || given_up {
                return Ok(());
            }
            thread::sleep(nap);
            nap = (nap * 2).min(NAP);
        }
    }

    fn has_ended(&self, tid: u32) -> bool {
        matches!(self.letter(tid), None | Some(b'Z' | b'X' | b'x'))
    }

    fn is_out_of_reach(&self, tid: u32) -> bool {
        matches!(self.letter(tid), None | Some(b'D' | b'Z' | b'X' | b'x'))
    }

    fn letter(&self, tid: u32) -> Option<u8> {
        letter(self.proc_dir, self.pid, tid)
    }

    fn failed(&self, error: io::Error) -> Error {
        let pid = self.pid;
        if error.kind() == io::ErrorKind::PermissionDenied
            && let Some(traced) = traced(self.proc_dir, pid)
        {
            return traced;
        }
        Error::reading(format!("the threads of process {pid}"), error)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The state of a thread as `stat` prints it; none of one that is gone.
pub(super) fn letter(proc_dir: &ProcDir, pid: ProcessId, tid: u32) -> Option<u8> {
    let text = proc_dir.read_path(&format!("{pid}/task/{tid}/stat")).ok()?;
    text.get(memchr::memrchr(b')', &text)? + 2).copied()
}

/// The refusal to stop a process that someone else traces: two tracers cannot be.
pub(super) fn traced(proc_dir: &ProcDir, pid: ProcessId) -> Option<Error> {
    let text = proc_dir.read_path(&format!("{pid}/status")).ok()?;
    let mut fields = text.split(|&byte| byte == b'\n').filter_map(number::key_value);
    let tracer =
        fields.find(|(key, _)| *key == b"TracerPid").and_then(|(_, value)| number::decimal(value))?;
    if tracer == 0 {
        return None;
    }
    let name = proc_dir.read_path(&format!("{tracer}/comm")).unwrap_or_default();
    let what =
        format!("process {pid} is being traced by process {tracer} ({})", printable(name.trim_ascii_end()));
    let help =
        "only one tracer can be at a time: end that one, or let it write the core (gdb: generate-core-file)";
    Some(Error::new(ErrorKind::PermissionDenied, what).help(help))
}
