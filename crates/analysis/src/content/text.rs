use std::ops::RangeInclusive;

use super::lines::{self, Lines};
use memchr::memchr_iter;

use super::tally::Tally;
use super::{Content, json, markup, wording};

/// The kind of text that these bytes are, when text is what dominates them.
pub(super) fn kind(bytes: &[u8], tally: &Tally) -> Option<Content> {
    let body = body(bytes, tally)?;
    Some(recognise(&body[..body.len().min(LOOK)]))
}

/// Enough to tell the kind of any text.
const LOOK: usize = 12 << 10;
/// Fewer characters than these may be chance.
const LEAST: usize = 8;
/// How long a header may stand in front of the text.
const HEADER: usize = 64;
/// Characters in a row that make a string.
const STRING: usize = 4;

fn recognise(text: &[u8]) -> Content {
    let lines = Lines::of(text);
    lines::armour(text, &lines)
        .or_else(|| http(text))
        .or_else(|| json::is_json(text).then_some(Content::Json))
        .or_else(|| markup::kind(text))
        .or_else(|| lines.kind())
        .or_else(|| wording::kind(text))
        .or_else(|| lines.is_table(1).then_some(Content::Csv))
        .unwrap_or(Content::Text)
}

/// A message is what it carries, when that is much longer than its header.
fn http(text: &[u8]) -> Option<Content> {
    let header = lines::http_header(text)?;
    let carried = text.get(header..).unwrap_or_default();
    let content = (carried.len() > header * 3).then(|| recognise(carried));
    Some(content.filter(|content| *content != Content::Text).unwrap_or(Content::Http))
}

/// The text behind a header; `None` when these bytes are no text.
fn body<'a>(bytes: &'a [u8], tally: &Tally) -> Option<&'a [u8]> {
    let control = tally.control() as usize;
    let nonzero = tally.nonzero() as usize;
    if nonzero < LEAST || control > HEADER + nonzero / 50 {
        return None;
    }
    let body = &bytes[start(bytes)..];
    // Nothing but text, and most of it is, needs no search for its runs.
    let is_pure = control == 0 && nonzero == bytes.len();
    let runs = if is_pure { Runs::whole(tally, nonzero) } else { Runs::of(body) };
    let is_text = runs.nonzero >= LEAST && runs.text * 100 >= runs.nonzero * 92;
    (is_text && (runs.high == 0 || is_alphabet(body, &runs))).then_some(body)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e | b'\t' | b'\n' | b'\r' | 0x0c | 0x1b | 0x80..=0xff)
}

/// Behind the last byte of a header that no text has.
fn start(bytes: &[u8]) -> usize {
    let leading = bytes.iter().position(|&byte| byte != 0).unwrap_or(0);
    let head = &bytes[leading..bytes.len().min(leading + HEADER)];
    let fits = |at: usize| {
        let text = bytes[at..].iter().take(LEAST * 2).take_while(|byte| is_text(**byte)).count();
        text >= LEAST && bytes[at] < 0x80
    };
    leading + (0..head.len()).find(|offset| fits(leading + offset)).unwrap_or(0)
}

/// How much of some bytes stands in strings.
#[derive(Default)]
struct Runs {
    nonzero: usize,
    text: usize,
    high: usize,
    control: usize,
    blanks: usize,
}

impl Runs {
    /// All of it is one run.
    fn whole(tally: &Tally, len: usize) -> Runs {
        let count = |values: RangeInclusive<u8>| tally.sum(values) as usize;
        let (high, blanks) = (count(0x80..=0xff), count(b' '..=b' ') + count(b'\n'..=b'\n'));
        Runs { nonzero: len, text: len, high, control: 0, blanks }
    }

    fn of(bytes: &[u8]) -> Runs {
        let mut runs = Runs::default();
        for run in bytes.split(|&byte| !is_text(byte)) {
            if run.len() >= STRING {
                runs.text += run.len();
                // Counts of a whole run are summed by vector instructions, which one loop over all would not be.
                runs.high += run.iter().filter(|&&byte| byte >= 0x80).count();
                runs.blanks += run.iter().filter(|&&byte| byte == b' ' || byte == b'\n').count();
            } else {
                runs.nonzero += run.len();
            }
        }
        let zeros = memchr_iter(0, bytes).count();
        runs.control = bytes.iter().filter(|&&byte| byte != 0 && !is_text(byte)).count();
        runs.nonzero = bytes.len() - zeros;
        runs
    }
}

/// Bytes above ASCII have to make sense: as UTF-8, or as an old code page, where words part them.
fn is_alphabet(body: &[u8], runs: &Runs) -> bool {
    let wrong: usize = body.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    if wrong <= 4 + runs.high / 50 && (wrong * 4 <= runs.high || runs.high * 20 <= runs.text) {
        return true;
    }
    // Japanese and Chinese have no blanks, but stand in markup, or take bytes of ASCII for their second half.
    let has_ascii = (runs.text - runs.high) * 10 >= runs.text * 3;
    runs.text >= 128 && runs.control * 500 <= runs.text && (has_ascii || runs.blanks * 30 >= runs.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tally::tests::noise;

    fn of(bytes: &[u8]) -> Option<Content> {
        kind(bytes, &Tally::of(bytes))
    }

    const PROSE: &str =
        "Rain is likely tonight, and the wind will turn to the north; the morning will be cold.\n";

    #[test]
    fn text_is_text_in_any_script_and_encoding_of_bytes() {
        assert_eq!(of(PROSE.as_bytes()), Some(Content::Text));
        assert_eq!(
            of("Завтра ожидается дождь, ветер северный, до пяти градусов.".as_bytes()),
            Some(Content::Text)
        );
        assert_eq!(of("明日は雨が降るでしょう。風は北から吹きます。".as_bytes()), Some(Content::Text));
        let windows_1251: Vec<u8> =
            "ghbdtn vbh ".bytes().map(|byte| if byte == b' ' { byte } else { byte + 0x80 }).collect();
        assert_eq!(of(&windows_1251.repeat(20)), Some(Content::Text));
    }

    #[test]
    fn strings_one_after_the_other_are_text() {
        let pool = b"open\0close\0read\0write\0connect\0listen\0accept\0shutdown\0\0\0\0\0";
        assert_eq!(of(pool), Some(Content::Text));
    }

    #[test]
    fn binary_data_is_no_text() {
        assert!((1..200).all(|seed| of(&noise(300, seed)).is_none()));
        let counters: Vec<u8> = (32_u32..126).flat_map(u32::to_le_bytes).collect();
        assert_eq!(of(&counters), None);
        let wide: Vec<u8> = PROSE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&wide), None);
    }

    #[test]
    fn a_message_is_what_it_carries() {
        let header = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2600\r\n\r\n";
        assert_eq!(of(header), Some(Content::Http));
        let body = br#"{"station":"Bern","degrees":21.5},"#.repeat(80);
        assert_eq!(of(&[&header[..], b"[", &body].concat()), Some(Content::Json));
        assert_eq!(of(&[&header[..], PROSE.as_bytes()].concat()), Some(Content::Http));
    }
}
