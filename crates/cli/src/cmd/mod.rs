//! One file a command: parse, call, print.

pub(crate) mod blocks;
#[cfg(any(target_os = "linux", windows))]
pub(crate) mod demo;
#[cfg(any(target_os = "linux", windows))]
pub(crate) mod dump;
pub(crate) mod examined;
#[cfg(target_os = "linux")]
pub(crate) mod gdb;
pub(crate) mod heap;
pub(crate) mod leaks;
pub(crate) mod map;
#[cfg(any(target_os = "linux", windows))]
pub(crate) mod ps;
pub(crate) mod read;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod record;
pub(crate) mod refs;
pub(crate) mod report;
pub(crate) mod search;
#[cfg(windows)]
pub(crate) mod selfcheck;
pub(crate) mod triage;
#[cfg(any(target_os = "linux", windows))]
pub(crate) mod watch;

use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use residue::model::Address;
use residue::{Interrupt, Interrupter, Options, Target};

use crate::exit::Exit;
use crate::progress::Bar;
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

/// Opens a target, with a bar while a packed dump is unpacked.
fn open(word: &str, options: &Options) -> Result<Box<dyn Target>, Trouble> {
    let bar = Bar::new(0, "unpacking {bar:30} {bytes} of {total_bytes}, {eta} left");
    Ok(residue::open(word, options, &mut |read, length| bar.set_of(read, length))?)
}

/// Reads an address: hexadecimal, with or without `0x`, and with WinDbg's backtick.
fn address(text: &str) -> Result<Address, Trouble> {
    let digits = text.strip_prefix("0x").unwrap_or(text).replace('`', "");
    let address = u64::from_str_radix(&digits, 16).ok().map(Address);
    address.ok_or_else(|| {
        Trouble::usage(format!("`{text}` is no address"), "write it in hexadecimal: 0x7f001000")
    })
}

/// What to say when a filter leaves nothing.
fn no_region(filter: &str, word: &str) -> Trouble {
    let what = if filter.is_empty() {
        format!("{word} holds no memory that can be read")
    } else {
        format!("no region of {word} that can be read matches `{filter}`")
    };
    Trouble::target(what, format!("see what there is with: residue map {word} --all"))
}
