/// Whether a text is JSON, whole or cut out of the middle.
///
/// Outside of its strings JSON has hardly any letters. Where a piece was cut inside a string, inside and outside are
/// exchanged: both ways are tried.
pub(super) fn is_json(text: &[u8]) -> bool {
    [false, true].into_iter().any(|inside| Shape::of(text, inside).is_json())
}

#[derive(Default)]
struct Shape {
    /// Characters outside of strings that JSON has there.
    fitting: usize,
    /// And that it has not.
    foreign: usize,
    brackets: usize,
    separators: usize,
    /// Strings that a colon follows.
    keys: usize,
    strings: usize,
    /// Of the first thing that is no blank.
    opens: bool,
}

impl Shape {
    fn of(text: &[u8], mut inside: bool) -> Shape {
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        let mut shape = Shape { opens: matches!(first, Some(b'[' | b'{')), ..Shape::default() };
        let mut at = 0;
        while at < text.len() && !shape.is_hopeless() {
            let rest = &text[at..];
            if inside {
                let Some(end) = string_end(rest) else { break };
                at += end + 1;
                // A line never ends in a string: this one had begun outside.
                inside = false;
                if rest[end] == b'"' {
                    shape.strings += 1;
                    let colon = text[at..].iter().take(3).find(|byte| **byte != b' ');
                    shape.keys += usize::from(colon == Some(&b':'));
                }
            } else {
                inside = rest[0] == b'"';
                shape.add(rest[0]);
                at += 1;
            }
        }
        shape
    }

    fn add(&mut self, byte: u8) {
        match byte {
            b'{' | b'}' | b'[' | b']' => self.brackets += 1,
            b',' | b':' => self.separators += 1,
            // Digits, blanks, and the letters of true, false and null.
            b'"'
            | 0
            | b'0'..=b'9'
            | b'.'
            | b'-'
            | b'+'
            | b'E'
            | b'e'
            | b't'
            | b'r'
            | b'u'
            | b'f'
            | b'a'
            | b'l'
            | b's'
            | b'n' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => {
                self.foreign += 1;
                return;
            }
        }
        self.fitting += 1;
    }

    /// Most text is told from JSON by its first line.
    fn is_hopeless(&self) -> bool {
        self.foreign > 16 && self.foreign * 20 > self.fitting
    }

    fn is_json(&self) -> bool {
        let is_clean = self.foreign * 50 <= self.fitting;
        // Without keys it is a list: numbers in a row are a table unless a bracket opens them.
        let has_keys = self.keys * 4 >= self.strings.max(1);
        let is_list = self.opens && self.brackets >= 2 && self.separators >= 1;
        is_clean && self.brackets >= 1 && self.separators >= 1 && (has_keys || is_list)
    }
}

/// Where a string ends: at its quote, or at the line's end.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = memchr::memchr3(b'"', b'\\', b'\n', &text[at..]) {
        at += next;
        if text[at] != b'\\' {
            return Some(at);
        }
        at += 2;
        if at >= text.len() {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_lists_and_parts_of_them_are_json() {
        for text in [
            r#"{"station": "Bern", "degrees": 21.5, "open": true}"#,
            r#"[{"id":1,"tags":["a","b"]},{"id":2,"tags":[]}]"#,
            "[1, 2, 3.5, -4e9, null]",
            "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n",
            r#"ern with \"quotes\" in it","degrees":21.5},{"station":"Basel (city)","degrees":22.0},{"stat"#,
        ] {
            assert!(is_json(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_it_is_not() {
        for text in [
            r#"var a = {"b": 1, "c": 2}; function f(x) { return a[x]; }"#,
            "{station: 'Bern', degrees: 21.5, open: true}",
            "\"a\",\"b\",\"c\"\n\"d\",\"e\",\"f\"\n",
            "1,2,3\n4,5,6\n",
            "body { color: red; } a:hover { color: blue; }",
            "He said: \"it will rain\", and it did [twice].",
        ] {
            assert!(!is_json(text.as_bytes()), "{text}");
        }
    }
}
