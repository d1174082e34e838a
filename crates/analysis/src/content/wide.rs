/// Whether these bytes are text of two bytes a character: what Windows, Java and JavaScript keep in memory.
///
/// Either byte order and either parity are tried, for a header may have an odd length.
pub(super) fn is_text(bytes: &[u8], big_endian: bool) -> bool {
    let orders: [fn([u8; 2]) -> u16; 2] = if big_endian {
        [u16::from_be_bytes, u16::from_le_bytes]
    } else {
        [u16::from_le_bytes, u16::from_be_bytes]
    };
    let starts = [0, 1].into_iter().filter_map(|start| bytes.get(start..));
    starts.flat_map(|part| orders.map(|order| Letters::of(part, order))).any(|letters| letters.are_text())
}

/// What 16-bit units are, as characters.
struct Letters {
    /// Units that are not zero.
    units: u32,
    /// Letters, digits and blanks of ASCII.
    ascii: u32,
    /// Other printable ASCII.
    marks: u32,
    blanks: u32,
    /// Letters by the upper byte of their code.
    blocks: [u16; 256],
    /// Units that no text has.
    foreign: u32,
}

/// Enough to tell, however long the text is.
const LOOK: usize = 16 << 10;
const HEADER_UNITS: u32 = 32;

impl Letters {
    fn of(bytes: &[u8], order: fn([u8; 2]) -> u16) -> Letters {
        let mut letters = Letters { units: 0, ascii: 0, marks: 0, blanks: 0, blocks: [0; 256], foreign: 0 };
        for pair in bytes[..bytes.len().min(LOOK)].chunks_exact(2) {
            letters.add(order([pair[0], pair[1]]));
            if letters.foreign > HEADER_UNITS && letters.foreign * 4 > letters.units {
                break;
            }
        }
        letters
    }

    fn add(&mut self, unit: u16) {
        self.units += u32::from(unit != 0);
        match unit {
            0 => {}
            0x20 | 0x09 | 0x0a | 0x0d => {
                self.ascii += 1;
                self.blanks += 1;
            }
            0x30..=0x39 | 0x41..=0x5a | 0x61..=0x7a => self.ascii += 1,
            0x21..=0x7e => self.marks += 1,
            // Latin, Greek, Cyrillic, Hebrew, Arabic; Thai; punctuation; kana, Han and Hangul.
            0xa0..=0x06ff
            | 0x0e00..=0x0e7f
            | 0x2010..=0x203f
            | 0x3000..=0x30ff
            | 0x4e00..=0x9fff
            | 0xac00..=0xd7a3
            | 0xff00..=0xffef => self.blocks[usize::from(unit >> 8)] += 1,
            _ => self.foreign += 1,
        }
    }

    /// Numbers of 16 bits are spread over codes that no language uses together; text keeps to ASCII, or to one alphabet
    /// with its blanks or its punctuation.
    fn are_text(&self) -> bool {
        let plain = self.ascii + self.marks;
        if self.units < 8 || self.foreign > (self.units / 50).max(self.units.min(HEADER_UNITS) / 4) {
            return false;
        }
        if plain * 100 >= self.units * 85 {
            return self.ascii * 10 >= plain * 6;
        }
        let han = (0x4e..=0x9f).map(|block| u32::from(self.blocks[block])).sum::<u32>();
        let alphabet = self.blocks[..7].iter().map(|&count| u32::from(count)).max().unwrap_or(0);
        let east = han + (0xac..=0xd7).chain([0x30]).map(|block| u32::from(self.blocks[block])).sum::<u32>();
        let punctuation = u32::from(self.blocks[0x30]) + u32::from(self.blocks[0xff]) + self.blanks;
        let is_alphabet = (alphabet + plain) * 100 >= self.units * 92 && self.blanks * 25 >= self.units;
        let is_east = (east + plain) * 100 >= self.units * 88
            && self.foreign * 100 <= self.units
            && punctuation * 40 >= self.units;
        is_alphabet || is_east
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tally::tests::noise;

    fn le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn counters(from: u16, to: u16, step: usize) -> Vec<u8> {
        (from..to).step_by(step).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn text_of_any_alphabet_is_text() {
        for text in [
            "C:\\Program Files\\Forecast\\bin\\forecast.exe",
            "Завтра ожидается дождь, ветер северный, температура воздуха днём до пяти градусов тепла.",
            "明日は雨が降るでしょう。風は北から吹き、気温は五度まで下がります。明日は雨が降るでしょう。",
            "Morgen fällt in München Regen; Höchstwerte über fünf Grad.",
        ] {
            assert!(is_text(&le(text), false), "{text}");
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert!(is_text(&big, false), "{text}");
        }
        assert!(is_text(&[&[7], &le("an odd header stands in front of this text")[..]].concat(), false));
    }

    #[test]
    fn numbers_of_two_bytes_are_no_text() {
        assert!(!is_text(&counters(0, 2000, 1), false));
        assert!(!is_text(&counters(0, 60000, 7), false));
        assert!(!is_text(&counters(33, 48, 1).repeat(9), false));
        assert!((1..200).all(|seed| !is_text(&noise(512, seed), false)));
    }
}
