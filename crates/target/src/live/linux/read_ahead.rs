use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// How much is read before it is handed over: enough that handing over costs nothing.
const PIECE: usize = 64 * 1024;

/// Pieces that go round: one is filled, one is used, two wait.
const PIECES: usize = 4;

/// Reads a file in a thread of its own, a little ahead of whoever uses it.
///
/// The kernel takes twice as long to print 60 000 regions as we to understand them: side by side, the second is free.
pub(super) struct ReadAhead {
    full: Receiver<io::Result<Vec<u8>>>,
    /// `None` when no more is wanted.
    empty: Option<Sender<Vec<u8>>>,
    piece: Vec<u8>,
    used: usize,
    filler: Option<JoinHandle<()>>,
}

/// The filler ends before its reader does: a library may be unloaded once its calls have returned.
impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.empty = None;
        while self.full.recv().is_ok() {}
        // It can only have ended.
        let _ = self.filler.take().map(JoinHandle::join);
    }
}

impl ReadAhead {
    pub(super) fn of(file: File) -> io::Result<ReadAhead> {
        let (to_user, full) = channel();
        let (empty, to_fill) = channel();
        for _ in 0..PIECES {
            // The other end is right here: it cannot be gone yet.
            let _ = empty.send(Vec::with_capacity(PIECE));
        }
        let filler = thread::Builder::new().name("read-ahead".into());
        let filler = Some(filler.spawn(move || fill(file, &to_fill, &to_user))?);
        Ok(ReadAhead { full, empty: Some(empty), piece: Vec::new(), used: 0, filler })
    }
}

/// Fills pieces until the file ends, fails, or nobody wants more.
fn fill(mut file: File, empty: &Receiver<Vec<u8>>, full: &Sender<io::Result<Vec<u8>>>) {
    while let Ok(mut piece) = empty.recv() {
        let read = fill_piece(&mut file, &mut piece);
        let is_last = read.is_err() || piece.is_empty();
        if full.send(read.map(|()| piece)).is_err() || is_last {
            return;
        }
    }
}

fn fill_piece(file: &mut File, piece: &mut Vec<u8>) -> io::Result<()> {
    piece.resize(PIECE, 0);
    let mut length = 0;
    // `/proc` gives at most a page a read.
    while length + 4096 <= PIECE {
        match file.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(length);
    Ok(())
}

impl Read for ReadAhead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            // Without a next piece the last one was the end.
            let Ok(next) = self.full.recv() else { return Ok(0) };
            let last = std::mem::replace(&mut self.piece, next?);
            self.used = 0;
            // The filler is gone once the file has ended.
            let _ = self.empty.as_ref().map(|empty| empty.send(last));
        }
        let taken = into.len().min(self.piece.len() - self.used);
        into[..taken].copy_from_slice(&self.piece[self.used..self.used + taken]);
        self.used += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_come_in_the_same_order() {
        let path = "/proc/self/exe";
        let mut ahead = Vec::new();
        ReadAhead::of(File::open(path).expect("ourselves"))
            .expect("a thread")
            .read_to_end(&mut ahead)
            .expect("reads");
        assert!(ahead.len() > PIECE && ahead == std::fs::read(path).expect("reads"));
    }

    #[test]
    fn a_failure_to_read_arrives() {
        let directory = File::open("/proc/self").expect("a directory");
        assert!(ReadAhead::of(directory).expect("a thread").read(&mut [0; 8]).is_err());
    }

    #[test]
    fn nobody_has_to_read_to_the_end() {
        let mut ahead = ReadAhead::of(File::open("/proc/self/exe").expect("ourselves")).expect("a thread");
        assert_eq!(ahead.read(&mut [0; 4]).expect("reads"), 4);
    }
}
