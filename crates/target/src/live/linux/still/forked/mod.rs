//! A process made to fork while it stands, so that it can run on while its memory is copied.
//!
//! The child stands where it was born and is copied at leisure. Until it is ours to kill, it ends by itself; from then on it
//! ends with Residue. `stub` says how the process itself gets back to where it was, with Residue or without.

mod chosen;
mod padding;
mod refusal;
mod stub;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use residue_model::{Address, Gap, ProcessId};

use crate::live::linux::ProcDir;
use crate::live::linux::dump::machine::GENERAL;
use crate::live::linux::freeze::{Frozen, letter};
use crate::live::linux::map::Map;
use crate::live::linux::steer::{self, Event, Stops};
use crate::live::linux::tracee;
use crate::{Error, ErrorKind, Result};

use chosen::Chosen;
pub(super) use refusal::check;
use stub::{LAST_CALL, ORIG_RAX, RAX, RIP, Registers};

/// How long one step of the fork may take. Terabytes of page tables take seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks, once the first ones were in vain.
const NAP: Duration = Duration::from_micros(200);

/// A child that stands and holds the memory of its parent. It is killed when this is dropped, and when Residue is.
pub(super) struct Child {
    pub(super) pid: ProcessId,
    /// How long the kernel took to make it.
    pub(super) took: Duration,
}

/// How long whoever got the child is given to take note of its end.
const GRACE: Duration = Duration::from_millis(50);

impl Child {
    /// Ends it. Its parent is the nearest process above the program that takes in orphans: `init`, as a rule, and now and
    /// then one that does not do what `init` should.
    pub(super) fn end(self, proc_dir: &ProcDir) -> Option<Gap> {
        let pid = self.pid;
        drop(self);
        let begun = Instant::now();
        while begun.elapsed() < GRACE {
            letter(proc_dir, pid, pid.0)?;
            thread::sleep(NAP);
        }
        let what = format!("whether the child {pid} of the snapshot is gone");
        Some(Gap::new(
            what,
            "it has ended; until its parent takes note, a zombie stays in the list of processes",
        ))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Either may find it gone already.
        let _ = steer::kill(self.pid.0);
        let _ = await_end(self.pid.0);
    }
}

fn await_end(pid: u32) -> io::Result<()> {
    while await_event(pid)? != Event::Gone {}
    Ok(())
}

/// Makes a stopped process fork. Its thread stands again as it stood when this returns; should it fail, the process heals
/// as soon as it is let go.
///
/// # Errors
/// When no thread can do it, there is no room for the stub, or the kernel refuses.
pub(super) fn fork(proc_dir: &ProcDir, pid: ProcessId, map: &Map, frozen: &Frozen<'_>) -> Result<Child> {
    let failed = |error| failed(pid, error);
    let memory = proc_dir.open_to_write(&format!("{pid}/mem")).map_err(failed)?;
    let chosen = Chosen::among(proc_dir, frozen, &memory, pid)?;
    let at = padding::find(&memory, map).ok_or_else(|| {
        let what =
            format!("no program or library of process {pid} has room for the few instructions of a fork");
        Error::new(ErrorKind::Unsupported, what).help("take it without --snapshot")
    })?;
    let errand = Errand { chosen, at, memory };
    let child = errand.run().map_err(failed)?;
    child.ok_or_else(|| {
        let what = format!("the kernel lets process {pid} make no child");
        Error::new(ErrorKind::Unsupported, what).help(
            "its memory or its number of processes may be limited (ulimit -u, pids.max): take it without --snapshot",
        )
    })
}

fn failed(pid: ProcessId, error: io::Error) -> Error {
    // Nobody is left to be waited for.
    let is_over = error.raw_os_error() == Some(libc::ECHILD);
    let error = if is_over { io::Error::from_raw_os_error(libc::ESRCH) } else { error };
    let error = Error::reading(format!("process {pid} through a fork"), error);
    match error.kind() {
        ErrorKind::Io => {
            error.help("it goes on as before. Without --snapshot it is stopped while its memory is copied")
        }
        _ => error,
    }
}

struct Errand {
    chosen: Chosen,
    /// Where the stub stands.
    at: Address,
    memory: File,
}

impl Errand {
    /// `None` when the program may not fork.
    fn run(&self) -> io::Result<Option<Child>> {
        let written =
            self.memory.write_all_at(&stub::of(self.chosen.mask, &self.chosen.registers), self.at.0);
        if let Err(error) = written.and_then(|()| self.divert()) {
            let _ = padding::clear(&self.memory, self.at);
            return Err(error);
        }
        let child = self.helper()?.map(child_of).transpose()?.flatten();
        self.bring_back()?;
        padding::clear(&self.memory, self.at)?;
        Ok(child)
    }

