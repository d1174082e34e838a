use std::fmt;

use serde::{Serialize, Serializer};

/// What a program may do with a region, and whether writes reach other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "four independent permission bits, as the kernel prints them"
)]
pub struct Protection {
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// Execution is allowed.
    pub execute: bool,
    /// Writes reach everyone who maps the same memory (`s`); otherwise they are private (`p`).
    pub shared: bool,
}

impl Protection {
    /// Nothing may be touched: reserved address space, or a guard.
    pub fn is_none(self) -> bool {
        !(self.read || self.write || self.execute)
    }

    /// The four letters of `/proc/PID/maps`: `rw-p`.
    pub fn letters(self) -> [u8; 4] {
        [
            if self.read { b'r' } else { b'-' },
            if self.write { b'w' } else { b'-' },
            if self.execute { b'x' } else { b'-' },
            if self.shared { b's' } else { b'p' },
        ]
    }

    /// Reads the four letters of `/proc/PID/maps`.
    pub fn from_letters(letters: &[u8]) -> Option<Protection> {
        let &[read, write, execute, shared] = letters else { return None };
        Some(Protection {
            read: flag(read, b'r', b'-')?,
            write: flag(write, b'w', b'-')?,
            execute: flag(execute, b'x', b'-')?,
            shared: flag(shared, b's', b'p')?,
        })
    }
}

fn flag(letter: u8, yes: u8, no: u8) -> Option<bool> {
    if letter == yes {
        Some(true)
    } else if letter == no {
        Some(false)
    } else {
        None
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

impl Serialize for Protection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.letters()).unwrap_or("----"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back_as_they_were_read() {
        for text in ["rw-p", "r-xp", "---p", "rw-s"] {
            assert_eq!(Protection::from_letters(text.as_bytes()).expect("known letters").to_string(), text);
        }
        assert_eq!(Protection::from_letters(b"rwx"), None);
        assert_eq!(Protection::from_letters(b"rw?p"), None);
    }
}
