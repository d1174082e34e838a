/// The first bytes of a region as text, at most `max` characters; `None` when they show nothing that can be read.
///
/// ASCII is tried first, then UTF-16 in either order. What cannot be printed stands as `.`, so that nothing from
/// foreign memory writes to a terminal, breaks a line, or turns the direction of writing.
pub fn preview(bytes: &[u8], max: usize) -> Option<String> {
    let head = &bytes[..bytes.len().min(max.saturating_mul(4))];
    let text = if begins_readable(head.iter().map(|&byte| byte.into())) {
        String::from_utf8_lossy(head).chars().take(max).map(shown).collect::<String>()
    } else {
        let units = [units(head, u16::from_le_bytes), units(head, u16::from_be_bytes)];
        let units = units.into_iter().find(|units| begins_readable(units.iter().copied()))?;
        char::decode_utf16(units).take(max).map(|unit| shown(unit.unwrap_or('.'))).collect()
    };
    let text = text.trim_end_matches(['.', ' ']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// How far behind the start readable characters may begin: a block's header stands before its text.
const HEADER: usize = 32;
const READABLE: usize = 4;

/// Four printable characters in a row, close to the start.
fn begins_readable(units: impl Iterator<Item = u16>) -> bool {
    let mut run = 0;
    units.take(HEADER + READABLE).any(|unit| {
        run = if (0x20..0x7f).contains(&unit) { run + 1 } else { 0 };
        run >= READABLE
    })
}

fn units(bytes: &[u8], decode: fn([u8; 2]) -> u16) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| decode([pair[0], pair[1]])).collect()
}

fn shown(character: char) -> char {
    if is_plain(character) { character } else { '.' }
}

/// Whether a character stands for itself on a screen: no control, no format, no direction, nothing private.
pub(super) fn is_plain(character: char) -> bool {
    let is_written = character == ' ' || !character.is_control() && !character.is_whitespace();
    let is_hidden = HIDDEN.iter().any(|&(first, last)| (first..=last).contains(&character));
    is_written && (character.is_ascii() || !is_hidden)
}

/// Ranges of characters that no one sees, or that change how others are seen.
///
/// Source: Unicode, general categories Cf and Co, and the variation selectors; with some rare symbols between them.
const HIDDEN: [(char, char); 19] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff0}', '\u{ffff}'),
    ('\u{110bd}', '\u{110cd}'),
    ('\u{13430}', '\u{1345f}'),
    ('\u{1bca0}', '\u{1d17a}'),
    ('\u{e0000}', '\u{10ffff}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(encode).collect()
    }

    #[test]
    fn text_is_shown_in_whichever_encoding_it_has() {
        assert_eq!(preview(b"GET / HTTP/1.1\r\nHost", 80).as_deref(), Some("GET / HTTP/1.1..Host"));
        assert_eq!(
            preview(b"\x01\x02\0\0SQLite format 3\0\0\0\0", 80).as_deref(),
            Some("....SQLite format 3")
        );
        assert_eq!(preview(&utf16("C:\\Windows", u16::to_le_bytes), 80).as_deref(), Some("C:\\Windows"));
        assert_eq!(preview(&utf16("C:\\Windows", u16::to_be_bytes), 80).as_deref(), Some("C:\\Windows"));
        assert_eq!(preview("Wetter für Köln".as_bytes(), 12).as_deref(), Some("Wetter für K"));
    }

    #[test]
    fn what_cannot_be_read_has_no_preview() {
        for bytes in [&[][..], &[0; 64], b"abc", b"a\0b\0c\0", &[0xff; 40]] {
            assert_eq!(preview(bytes, 80), None, "{bytes:?}");
        }
        assert_eq!(preview(b"text", 0), None);
    }

    /// A terminal obeys what it is shown: an escape, a carriage return or a right-to-left override must not arrive.
    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        let text =
            preview("\x1b[31mred\r\u{202e}gnp\u{200b}\u{feff}\u{9b}".as_bytes(), 80).expect("readable");
        assert_eq!(text, ".[31mred..gnp");
    }
}
