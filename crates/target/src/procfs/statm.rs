//! `statm`: sizes of a process in pages, in about 2 µs however large it is.
//!
//! Source: `proc_pid_statm(5)`. The counts are batched per CPU: right in trend, tens of pages off at a moment.

use super::number::decimal;
use crate::{Error, Result};

/// Sizes in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statm {
    /// Virtual size.
    pub size: u64,
    /// Resident.
    pub resident: u64,
    /// The resident pages that are files or shared memory.
    pub shared: u64,
}

/// Reads the line.
///
/// # Errors
/// [`crate::ErrorKind::Syntax`] when it does not start with three numbers.
pub fn parse(text: &[u8]) -> Result<Statm> {
    let mut words = text.split(u8::is_ascii_whitespace).map(decimal);
    let mut next = || words.next().flatten();
    match (next(), next(), next()) {
        (Some(size), Some(resident), Some(shared)) => Ok(Statm { size, resident, shared }),
        _ => Err(Error::syntax("statm", 1, "not three numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_of_seven_numbers_count() {
        assert_eq!(
            parse(b"100 20 5 1 0 8 0\n").expect("numbers"),
            Statm { size: 100, resident: 20, shared: 5 }
        );
        assert!(parse(b"100 20\n").is_err());
    }
}
