use serde::Serialize;

use super::extract::Texts;

/// A string that many members of a population have and the rest of the process has not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telling {
    /// The string, 8 to 64 characters, as it stands in memory; nothing in it can move a cursor or turn the writing.
    pub text: String,
    /// How it stands there.
    pub encoding: Encoding,
    /// How many of the sampled members have it.
    pub members: u64,
    /// The same as a part of them, 0 to 1.
    pub share: f64,
    /// Part of the pieces sampled elsewhere that have it, 0 to 1.
    pub background: f64,
    /// How often it stands in all that was read of the members.
    pub occurrences: u64,
}

/// How a string stands in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// One byte a character; letters beyond ASCII as UTF-8.
    Ascii,
    /// UTF-16, low byte first.
    Utf16,
}

impl Encoding {
    pub(super) const BOTH: [Encoding; 2] = [Encoding::Ascii, Encoding::Utf16];

    pub(super) fn of(self, texts: &Texts) -> &[u8] {
        match self {
            Encoding::Ascii => &texts.narrow,
            Encoding::Utf16 => &texts.wide,
        }
    }

    /// The same characters in two encodings are two strings.
    pub(super) fn salt(self) -> u64 {
        match self {
            Encoding::Ascii => 0,
            Encoding::Utf16 => 0x5555_aaaa_5555_aaaa,
        }
    }
}
