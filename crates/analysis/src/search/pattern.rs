use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};
use residue_model::Address;

use crate::{Error, Result};

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: Matcher,
    longest: usize,
    alignment: u64,
    utf16: bool,
}

#[derive(Clone, Debug)]
enum Matcher {
    Literal(Box<Finder<'static>>),
    Regex(Regex),
}

/// In which encodings text is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encodings {
    /// As it was typed: ASCII, UTF-8.
    pub ascii: bool,
    /// Two bytes a character, as Windows, Java and JavaScript keep text.
    pub utf16: bool,
}

/// A regular expression may match more; what reaches further than this across two pieces of memory is missed.
const REGEX_REACH: usize = 4096;

/// Compiled expressions above this size are refused: a repetition in a repetition can take all memory.
const REGEX_SIZE: usize = 16 * 1024 * 1024;

impl Pattern {
    /// A text; `fold` takes upper and lower case for the same.
    ///
    /// # Errors
    /// An empty text.
    pub fn text(text: &str, texts: Encodings, fold: bool) -> Result<Pattern> {
        if text.is_empty() {
            return Err(Error::new("nothing to search for", "give a text"));
        }
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if !fold && texts.ascii != texts.utf16 {
            let bytes = if texts.utf16 { wide } else { text.as_bytes().to_vec() };
            return Ok(Pattern { utf16: texts.utf16, ..Pattern::literal(&bytes) });
        }
        let mut ways = Vec::new();
        if texts.ascii || !texts.utf16 {
            ways.push(folded(text, fold, |character| {
                bytes_of(character.encode_utf8(&mut [0; 4]).as_bytes())
            }));
        }
        if texts.utf16 {
            ways.push(folded(text, fold, |character| {
                let units =
                    character.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_le_bytes()).collect();
                let units: Vec<u8> = units;
                bytes_of(&units)
            }));
        }
        let pattern = Pattern::expression(&ways.join("|"), false, wide.len() * 2)?;
        Ok(Pattern { utf16: texts.utf16, ..pattern })
    }

    /// Bytes in hexadecimal, `??` for any byte and `4?` for half of one: `48 8b ?? 05`.
    ///
    /// # Errors
    /// What is no such byte.
    pub fn hex(text: &str) -> Result<Pattern> {
        const HELP: &str = "write bytes as two digits each, ? for any digit: 48 8b ?? 05";
        let digits: Vec<char> = text.chars().filter(|character| !character.is_whitespace()).collect();
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.is_empty() || !rest.is_empty() {
            return Err(Error::new(format!("`{text}` is not a whole number of bytes"), HELP));
        }
        let mut literal = Vec::new();
        let mut ways = Vec::new();
        for &[high, low] in pairs {
            let digit = |character: char| match character {
                '?' => Some(None),
                _ => character.to_digit(16).map(Some),
            };
            let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                return Err(Error::new(
                    format!("`{text}` holds something that is no hexadecimal digit"),
                    HELP,
                ));
            };
            ways.push(match (high, low) {
                (Some(high), Some(low)) => {
                    literal.push((high << 4 | low).to_le_bytes()[0]);
                    format!("\\x{high:x}{low:x}")
                }
                (None, None) => ".".to_owned(),
                (Some(high), None) => format!("[\\x{high:x}0-\\x{high:x}f]"),
                (None, Some(low)) => {
                    let each: Vec<String> = (0..16).map(|high| format!("\\x{high:x}{low:x}")).collect();
                    format!("[{}]", each.concat())
                }
            });
        }
        if literal.len() == pairs.len() {
            return Ok(Pattern::literal(&literal));
        }
        Pattern::expression(&format!("(?s-u:{})", ways.concat()), false, pairs.len())
    }

    /// A regular expression on bytes; text in it is UTF-8.
    ///
    /// # Errors
    /// What cannot be compiled, or matches nothing at all.
    pub fn regex(text: &str, fold: bool) -> Result<Pattern> {
        let pattern = Pattern::expression(text, fold, REGEX_REACH)?;
        let Matcher::Regex(regex) = &pattern.matcher else { return Ok(pattern) };
        if regex.is_match(b"") {
            return Err(Error::new(
                format!("`{text}` also matches nothing, so it matches everywhere"),
                "write it so that it needs at least one byte: `a+` instead of `a*`",
            ));
        }
        Ok(pattern)
    }

    /// An address as a program of `bytes` wide addresses keeps it, where it is aligned as compilers do.
    pub fn pointer(address: Address, bytes: usize, big_endian: bool) -> Pattern {
        let little = address.0.to_le_bytes();
        let mut raw = little[..bytes.min(8)].to_vec();
        if big_endian {
            raw.reverse();
        }
        Pattern { alignment: raw.len() as u64, ..Pattern::literal(&raw) }
    }

    /// Whether what it matches is text of two bytes a character.
    pub fn is_utf16(&self) -> bool {
        self.utf16
    }

    fn literal(bytes: &[u8]) -> Pattern {
        let matcher = Matcher::Literal(Box::new(Finder::new(bytes).into_owned()));
        Pattern { matcher, longest: bytes.len(), alignment: 1, utf16: false }
    }

    fn expression(text: &str, fold: bool, longest: usize) -> Result<Pattern> {
        let regex = RegexBuilder::new(text).case_insensitive(fold).size_limit(REGEX_SIZE).build();
        let regex = regex.map_err(|error| Error::new(format!("`{text}` is no pattern"), reason(&error)))?;
        Ok(Pattern { matcher: Matcher::Regex(regex), longest, alignment: 1, utf16: false })
    }

    /// How far a match may reach across two pieces of memory.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The first match at or behind `from` in bytes that stand at `start`: where it begins and ends.
    pub(super) fn find(&self, bytes: &[u8], from: usize, start: Address) -> Option<(usize, usize)> {
        let mut from = from;
        loop {
            let rest = bytes.get(from..)?;
            let (found, end) = match &self.matcher {
                Matcher::Literal(finder) => {
                    let found = from + finder.find(rest)?;
                    (found, found + finder.needle().len())
                }
                // `\b` sees what stands before.
                Matcher::Regex(regex) => {
                    let found = regex.find_at(bytes, from)?;
                    (found.start(), found.end())
                }
            };
            if (start.0.wrapping_add(found as u64)).is_multiple_of(self.alignment) {
                return Some((found, end));
            }
            from = found + 1;
        }
    }
}

