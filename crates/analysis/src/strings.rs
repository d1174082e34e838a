use residue_model::Address;

/// Text that stands in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it begins.
    pub address: Address,
    /// What it says; characters that are not printable end it.
    pub text: String,
    /// Two bytes a character.
    pub utf16: bool,
}

/// Texts in memory that comes piece by piece: one that goes on in the next piece stays whole.
#[derive(Clone, Debug)]
pub struct TextScan {
    shortest: usize,
    /// What the last piece ended with, if that may go on, and where it began.
    carried: Vec<u8>,
    start: Address,
}

/// A text that goes on for longer than this is shown in parts.
const LONGEST: usize = 1024 * 1024;

impl TextScan {
    /// Looks for texts of at least so many characters, in ASCII and in UTF-16.
    pub fn of(shortest: usize) -> TextScan {
        TextScan { shortest: shortest.max(1), carried: Vec::new(), start: Address(0) }
    }

    /// Shows the texts that end in this piece, in order of address.
    pub fn piece(&mut self, at: Address, piece: &[u8], show: &mut dyn FnMut(&Text)) {
        if self.start.0 + self.carried.len() as u64 != at.0 {
            self.finish(show);
        }
        if self.carried.is_empty() {
            self.start = at;
        }
        for part in piece.chunks(LONGEST) {
            self.carried.extend_from_slice(part);
            let done = self.scan(false, show);
            self.carried.drain(..done);
            self.start = Address(self.start.0 + done as u64);
            if self.carried.len() > LONGEST {
                self.finish(show);
            }
        }
    }

    /// Shows a text that ends with the memory.
    pub fn finish(&mut self, show: &mut dyn FnMut(&Text)) {
        self.scan(true, show);
        self.start = Address(self.start.0 + self.carried.len() as u64);
        self.carried.clear();
    }

    /// Shows what is complete, at the `last` piece all of it; gives where that ends.
    fn scan(&self, last: bool, show: &mut dyn FnMut(&Text)) -> usize {
        let bytes = &self.carried;
        let mut at = 0;
        while at < bytes.len() {
            let (narrow, wide) = (run(&bytes[at..]), wide_run(&bytes[at..]));
            let goes_on = at + narrow == bytes.len() || wide > 0 && at + 2 * wide + 1 >= bytes.len();
            if goes_on && !last {
                return at;
            }
            let utf16 = wide >= self.shortest && wide * 2 > narrow;
            let (length, step) = if utf16 { (wide, 2) } else { (narrow, 1) };
            let size = length * step;
            if length >= self.shortest {
                let text = bytes[at..at + size].iter().step_by(step).copied().map(char::from).collect();
                show(&Text { address: Address(self.start.0 + at as u64), text, utf16 });
            }
            at += size.max(1);
        }
        at
    }
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) || byte == b'\t'
}

fn run(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_printable(byte)).unwrap_or(bytes.len())
}

fn wide_run(bytes: &[u8]) -> usize {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().position(|&[low, high]| high != 0 || !is_printable(low)).unwrap_or(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let mut found = Vec::new();
        pieces(&[(0x1000, bytes)], &mut |text| found.push((text.address.0, text.text.clone(), text.utf16)));
        found
    }

    fn pieces(pieces: &[(u64, &[u8])], show: &mut dyn FnMut(&Text)) {
        let mut texts = TextScan::of(4);
        for (at, piece) in pieces {
            texts.piece(Address(*at), piece, show);
        }
        texts.finish(show);
    }

    #[test]
    fn a_text_that_goes_on_in_the_next_piece_stays_whole() {
        let mut found = Vec::new();
        let memory: [(u64, &[u8]); 5] = [
            (0x1000, b"\x01taw"),
            (0x1004, b"ny owl\x02w\0i"),
            (0x100e, b"\0d\0e\0"),
            (0x1013, b"\xffend"),
            (0x2000, b"end."),
        ];
        pieces(&memory, &mut |text| found.push((text.address.0, text.text.clone())));
        let whole = |at, text: &str| (at, text.to_owned());
        assert_eq!(found, [whole(0x1001, "tawny owl"), whole(0x100b, "wide"), whole(0x2000, "end.")]);
    }

    #[test]
    fn both_encodings_are_found_in_order() {
        let bytes = b"\x01plain\x00\x02w\0i\0d\0e\0\x00\x00abc\x00end.";
        assert_eq!(
            found(bytes),
            [(0x1001, "plain".into(), false), (0x1008, "wide".into(), true), (0x1016, "end.".into(), false)]
        );
    }

    #[test]
    fn nothing_and_noise_hold_no_text() {
        assert_eq!(found(b""), []);
        assert_eq!(found(&[0xff; 64]), []);
        assert_eq!(found(b"abc"), []);
    }
}
