use std::fmt::Write;

/// Foreign bytes as text that is safe to print: control characters and bytes that are not UTF-8 stand as `\xNN`.
///
/// Any process can call itself anything, escape sequences for the reader's terminal included.
pub fn printable(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || is_direction_mark(character) {
                let mut encoded = [0; 4];
                escape(&mut text, character.encode_utf8(&mut encoded).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// Marks that reorder what follows on the screen, so that a name could pose as another.
fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(text, "\\x{byte:02x}").expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_the_terminal() {
        assert_eq!(printable(b"plain name"), "plain name");
        assert_eq!(printable("größe".as_bytes()), "größe");
        assert_eq!(printable(b"a\x1b[2Jb\nc"), "a\\x1b[2Jb\\x0ac");
        assert_eq!(printable(b"not \xff utf8"), "not \\xff utf8");
        assert_eq!(printable("evil\u{202e}gnp".as_bytes()), "evil\\xe2\\x80\\xaegnp");
    }
}
