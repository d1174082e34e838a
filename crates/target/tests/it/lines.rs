use std::io::{self, Read};

use proptest::prelude::*;
use residue_target::procfs::Lines;

/// Gives the text in pieces of the given sizes, over and over, and is interrupted now and then.
struct Cut<'a> {
    text: &'a [u8],
    sizes: &'a [usize],
    turn: usize,
}

impl Read for Cut<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = size.min(into.len()).min(self.text.len());
        into[..count].copy_from_slice(&self.text[..count]);
        self.text = &self.text[count..];
        Ok(count)
    }
}

fn lines(input: impl Read) -> Vec<Vec<u8>> {
    let mut lines = Lines::of(input);
    let mut found = Vec::new();
    while let Some(line) = lines.advance().expect("memory does not fail") {
        found.push(line.to_vec());
        assert_eq!(lines.number(), found.len());
    }
    found
}

/// What lines are: parted by their ends; the last one may lack its own.
fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

/// Long enough lines to make the buffer grow and be moved.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => (any::<u8>(), 0..30_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join(&b'\n'))
}

proptest! {
    #[test]
    fn lines_are_the_same_however_the_input_comes(
        text in text(),
        sizes in proptest::collection::vec(0..9000_usize, 0..8),
    ) {
        let sizes = [&sizes[..], &[1]].concat();
        prop_assert_eq!(lines(Cut { text: &text, sizes: &sizes, turn: 0 }), split(&text));
    }
}

/// The kernel can print a path of 4 096 bytes with each escaped to four.
#[test]
fn the_longest_line_of_any_kernel_fits() {
    let line = vec![b'x'; 4 * 4096 + 200];
    let found = lines(line.as_slice());
    assert_eq!(found, [line]);
}

#[test]
fn an_error_in_the_middle_is_not_the_end() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(3))
        }
    }
    let mut lines = Lines::of(b"first\nsecond".chain(Broken));
    assert_eq!(lines.advance().expect("it is whole"), Some(&b"first"[..]));
    assert_eq!(lines.advance().expect_err("it broke").raw_os_error(), Some(3));
}
