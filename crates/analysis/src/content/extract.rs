use memchr::{memchr, memmem};

/// The readable runs of a piece of memory, one after the other, each followed by a zero: a gram of eight characters or
/// a search never reaches over the end of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    /// Runs of one byte a character: ASCII, and UTF-8 where it is valid.
    pub(super) narrow: Vec<u8>,
    /// Runs of UTF-16 in low byte first, kept as ASCII.
    pub(super) wide: Vec<u8>,
}

/// Fewer characters than these are chance.
const LEAST: usize = 6;

impl Texts {
    /// Adds what can be read in a piece.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for run in bytes.split(|&byte| !is_readable(byte)).filter(|run| run.len() >= LEAST) {
            self.add_run(run);
        }
        self.add_wide(bytes);
    }

    fn add_run(&mut self, run: &[u8]) {
        let mut push = |text: &[u8]| {
            if text.len() >= LEAST {
                self.narrow.extend_from_slice(text);
                self.narrow.push(0);
            }
        };
        if run.is_ascii() {
            push(run);
        } else {
            for chunk in run.utf8_chunks() {
                push(chunk.valid().as_bytes());
            }
        }
    }

    /// A run begins where a character stands before a zero.
    fn add_wide(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(zero) = bytes.get(at + 1..).and_then(|rest| memchr(0, rest)) {
            let start = at + zero;
            let is_letter = |pair: &&[u8]| pair[1] == 0 && (0x20..0x7f).contains(&pair[0]);
            let units = || bytes[start..].chunks_exact(2).take_while(is_letter);
            let count = units().count();
            if count >= LEAST {
                self.wide.extend(units().map(|pair| pair[0]));
                self.wide.push(0);
            }
            at = start + (count * 2).max(1);
        }
    }
}

fn is_readable(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) || byte >= 0x80
}

/// How often a string stands in a text.
pub(super) fn occurrences(finder: &memmem::Finder<'_>, text: &[u8]) -> u64 {
    finder.find_iter(text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> (String, String) {
        let mut texts = Texts::default();
        texts.add(bytes);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "|");
        (text(&texts.narrow), text(&texts.wide))
    }

    #[test]
    fn runs_of_both_encodings_are_found_among_bytes() {
        let wide: Vec<u8> = "Forecast".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bytes = [b"\x01\x02station\0short\0\x01", &wide[..], b"\x07\x05\x01two words\nline two", b"\xff"]
            .concat();
        assert_eq!(of(&bytes), ("station|two words|line two|".into(), "Forecast|".into()));
        assert_eq!(of(&[&[0x41, 3][..], &wide].concat()).1, "Forecast|");
        assert_eq!(of("täglich \u{fffd}".as_bytes()).0, "täglich \u{fffd}|");
        assert_eq!(of(b"\xe4\xfc\xff\xfe\x80"), (String::new(), String::new()));
    }
}