/// The last line of what may be a drawing of the place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// A text as an expression of bytes, with every character in both cases.
fn folded(text: &str, fold: bool, encode: impl Fn(char) -> String) -> String {
    let each = |character: char| {
        let mut ways = vec![encode(character)];
        if fold {
            let lower: Vec<char> = character.to_lowercase().collect();
            let upper: Vec<char> = character.to_uppercase().collect();
            for other in [lower, upper] {
                let way: String = other.into_iter().map(&encode).collect();
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        format!("(?:{})", ways.join("|"))
    };
    text.chars().map(each).collect()
}

fn bytes_of(bytes: &[u8]) -> String {
    let each: Vec<String> = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("(?-u:{})", each.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pattern: &Pattern, bytes: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        let mut from = 0;
        while let Some((found, end)) = pattern.find(bytes, from, Address(0)) {
            places.push(found);
            from = end;
        }
        places
    }

    const ASCII: Encodings = Encodings { ascii: true, utf16: false };
    const UTF16: Encodings = Encodings { ascii: false, utf16: true };
    const BOTH: Encodings = Encodings { ascii: true, utf16: true };

    #[test]
    fn text_is_found_in_the_encodings_that_were_asked_for() {
        let memory = b"Word W\0o\0r\0d\0 word".as_slice();
        assert_eq!(places(&Pattern::text("Word", ASCII, false).expect("text"), memory), [0]);
        assert_eq!(places(&Pattern::text("Word", UTF16, false).expect("text"), memory), [5]);
        assert_eq!(places(&Pattern::text("Word", BOTH, false).expect("text"), memory), [0, 5]);
        assert_eq!(places(&Pattern::text("wORD", BOTH, true).expect("text"), memory), [0, 5, 14]);
    }

    #[test]
    fn folding_knows_more_than_ascii() {
        let memory = "GRÖSSE größe".as_bytes();
        assert_eq!(places(&Pattern::text("ö", ASCII, true).expect("text"), memory), [2, 10]);
        assert_eq!(places(&Pattern::text("(a+b)", ASCII, true).expect("text"), b"(A+B)"), [0]);
    }

    #[test]
    fn hexadecimal_bytes_have_wildcards() {
        let memory = [0x48, 0x8b, 0x0a, 0x05, 0x48, 0x8b, 0x3d, 0x05];
        for (text, found) in [
            ("488b", vec![0, 4]),
            ("48 8b ?? 05", vec![0, 4]),
            ("48 8b 3? 05", vec![4]),
            ("?a 05", vec![2]),
            ("?? 0?", vec![1, 6]),
        ] {
            assert_eq!(places(&Pattern::hex(text).expect(text), &memory), found, "{text}");
        }
        for wrong in ["", "4", "4g", "48 8", "xx"] {
            assert!(Pattern::hex(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_any_byte_matches_a_line_end_too() {
        assert_eq!(places(&Pattern::hex("61 ?? 62").expect("hex"), b"a\nb"), [0]);
    }

    #[test]
    fn a_pointer_is_found_where_it_is_aligned() {
        let pattern = Pattern::pointer(Address(0x1122_3344), 4, false);
        assert_eq!(places(&pattern, &[0, 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]), [8]);
        let pattern = Pattern::pointer(Address(0x1122_3344), 4, true);
        assert_eq!(places(&pattern, &[0x11, 0x22, 0x33, 0x44]), [0]);
    }

    #[test]
    fn an_expression_that_matches_nothing_or_takes_all_memory_is_refused() {
        for wrong in ["a*", "", "(", "((a{1000}){1000}){1000}"] {
            let error = Pattern::regex(wrong, false).expect_err(wrong);
            assert!(error.remedy().is_some(), "{wrong}");
        }
        assert_eq!(places(&Pattern::regex("w.rd", true).expect("good"), b"a Word"), [2]);
        assert_eq!(places(&Pattern::regex(r"\bzq", false).expect("good"), b"zqzq zq"), [0, 5]);
    }
}
