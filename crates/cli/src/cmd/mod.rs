//! One file a command: parse, call, print.

pub(crate) mod demo;
pub(crate) mod map;
pub(crate) mod ps;
pub(crate) mod triage;
pub(crate) mod watch;

use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use residue::{Interrupt, Interrupter};

use crate::exit::Exit;
use crate::trouble::Trouble;

/// An interrupt that Ctrl-C sets off. A second Ctrl-C ends at once: whoever presses it twice means it.
fn interrupt() -> Result<(Interrupter, Interrupt), Trouble> {
    let (interrupter, interrupt) = Interrupt::new();
    let (on_signal, pressed) = (interrupter.clone(), AtomicBool::new(false));
    let handler = move || {
        if pressed.swap(true, Ordering::SeqCst) {
            process::exit(Exit::Interrupted as i32);
        }
        on_signal.interrupt();
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Trouble::own("cannot listen for Ctrl-C", &io::Error::other(error)))?;
    Ok((interrupter, interrupt))
}
