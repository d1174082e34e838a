use std::fmt::{self, Display, Formatter, Write};

/// Text as it may stand in XML, between tags and in attributes. What XML has no way to write, or what would turn the
/// direction of the text around it, becomes a replacement character: names come from whatever was recorded.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => to.write_str("&amp;")?,
                '<' => to.write_str("&lt;")?,
                '>' => to.write_str("&gt;")?,
                '"' => to.write_str("&quot;")?,
                '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    to.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                _ if letter.is_control() => to.write_char(char::REPLACEMENT_CHARACTER)?,
                _ => to.write_char(letter)?,
            }
        }
        Ok(())
    }
}
