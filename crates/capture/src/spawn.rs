#![allow(unsafe_code, reason = "sets signals in a child before it runs its program")]

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::ptr::null_mut;

use residue_recording::wire::SESSION_VARIABLE;
use residue_target::{Error, ErrorKind, Result};

use crate::Plan;

const PRELOAD: &str = "LD_PRELOAD";

/// What a program would have inherited of us: which signals it does not get. Taken before handlers of ours are set, and
/// given to the program as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    ignored: Vec<i32>,
    blocked: Option<SignalSet>,
}

#[derive(Clone, Copy)]
struct SignalSet(libc::sigset_t);

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signals = (1..=64).filter(|&signal| self.has(signal));
        f.debug_set().entries(signals).finish()
    }
}

impl PartialEq for SignalSet {
    fn eq(&self, other: &SignalSet) -> bool {
        (1..=64).all(|signal| self.has(signal) == other.has(signal))
    }
}

impl Eq for SignalSet {}

impl SignalSet {
    fn has(&self, signal: i32) -> bool {
        // SAFETY: it only reads the set.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }
}

impl Signals {
    /// As they are now. SIGPIPE is left out: this process itself ignores it from its start, whatever it inherited.
    pub fn now() -> Signals {
        let ignored = (1..=64).filter(|&signal| signal != libc::SIGPIPE && is_ignored(signal)).collect();
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: with no new set it only writes the old one, which is plain memory of its size.
        let is_read = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null_mut(), set.as_mut_ptr()) == 0 };
        // SAFETY: it was filled, and all zeros are a set too.
        let blocked = is_read.then(|| SignalSet(unsafe { set.assume_init() }));
        Signals { ignored, blocked }
    }

    /// Sets them as they were. Only calls that may be made between `fork` and `exec`.
    fn restore(&self) {
        for &signal in &self.ignored {
            // SAFETY: it names a signal, and sets no handler.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        if let Some(blocked) = &self.blocked {
            // SAFETY: it reads the set and writes nothing.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const blocked.0, null_mut()) };
        }
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action it only writes the old one, which is plain memory of its size.
    let is_read = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0 };
    // SAFETY: it was filled, and all zeros are an action too.
    is_read && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Starts the program with the recorder loaded before everything else. It has our terminal, our streams and our group.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn start(plan: &Plan, file: &Path, recorder: &Path, session: &Path) -> Result<Child> {
    let mut preload = OsString::from(recorder);
    if let Some(theirs) = std::env::var_os(PRELOAD).filter(|theirs| !theirs.is_empty()) {
        preload.push(":");
        preload.push(theirs);
    }
    let mut command = Command::new(file);
    command.args(&plan.command[1..]).arg0(&plan.command[0]);
    command.env(PRELOAD, preload).env(SESSION_VARIABLE, session);
    let signals = plan.signals.clone();
    if is_ignored(libc::SIGCHLD) {
        // Whoever ignores it is not told how a child ended; the program has it as it was, all the same.
        // SAFETY: it names a signal, and sets no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    }
    // SAFETY: it makes system calls only: no allocation, no lock.
    unsafe {
        command.pre_exec(move || {
            signals.restore();
            io::Result::Ok(())
        });
    }
    command.spawn().map_err(|error| {
        let what = format!("failed to start {}: {error}", file.display());
        Error::new(ErrorKind::PermissionDenied, what).help("start it without residue to see what it needs")
    })
}