    /// Sends the thread to the stub.
    ///
    /// The mask comes second. Were we killed between the two, a thread that blocks all signals would go on blocking them
    /// for ever; one that runs the stub without is at most interrupted there.
    fn divert(&self) -> io::Result<()> {
        let Chosen { tid, registers, .. } = &self.chosen;
        let mut diverted: Registers = *registers;
        diverted[RIP] = self.at.0;
        diverted[RAX] = 0;
        // It is in no system call that would have to be made again.
        diverted[ORIG_RAX] = u64::MAX;
        steer::set_stops(*tid, Stops::Children)?;
        steer::set_registers(*tid, GENERAL, &diverted)?;
        steer::set_signal_mask(*tid, u64::MAX).inspect_err(|_| {
            let _ = steer::set_registers(*tid, GENERAL, registers);
        })
    }

    /// Lets the thread run until it has begun its helper, which stands too.
    fn helper(&self) -> io::Result<Option<u32>> {
        let tid = self.chosen.tid;
        match self.run_until(|event| event == Event::Vforked)? {
            Event::Vforked => steer::child(tid).map(Some),
            // It is about to set its mask: the helper could not be made.
            _ => Ok(None),
        }
    }

    /// Lets the thread run until its mask is its own again, and gives it back its registers.
    fn bring_back(&self) -> io::Result<()> {
        let tid = self.chosen.tid;
        if !self.makes_last_call()? {
            self.run_until(|_| false)?;
        }
        // It stops right behind the call, before any signal gets to it.
        tracee::interrupt(tid)?;
        steer::go_on(tid, 0)?;
        loop {
            match await_event(tid)? {
                Event::Stop => break,
                Event::Signal(number) => steer::go_on(tid, number)?,
                _ => steer::go_on(tid, 0)?,
            }
        }
        if self.registers()?[RIP] != self.at.0 + stub::unmasked() {
            return Err(io::Error::other("its thread is not where it should be"));
        }
        steer::set_registers(tid, GENERAL, &self.chosen.registers)?;
        if self.registers()? == self.chosen.registers {
            Ok(())
        } else {
            Err(io::Error::other("the registers of its thread cannot be put back"))
        }
    }

    /// Lets the thread run until an event that is wanted, or until it makes the last call of the stub.
    fn run_until(&self, wanted: impl Fn(Event) -> bool) -> io::Result<Event> {
        let tid = self.chosen.tid;
        let mut signal = 0;
        loop {
            steer::go_on_to_call(tid, signal)?;
            signal = 0;
            match await_event(tid)? {
                event if wanted(event) => return Ok(event),
                Event::SystemCall if self.makes_last_call()? => return Ok(Event::SystemCall),
                // Only those that cannot be blocked get here.
                Event::Signal(number) => signal = number,
                Event::Gone => return Err(io::Error::from_raw_os_error(libc::ESRCH)),
                _ => {}
            }
        }
    }

    fn makes_last_call(&self) -> io::Result<bool> {
        let registers = self.registers()?;
        Ok(registers[ORIG_RAX] == LAST_CALL && registers[RIP] == self.at.0 + stub::unmasked())
    }

    fn registers(&self) -> io::Result<Registers> {
        chosen::registers(self.chosen.tid)
    }
}

/// The child of a helper that has just been born.
fn child_of(helper: u32) -> io::Result<Option<Child>> {
    expect(helper, Event::Stop)?;
    let begun = Instant::now();
    steer::go_on(helper, 0)?;
    if await_event(helper)? != Event::Cloned {
        return Ok(None);
    }
    let took = begun.elapsed();
    let child = Child { pid: ProcessId(steer::child(helper)?), took };
    expect(child.pid.0, Event::Stop)?;
    steer::set_stops(child.pid.0, Stops::Dies)?;
    // It has nothing to do but to end, for which the program waits.
    tracee::detach(helper, 0)?;
    Ok(Some(child))
}

fn expect(tid: u32, event: Event) -> io::Result<()> {
    match await_event(tid)? {
        found if found == event => Ok(()),
        found => Err(io::Error::other(format!("its thread {tid} stands at {found:?}"))),
    }
}

fn await_event(tid: u32) -> io::Result<Event> {
    let begun = Instant::now();
    loop {
        let event = steer::event(tid)?;
        if event != Event::Running {
            return Ok(event);
        }
        match begun.elapsed() {
            // Most steps take a few microseconds, and the shortest nap of some machines a thousand.
            waited if waited < NAP => thread::yield_now(),
            waited if waited < PATIENCE => thread::sleep(NAP),
            _ => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
