//! Memory of a stopped process, copied into the chunks of the staging.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

use residue_model::{Address, Bytes, ProcessId, Range};

use super::plan::Piece;
use crate::live::linux::ProcDir;
use crate::live::linux::memory::read_some;
use crate::live::linux::staging::CHUNK;
use crate::{Error, ErrorKind, Result};

/// What the reader tells the writer.
pub(super) enum Event<'a> {
    /// All threads stand.
    Stopped,
    /// So much will be copied.
    Planned(Bytes),
    /// A part of it.
    Filled(Chunk<'a>),
    /// All threads run again; so long they stood.
    Resumed(Duration),
}

/// A part of the staging with what was copied into it.
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a mut [u8],
    used: usize,
    extents: Vec<Extent>,
}

/// Bytes of a chunk that stand together in the file.
struct Extent {
    size: usize,
    offset: u64,
}

impl<'a> Chunk<'a> {
    fn of(bytes: &'a mut [u8]) -> Chunk<'a> {
        Chunk { bytes, used: 0, extents: Vec::new() }
    }

    /// Where the next bytes go: so many, or as many as there is room for.
    fn room(&mut self, wanted: u64) -> &mut [u8] {
        let rest = &mut self.bytes[self.used..];
        let size = usize::try_from(wanted).unwrap_or(rest.len()).min(rest.len());
        &mut rest[..size]
    }

    fn grow(&mut self, size: usize, offset: u64) {
        self.used += size;
        match self.extents.last_mut() {
            Some(last) if last.offset + last.size as u64 == offset => last.size += size,
            _ => self.extents.push(Extent { size, offset }),
        }
    }

    /// The bytes, and where in the file they stand.
    pub(super) fn extents(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut rest = &self.bytes[..self.used];
        self.extents.iter().map(move |extent| {
            let (bytes, behind) = rest.split_at(extent.size);
            rest = behind;
            (bytes, extent.offset)
        })
    }
}

/// The reader's ends of the channels. When the writer drops its own, the reader stops.
pub(super) struct Ends<'a> {
    pub(super) events: Sender<Event<'a>>,
    /// Readers that wait for a chunk wait for each other's first.
    pub(super) free: Mutex<Receiver<&'a mut [u8]>>,
}

impl<'a> Ends<'a> {
    pub(super) fn tell(&self, event: Event<'a>) -> Result<()> {
        self.events.send(event).map_err(|_| writer_gone())
    }

    fn chunk(&self) -> Result<Chunk<'a>> {
        let free = self.free.lock().map_err(|_| writer_gone())?;
        free.recv().map(Chunk::of).map_err(|_| writer_gone())
    }
}

/// Nobody sees this: the writer has a reason of its own, which is told.
fn writer_gone() -> Error {
    Error::new(ErrorKind::Interrupted, "nobody writes what is copied")
}

/// Reads what the program itself may read, and also what it may not.
struct Source {
    pid: ProcessId,
    /// `/proc/PID/mem` reads protected memory too.
    forced: Option<File>,
}

impl Source {
    fn read(&self, at: u64, into: &mut [u8], forced: bool) -> io::Result<usize> {
        match &self.forced {
            Some(file) if forced => file.read_at(into, at),
            _ => read_some(self.pid, at, into),
        }
    }
}

