//! `stat`: state, faults, threads and sizes of a process in one line.
//!
//! Source: `proc_pid_stat(5)`. Readable for every process by everyone.

use residue_model::{Bytes, ProcessState};

use super::number::decimal;
use super::printable;
use crate::{Error, Result};

/// What memory work needs of `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The short name, printable.
    pub name: String,
    /// Alive, zombie or kernel thread.
    pub state: ProcessState,
    /// The parent.
    pub parent: u32,
    /// Page faults without I/O.
    pub minflt: u64,
    /// Page faults with I/O.
    pub majflt: u64,
    /// Threads.
    pub threads: u64,
    /// Start in clock ticks after boot.
    pub start_ticks: u64,
    /// Virtual size.
    pub vss: Bytes,
    /// Resident pages, approximate: the kernel batches these counts per CPU.
    pub rss_pages: u64,
}

/// `PF_KTHREAD` of `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Reads the line. The name stands in parentheses and may itself hold parentheses, spaces and line ends.
///
/// # Errors
/// [`crate::ErrorKind::Syntax`] when fields are missing.
pub fn parse(text: &[u8]) -> Result<Stat> {
    let named = || {
        let (open, close) = (memchr::memchr(b'(', text)?, memchr::memrchr(b')', text)?);
        Some(Stat { name: printable(text.get(open + 1..close)?), ..numbers(text)? })
    };
    named().ok_or_else(|| Error::syntax("stat", 1, "not `pid (name) state …`"))
}

/// The same without the name, which is what would be allocated.
pub fn numbers(text: &[u8]) -> Option<Stat> {
    let close = memchr::memrchr(b')', text)?;
    let mut words = text[close + 1..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let state = *words.next()?.first()?;
    // proc(5) counts from 1 with the state as field 3; here `nth` counts what is left.
    let parent = decimal(words.next()?)?;
    let flags = decimal(words.nth(4)?)?;
    let minflt = decimal(words.next()?)?;
    let majflt = decimal(words.nth(1)?)?;
    let threads = decimal(words.nth(7)?)?;
    let start_ticks = decimal(words.nth(1)?)?;
    let vss = decimal(words.next()?)?;
    let rss_pages = decimal(words.next()?)?;
    let state = match state {
        b'Z' | b'X' | b'x' => ProcessState::Zombie,
        _ if flags & KERNEL_THREAD != 0 => ProcessState::Kernel,
        _ => ProcessState::Alive,
    };
    let parent = u32::try_from(parent).ok()?;
    let name = String::new();
    Some(Stat { name, state, parent, minflt, majflt, threads, start_ticks, vss: Bytes(vss), rss_pages })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "812 (a) b (c\n) S 1 812 812 0 -1 4194560 1523 11 7 2 5 6 0 0 20 0 9 0 424242 10485760 512 \
                        18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0";

    #[test]
    fn a_name_may_hold_parentheses_spaces_and_line_ends() {
        let stat = parse(LINE.as_bytes()).expect("well formed");
        assert_eq!(stat.name, "a) b (c\\x0a");
        assert_eq!((stat.minflt, stat.majflt, stat.threads), (1523, 7, 9));
        assert_eq!((stat.start_ticks, stat.vss, stat.rss_pages), (424_242, Bytes(10_485_760), 512));
        assert_eq!((stat.state, stat.parent), (ProcessState::Alive, 1));
    }

    #[test]
    fn zombies_and_kernel_threads_are_told_apart() {
        assert_eq!(
            parse(LINE.replace(") S ", ") Z ").as_bytes()).expect("well formed").state,
            ProcessState::Zombie
        );
        let kernel = LINE.replace("4194560", "2129984");
        assert_eq!(parse(kernel.as_bytes()).expect("well formed").state, ProcessState::Kernel);
    }

    #[test]
    fn a_cut_line_is_an_error() {
        for end in 0..60 {
            assert!(parse(&LINE.as_bytes()[..end]).is_err(), "{end} bytes");
        }
    }
}
