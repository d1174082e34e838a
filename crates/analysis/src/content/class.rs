use serde::Serialize;

use super::tally::Tally;
use super::{Layout, code, magic, text, wide, words};

macro_rules! contents {
    ($($name:ident $key:literal $label:literal $doc:literal),* $(,)?) => {
        /// What a piece of memory holds.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Content {
            $(#[doc = $doc] #[serde(rename = $key)] $name,)*
            /// Binary data of no known kind.
            #[default]
            Unknown,
        }

        impl Content {
            /// Every class, related ones side by side.
            pub const ALL: &'static [Content] = &[$(Content::$name,)* Content::Unknown];

            /// The name in documents and filters.
            pub fn key(self) -> &'static str {
                match self { $(Content::$name => $key,)* Content::Unknown => "unknown" }
            }

            /// The name that people read.
            pub fn label(self) -> &'static str {
                match self { $(Content::$name => $label,)* Content::Unknown => "binary data" }
            }
        }
    };
}

contents! {
    Zero "zero" "zeros" "Zeros, but for a handful of bytes.",
    Repeated "repeated" "one repeated pattern" "One pattern of up to 16 bytes over and over: a fill of an allocator or of a debugger.",
    Html "html" "HTML" "Web pages.",
    Json "json" "JSON" "JSON, or parts of it.",
    Xml "xml" "XML" "XML that is no web page.",
    JavaScript "javascript" "JavaScript" "JavaScript source.",
    Css "css" "CSS" "Style sheets.",
    Sql "sql" "SQL" "SQL statements.",
    Log "log" "log lines" "Lines that begin with a time or a level.",
    Http "http" "HTTP messages" "Requests or responses with their headers.",
    Csv "csv" "CSV" "Lines with equal numbers of separators: comma, semicolon, tab, bar.",
    Pem "pem" "PEM keys or certificates" "Base64 between BEGIN and END lines.",
    Source "source" "source code" "Source of another programming language.",
    Text "text" "text" "Text of no known kind, or strings one after the other.",
    Utf16 "utf16" "UTF-16 text" "Text in two bytes a character.",
    Pointers "pointers" "pointers" "Addresses of the process itself.",
    Floats "floats" "floating point numbers" "Numbers of 4 or 8 bytes with a fraction.",
    Integers "integers" "small integers" "Whole numbers of 2, 4 or 8 bytes that use few of their bits.",
    Image "image" "images" "An image in a file format.",
    Media "media" "audio or video" "Sound or film in a file format.",
    Document "document" "documents" "PDF, office documents, PostScript.",
    Font "font" "fonts" "A font file.",
    Database "database" "databases" "A database file.",
    Archive "archive" "archives" "Many files in one: zip, tar, cab …",
    Compressed "compressed" "compressed data" "A compressed stream with its header: gzip, zstd, xz …",
    Encrypted "encrypted" "compressed or encrypted data" "Bytes without any order and without a header.",
    Executable "executable" "program files" "A program or library in its file format, or bytecode.",
    Code "code" "machine code" "Instructions of x86 or ARM.",
    Mixed "mixed" "mixed records" "Pointers, numbers and strings side by side: what objects of a program look like.",
}

impl Content {
    /// What `bytes` hold, by what dominates: a short header in front of it and zeros behind it do not count.
    ///
    /// Takes time in proportion to the length and allocates nothing.
    ///
    /// ```
    /// use residue_analysis::content::{Content, Layout};
    ///
    /// let row = br#"{"station": "Bern", "degrees": 21.5}"#;
    /// assert_eq!(Content::of(row, &Layout::default()), Content::Json);
    /// ```
    pub fn of(bytes: &[u8], layout: &Layout) -> Content {
        let used = without_zero_tail(bytes);
        if used.is_empty() {
            return if bytes.is_empty() { Content::Unknown } else { Content::Zero };
        }
        if used.len() >= bytes.len() / 4 && is_repeated(used) {
            return Content::Repeated;
        }
        let tally = Tally::of(used);
        magic::recognise(bytes)
            .or_else(|| text::kind(used, &tally))
            .or_else(|| wide::is_text(used, layout.big_endian).then_some(Content::Utf16))
            .or_else(|| is_almost_zero(&tally, bytes.len()).then_some(Content::Zero))
            .or_else(|| words::kind(bytes, layout))
            .or_else(|| code::is_code(used).then_some(Content::Code))
            .or_else(|| magic::packed(used, &tally))
            .or_else(|| words::mixed(bytes, layout))
            .unwrap_or_default()
    }