/// Copies all pieces, and returns the ranges that could not be read, in order.
///
/// # Errors
/// When the process is gone, or the writer.
pub(super) fn copy(
    proc_dir: &ProcDir,
    pid: ProcessId,
    pieces: &[Piece],
    ends: &Ends<'_>,
    readers: usize,
) -> Result<Vec<Range>> {
    let source = Source { pid, forced: proc_dir.open_at(&format!("{pid}/mem")).ok() };
    let shares = shares(pieces, readers);
    thread::scope(|scope| {
        let started: Vec<_> = shares.iter().map(|share| scope.spawn(|| source.copy(share, ends))).collect();
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

/// Pieces in so many shares of about the same size, in order.
fn shares(pieces: &[Piece], count: usize) -> Vec<Vec<Piece>> {
    let all: u64 = pieces.iter().map(|piece| piece.range.size().0).sum();
    let most = all.div_ceil(count as u64).next_multiple_of(CHUNK as u64);
    let (mut shares, mut room) = (vec![Vec::new()], most);
    for &(mut piece) in pieces {
        while piece.range.size().0 > room {
            let (first, rest) = piece.split(room);
            shares.last_mut().expect("one is there").push(first);
            (piece, room) = (rest, most);
            shares.push(Vec::new());
        }
        room -= piece.range.size().0;
        shares.last_mut().expect("one is there").push(piece);
    }
    shares
}

/// Puts the calling thread before others while the target stands: on a busy machine it would stand for as long as all
/// of them take their turns. Only root may; for anyone else nothing changes. The thread ends with the copy.
pub(in crate::live::linux) fn hurry() {
    let _ = rustix::process::setpriority_process(None, -10);
}

impl Source {
    fn copy(&self, pieces: &[Piece], ends: &Ends<'_>) -> Result<Vec<Range>> {
        hurry();
        let page_size_bytes = rustix::param::page_size() as u64;
        let mut unreadable = Vec::new();
        let mut chunk = ends.chunk()?;
        for piece in pieces {
            let (mut at, end) = (piece.range.start.0, piece.range.end.0);
            while at < end {
                if chunk.used == chunk.bytes.len() {
                    ends.tell(Event::Filled(chunk))?;
                    chunk = ends.chunk()?;
                }
                match self.read(at, chunk.room(end - at), piece.forced) {
                    Ok(read @ 1..) => {
                        chunk.grow(read, piece.offset + (at - piece.range.start.0));
                        at += read as u64;
                    }
                    Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                        return Err(Error::reading(format!("the memory of process {}", self.pid), error));
                    }
                    // The kernel reads up to the page that fails, which is this one. What stands behind it may be fine:
                    // a reader that gives up on the whole block loses the stacks and control blocks of threads.
                    _ => {
                        let next = at + page_size_bytes;
                        leave_out(&mut unreadable, Range { start: Address(at), end: Address(next) });
                        at = next;
                    }
                }
            }
        }
        ends.tell(Event::Filled(chunk))?;
        Ok(unreadable)
    }
}

fn leave_out(unreadable: &mut Vec<Range>, page: Range) {
    match unreadable.last_mut() {
        Some(last) if last.end == page.start => last.end = page.end,
        _ => unreadable.push(page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_all_pieces_in_order() {
        let piece = |start: u64, end: u64| Piece {
            range: Range { start: Address(start), end: Address(end) },
            offset: start + 7,
            forced: false,
        };
        let chunk = CHUNK as u64;
        let pieces = [piece(0, chunk), piece(2 * chunk, 9 * chunk), piece(9 * chunk, 10 * chunk)];
        for count in 1..5 {
            let shares = shares(&pieces, count);
            assert!(shares.len() <= count, "{count}");
            let mut expected = pieces.iter();
            let mut whole = expected.next().copied();
            for part in shares.concat() {
                let rest = whole.expect("nothing is there twice");
                assert_eq!((part.range.start, part.offset), (rest.range.start, rest.offset));
                let size = part.range.size().0;
                whole = if size == rest.range.size().0 {
                    expected.next().copied()
                } else {
                    Some(rest.split(size).1)
                };
            }
            assert_eq!(whole, None);
        }
    }

    #[test]
    fn neighbours_in_the_file_are_one_extent() {
        let mut bytes = *b"abcdefgh";
        let mut chunk = Chunk::of(&mut bytes);
        for (size, offset) in [(2, 100), (2, 102), (3, 200)] {
            chunk.grow(size, offset);
        }
        let told: Vec<(&[u8], u64)> = chunk.extents().collect();
        assert_eq!(told, [(&b"abcd"[..], 100), (&b"efg"[..], 200)]);
    }
}
