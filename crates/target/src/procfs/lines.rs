use std::io::{self, Read};

/// Longer than any line the kernel prints: a path of 4 096 bytes, each escaped to four.
const LONGEST: usize = 64 * 1024;

/// Lends lines from one reused buffer.
///
/// `/proc` gives at most a page a read, so a larger buffer than a few pages gains nothing.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: usize,
    finished: bool,
}

impl<R: Read> Lines<R> {
    /// Lines of `input`.
    pub fn of(input: R) -> Lines<R> {
        Lines { input, buffer: vec![0; 16 * 1024], start: 0, end: 0, number: 0, finished: false }
    }

    /// The number of the line lent last, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The next line without its end; `None` at the end of input.
    ///
    /// # Errors
    /// What the input fails with, and `InvalidData` for a line longer than the kernel can print.
    pub fn advance(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = self.start;
        let end = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                break searched + found;
            }
            let already = self.end - self.start;
            if self.finished || self.fill()? == 0 {
                if already == 0 {
                    return Ok(None);
                }
                break self.end;
            }
            searched = self.start + already;
        };
        let line = self.start..end;
        self.start = (end + 1).min(self.end);
        self.number += 1;
        Ok(Some(&self.buffer[line]))
    }

    /// What is read and not yet lent, as far as it goes: a caller who knows what comes can take several lines at once.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Passes over bytes of [`Lines::ahead`] that hold so many whole lines.
    pub(super) fn skip(&mut self, bytes: usize, lines: usize) {
        self.start += bytes;
        self.number += lines;
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.buffer.len() >= LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end"));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read;
        self.finished = read == 0;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read, as the worst of inputs may.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((&first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn all(input: impl Read) -> Vec<Vec<u8>> {
        let mut lines = Lines::of(input);
        let mut found = Vec::new();
        while let Some(line) = lines.advance().expect("memory does not fail") {
            found.push(line.to_vec());
        }
        found
    }

    #[test]
    fn lines_do_not_depend_on_how_the_input_is_cut() {
        let text = b"first\n\nthird without end";
        let expected: Vec<&[u8]> = vec![b"first", b"", b"third without end"];
        assert_eq!(all(&text[..]), expected);
        assert_eq!(all(Drip(text)), expected);
        assert_eq!(all(&b""[..]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_all_of_memory() {
        let mut lines = Lines::of(io::repeat(b'x'));
        assert_eq!(lines.advance().expect_err("endless").kind(), io::ErrorKind::InvalidData);
    }
}
