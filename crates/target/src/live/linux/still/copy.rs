//! Memory of a process copied to where it stays, by several readers.

use std::num::NonZero;
use std::thread;

use residue_model::{Address, ProcessId, Range};

use crate::live::linux::dump::copy::hurry;
use crate::live::linux::memory::read_some;
use crate::{Error, Result};

/// More readers are faster, but not much: they wait for the same memory.
const READERS: usize = 2;

/// Who waits for the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The target stands meanwhile.
    Hurried,
    /// It runs, and is not to be kept from the processors.
    Calm,
}

/// Copies runs one behind the other into `room`, which is large enough, and returns what could not be read, in order.
///
/// # Errors
/// When the process is gone.
pub(super) fn copy(pid: ProcessId, runs: &[Range], room: &mut [u8], pace: Pace) -> Result<Vec<Range>> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let readers = if pace == Pace::Hurried { processors.min(READERS) } else { 1 };
    let shares = shares(runs, readers);
    thread::scope(|scope| {
        let (mut rest, mut started) = (room, Vec::new());
        for share in &shares {
            let (own, behind) = rest.split_at_mut(share.iter().map(|run| run.offset_of(*run).end).sum());
            rest = behind;
            started.push(scope.spawn(move || {
                if pace == Pace::Hurried {
                    hurry();
                }
                fill(pid, share, own)
            }));
        }
        let mut unreadable = Vec::new();
        for reader in started {
            let found = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            for range in found {
                leave_out(&mut unreadable, range);
            }
        }
        Ok(unreadable)
    })
}

/// Runs in so many shares of about the same size, in order.
fn shares(runs: &[Range], count: usize) -> Vec<Vec<Range>> {
    let page_size_bytes = rustix::param::page_size() as u64;
    let all: u64 = runs.iter().map(|run| run.size().0).sum();
    let most = all.div_ceil(count as u64).next_multiple_of(page_size_bytes);
    let (mut shares, mut share, mut room) = (Vec::new(), Vec::new(), most);
    for &(mut run) in runs {
        while run.size().0 > room {
            let middle = Address(run.start.0 + room);
            share.push(Range { end: middle, ..run });
            shares.push(std::mem::take(&mut share));
            (run.start, room) = (middle, most);
        }
        room -= run.size().0;
        share.push(run);
    }
    shares.push(share);
    shares
}

fn fill(pid: ProcessId, runs: &[Range], mut room: &mut [u8]) -> Result<Vec<Range>> {
    let page_size_bytes = rustix::param::page_size() as u64;
    let mut unreadable = Vec::new();
    for run in runs {
        let (own, behind) = room.split_at_mut(run.offset_of(*run).end);
        room = behind;
        let mut at = run.start;
        while at < run.end {
            match read_some(pid, at.0, &mut own[run.offset_of(Range { start: at, end: run.end })]) {
                Ok(read @ 1..) => at.0 += read as u64,
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                    return Err(Error::reading(format!("the memory of process {pid}"), error));
                }
                // The kernel reads up to the page that fails, which is this one. What stands behind it may be fine: the
                // guard of a stack stands between the control blocks of two threads.
                _ => {
                    let next = Address((at.0 / page_size_bytes + 1) * page_size_bytes).min(run.end);
                    leave_out(&mut unreadable, Range { start: at, end: next });
                    at = next;
                }
            }
        }
    }
    Ok(unreadable)
}

fn leave_out(unreadable: &mut Vec<Range>, range: Range) {
    match unreadable.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => unreadable.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range {
        Range { start: Address(start), end: Address(end) }
    }

    #[test]
    fn readers_share_all_runs_in_order() {
        let runs = [range(0, 0x1000), range(0x2000, 0x9000), range(0x9000, 0xa000)];
        for count in 1..5 {
            let shares = shares(&runs, count);
            assert!(shares.len() <= count, "{count}");
            let mut joined: Vec<Range> = Vec::new();
            for part in shares.concat() {
                match joined.last_mut() {
                    Some(last) if last.end == part.start && part.start.0 != 0x9000 => last.end = part.end,
                    _ => joined.push(part),
                }
            }
            assert_eq!(joined, runs, "{count}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_costs_only_itself() {
        let mut map = memmap2::MmapMut::map_anon(3 * 4096).expect("memory is there");
        map.fill(7);
        let start = map.as_ptr() as u64;
        // Behind the kernel's half nothing is mapped.
        let runs = [range(start, start + 4096), range(0, 4096), range(start + 4096, start + 3 * 4096)];
        let mut room = vec![0; 4 * 4096];
        let unreadable =
            copy(ProcessId(std::process::id()), &runs, &mut room, Pace::Hurried).expect("ourselves");
        assert_eq!(unreadable, [range(0, 4096)]);
        assert!(room[..4096].iter().chain(&room[2 * 4096..]).all(|&byte| byte == 7));
    }
}
