//! A program from its start to its end, or to the end of the recording.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use residue_target::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::clock::Clock;
use crate::collector::{Collector, Words, end};
use crate::session::{Bell, Session, own};
use crate::{Lost, Plan, Progress, Recorded, program, recorder, spawn};

/// The program hears Ctrl-C too: so long it may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts a program and records it, until it and what it started have ended. `interrupts` counts how often the user has
/// asked to end it: once gives the program some time to end itself, twice ends the recording at once; the program runs on.
/// A process that ends by itself is shown to `at_end` before, by its pid, to be asked what nobody can reach any more.
///
/// # Errors
/// When the program cannot be started with a recorder inside, or a recording not be written.
pub fn record(
    plan: &Plan,
    progress: &mut dyn FnMut(&Progress),
    interrupts: &dyn Fn() -> usize,
    at_end: &mut dyn FnMut(u32) -> Option<Lost>,
) -> Result<Recorded> {
    let Some(command) = plan.command.first() else {
        return Err(Error::new(ErrorKind::NotFound, "there is no program to record").help("name one"));
    };
    let file = program::found(command)?;
    check_output(plan)?;
    let recorder = recorder::placed()?;
    let session = Session::start(plan)?;
    let words = Words::of(plan, &file);
    let mut collector = Collector::new(&session, plan, &words, Clock::start());
    let child = spawn::start(plan, &file, &recorder, &session.folder)?;
    collector.set_first(child.id());
    let ended = wait(child, session.bell()).map_err(|error| own("failed to start a thread", &error))?;

    let status = Cell::new(None);
    let first_interrupt: Cell<Option<Instant>> = Cell::new(None);
    let is_interrupted = Cell::new(false);
    let is_enough = |_: Option<ExitStatus>| {
        let count = interrupts();
        if count > 0 && first_interrupt.get().is_none() {
            first_interrupt.set(Some(Instant::now()));
        }
        let is_late = first_interrupt.get().is_some_and(|since| since.elapsed() >= PATIENCE);
        if is_late || count > 1 {
            is_interrupted.set(true);
        }
        is_interrupted.get()
    };
    let look = || {
        if let Ok(ended) = ended.try_recv() {
            status.set(Some(ended));
        }
        status.get()
    };
    collector.run(look, is_enough, progress, at_end);
    let programs = collector.segments;
    let status = status.get();
    let gathered = collector.end(status)?;
    Ok(Recorded {
        files: gathered.files,
        end: status.map(end),
        events: gathered.events,
        programs,
        is_interrupted: is_interrupted.get() || first_interrupt.get().is_some(),
        gaps: gathered.gaps,
    })
}

/// What cannot be written at the end is better said at the start.
fn check_output(plan: &Plan) -> Result<()> {
    let folder = match plan.output.as_deref().and_then(Path::parent) {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if plan.output.as_ref().is_some_and(|output| output.is_dir()) {
        let name = plan.output.as_deref().unwrap_or(folder).display().to_string();
        return Err(Error::writing(&name, io::ErrorKind::IsADirectory.into())
            .help(format!("give a file in it: -o {name}/a.residue")));
    }
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::writing(format!("a recording to {}", folder.display()), error)
            .help("give a file that can be written: -o FILE")),
    }
}

/// Returns when a child has ended. Waiting for the child itself would take the news of its stops, too, from whoever traces it
/// from another thread of ours.
fn await_end(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(handle) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    while poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) == Err(Errno::INTR) {}
}

/// A thread that waits for the child, and wakes the collector at its end.
fn wait(mut child: Child, bell: Bell) -> io::Result<Receiver<ExitStatus>> {
    let (sender, ended) = channel();
    thread::Builder::new().name("wait".into()).spawn(move || {
        await_end(&child);
        if let Ok(status) = child.wait() {
            // Nobody listens when the recording was ended before.
            let _ = sender.send(status);
            bell.ring();
        }
    })?;
    Ok(ended)
}
