use std::ops::Range;

use super::preview::is_plain;

/// A string cut out of constant text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    /// Where it begins in the text.
    pub(super) start: usize,
    pub(super) text: &'a str,
    /// It begins or ends within a word: what varies around it happens to share some letters.
    pub(super) torn: bool,
}

/// A stretch of constant text, cut into strings of 8 to 64 characters that mean something by themselves.
///
/// Tags and statements stay whole, longer stretches part between words, and words that only begin or end in the stretch
/// are left out where enough remains.
pub(super) fn units(text: &[u8], stretch: Range<usize>) -> impl Iterator<Item = Unit<'_>> {
    let (mut start, characters) = whole_characters(text, stretch);
    let mut rest = characters;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (unit, behind) = rest.split_at(cut(rest));
        let unit = Unit { start, text: unit, torn: false };
        (start, rest) = (start + unit.text.len(), behind);
        Some(unit.trim().mend(text))
    })
    .filter(|unit| is_worth(unit.text))
}

const SHORTEST: usize = 8;
const LONGEST: usize = 64;

impl<'a> Unit<'a> {
    fn trim(self) -> Unit<'a> {
        let text = self.text.trim_start();
        Unit { start: self.start + self.text.len() - text.len(), text: text.trim_end(), ..self }
    }

    /// Without the parts of words at its ends, if enough remains.
    fn mend(self, text: &[u8]) -> Unit<'a> {
        let end = self.start + self.text.len();
        let is_word =
            |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|&byte| is_in_word(byte));
        let torn_start = is_word(self.start.checked_sub(1)) && is_word(Some(self.start));
        let torn_end = is_word(end.checked_sub(1)) && is_word(Some(end));
        if !torn_start && !torn_end {
            return self;
        }
        let is_part = |character: char| character.is_alphanumeric();
        let mut whole = self.text;
        if torn_start {
            whole = whole.trim_start_matches(is_part);
        }
        let start = end - whole.len();
        if torn_end {
            whole = whole.trim_end_matches(is_part);
        }
        let mended = Unit { start, text: whole, torn: false }.trim();
        if mended.text.len() >= SHORTEST { mended } else { Unit { torn: true, ..self } }
    }
}

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// A stretch is found by its bytes: it may begin and end inside a character.
fn whole_characters(text: &[u8], stretch: Range<usize>) -> (usize, &str) {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let bytes = &text[stretch.clone()];
    let from = bytes.iter().position(|byte| !is_inner(byte)).unwrap_or(bytes.len());
    (stretch.start + from, bytes[from..].utf8_chunks().next().map_or("", |chunk| chunk.valid()))
}

/// Where the first string of a text ends: before a tag, behind a statement, or between words.
fn cut(text: &str) -> usize {
    let longest = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    let head = &text.as_bytes()[..longest];
    let tag = head.iter().skip(1).position(|&byte| byte == b'<').map(|at| at + 1);
    let statement = head.iter().position(|byte| matches!(byte, b';' | b'{' | b'}')).map(|at| at + 1);
    let statement = statement.filter(|&at| at >= SHORTEST * 2);
    if let Some(end) = tag.into_iter().chain(statement).min() {
        return end;
    }
    if longest == text.len() {
        return longest;
    }
    let last =
        |ends: fn(u8) -> bool| head.iter().rposition(|&byte| ends(byte)).filter(|at| *at >= LONGEST / 2);
    let blank = last(|byte| byte == b' ' || byte == b'>');
    blank.or_else(|| last(|byte| !is_in_word(byte))).map_or(longest, |at| at + 1)
}

fn is_worth(unit: &str) -> bool {
    let length = unit.chars().count();
    let mut kinds = [false; 128];
    unit.bytes().for_each(|byte| kinds[usize::from(byte & 0x7f)] = true);
    // A ruler or a table of dashes repeats, and tells nothing.
    (SHORTEST..=LONGEST).contains(&length)
        && kinds.iter().filter(|seen| **seen).count() >= 4
        && unit.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        units(text.as_bytes(), 0..text.len()).map(|unit| unit.text).collect()
    }

    #[test]
    fn tags_and_statements_stay_whole() {
        let text = "rn</b></div><div class=\"forecast-widget\">Rain <a href=\"/stations/\">";
        assert_eq!(of(text), ["<div class=\"forecast-widget\">Rain", "<a href=\"/stations/\">"]);
        assert_eq!(
            of("var forecastCache = {}; loadStations(forecastCache);"),
            ["var forecastCache = {", "}; loadStations(forecastCache);"]
        );
    }

    #[test]
    fn long_text_parts_between_words() {
        let text =
            "the forecast for tomorrow says that it will rain in the north and that the wind will turn";
        assert_eq!(
            of(text),
            ["the forecast for tomorrow says that it will rain in the north", "and that the wind will turn"]
        );
        assert_eq!(of(&"abcdefgh".repeat(10))[0].len(), 64);
    }

    #[test]
    fn parts_of_words_are_left_out_where_enough_remains() {
        let text = "a warning of heavy rain in the north\"> b";
        let found: Vec<Unit> = units(text.as_bytes(), 4..20).collect();
        assert_eq!(found, [Unit { start: 10, text: "of heavy", torn: false }]);
        let found: Vec<Unit> = units(text.as_bytes(), 3..11).collect();
        assert_eq!(found, [Unit { start: 3, text: "arning o", torn: true }]);
    }

    #[test]
    fn rulers_and_what_a_terminal_obeys_are_no_strings() {
        assert_eq!(of("----------------"), [""; 0]);
        assert_eq!(of("forecast\u{202e}txt.exe"), [""; 0]);
        let text = "\u{e9}t\u{e9} \u{e0} Gen\u{e8}ve".as_bytes();
        let found: Vec<Unit> = units(text, 1..text.len()).collect();
        assert_eq!((found[0].start, found[0].text), (6, "\u{e0} Gen\u{e8}ve"));
    }
}