    /// Readable without a decoder.
    pub fn is_text(self) -> bool {
        (Content::Html..=Content::Utf16).contains(&self)
    }
}

/// Everything up to the last byte that is not zero.
fn without_zero_tail(bytes: &[u8]) -> &[u8] {
    const STEP: usize = 256;
    let mut end = bytes.len();
    while end >= STEP && bytes[end - STEP..end].iter().fold(0, |sum, byte| sum | byte) == 0 {
        end -= STEP;
    }
    let last = bytes[..end].iter().rposition(|&byte| byte != 0);
    &bytes[..last.map_or(0, |last| last + 1)]
}

fn is_repeated(bytes: &[u8]) -> bool {
    [1, 2, 4, 8, 16]
        .into_iter()
        .any(|period| bytes.len() >= period * 4 && bytes[period..] == bytes[..bytes.len() - period])
}

/// A page that one pointer or a count was written to.
fn is_almost_zero(tally: &Tally, len: usize) -> bool {
    len >= 256 && tally.nonzero() as usize <= len / 256
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::tally::tests::noise;

    fn of(bytes: &[u8]) -> Content {
        Content::of(bytes, &Layout::default())
    }

    #[test]
    fn every_class_has_its_own_key_and_serializes_as_it() {
        let mut keys: Vec<&str> = Content::ALL.iter().map(|content| content.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Content::ALL.len());
        assert!(Content::Html.is_text() && Content::Utf16.is_text() && !Content::Zero.is_text());
    }

    #[test]
    fn a_handful_of_bytes_leave_zeros_what_they_are() {
        let mut page = vec![0; 4096];
        assert_eq!(of(&page), Content::Zero);
        page[64..70].copy_from_slice(&[0x10, 0x20, 0x30, 0x40, 0x50, 0x7f]);
        assert_eq!(of(&page), Content::Zero);
        page[..1024].copy_from_slice(&noise(1024, 5));
        assert_ne!(of(&page), Content::Zero);
        assert_eq!(of(&[]), Content::Unknown);
    }

    #[test]
    fn a_fill_is_repeated_whatever_its_period() {
        for pattern in [&[0xcc][..], &[0xad, 0xba], &[0xef, 0xbe, 0xad, 0xde], &[1, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(of(&pattern.repeat(600)), Content::Repeated, "{pattern:?}");
        }
    }

    /// An allocator's header in front and zeros behind must not hide what the block is for.
    #[test]
    fn a_short_header_and_a_zero_tail_hide_nothing() {
        let text = "Rain is likely tonight, and the wind will turn to the north. ".repeat(20);
        let mut bytes = vec![0x11, 0x20, 0, 0, 0, 0, 0, 0, 0x90, 0x3c, 0x55, 0x12, 0xff, 0x7f, 0, 0];
        bytes.extend(text.as_bytes());
        bytes.resize(8192, 0);
        assert_eq!(of(&bytes), Content::Text);
    }

    #[test]
    fn text_in_noise_is_no_text() {
        let mut bytes = noise(4096, 9);
        bytes[1000..1040].copy_from_slice(b"connection reset by peer, will try again");
        assert!(!of(&bytes).is_text());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), wide in any::<bool>()) {
            let layout = Layout::of(&[], if wide { 64 } else { 32 }, wide);
            Content::of(&bytes, &layout);
        }

        /// Bytes that look like something reach deeper than random ones.
        #[test]
        fn no_start_of_a_format_makes_it_panic(
            head in prop::sample::select(vec![
                &b"PK\x03\x04"[..], b"MZ", b"\x7fELF", b"BM", b"{\"", b"<?xml", b"HTTP/1.1 200", b"\0\x01\0\0", b"GET ",
                b"-----BEGIN ", b"\x1f\x8b\x08", b"\0\0\x01\0", b"SELECT ", b"(\xb5/\xfd", b"RIFF",
            ]),
            tail in prop::collection::vec(prop_oneof![any::<u8>(), 0x20_u8..0x7f, Just(b'<'), Just(b'"'), Just(b'\n')], 0..300),
        ) {
            of(&[head, &tail].concat());
        }
    }

    #[test]
    fn every_short_length_is_fine() {
        for len in 0..=64 {
            for seed in 1..50 {
                of(&noise(len, seed));
            }
            of(&vec![b'<'; len]);
            of(&b"<a href=\"x\">{\"a\":[1,2]}</a>\r\nGET / HTTP/1.1\r\n\xd0\xbe\0\0x"[..len.min(50)]);
        }
    }
}
