//! How values on the command line are read.

use std::time::Duration;

use regex::Regex;
use residue::analysis::parse_size;
use residue::analysis::reachability::{Heuristics, LeakKind};
use residue::model::Bytes;

/// WinDbg writes `-f:Unk`.
#[allow(clippy::unnecessary_wraps, reason = "a value parser may fail")]
pub(crate) fn filter(text: &str) -> Result<String, String> {
    Ok(text.strip_prefix(':').unwrap_or(text).to_owned())
}

pub(crate) fn size(text: &str) -> Result<Bytes, String> {
    parse_size(text).ok_or_else(|| "write 4096, 128K, 1M or 2G".into())
}

/// Reads a length: in hexadecimal behind `0x`, otherwise as sizes are.
pub(crate) fn length(text: &str) -> Result<Bytes, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(Bytes),
        None => parse_size(text),
    }
    .ok_or_else(|| "write 64, 0x1000, 4K or 1M".into())
}

/// Reads names of memcheck's heuristics.
pub(crate) fn heuristics(text: &str) -> Result<Heuristics, String> {
    Heuristics::parse(text).ok_or_else(|| {
        "write all, none, or some of stdstring,length64,newarray,multipleinheritance,python".into()
    })
}

/// Kinds of loss.
#[derive(Clone)]
pub(crate) struct Kinds(pub(crate) Vec<LeakKind>);

/// Reads kinds of loss.
pub(crate) fn kinds(text: &str) -> Result<Kinds, String> {
    if text == "all" {
        return Ok(Kinds(LeakKind::ALL.to_vec()));
    }
    let kind = |word: &str| LeakKind::ALL.into_iter().find(|kind| kind.key() == word.trim());
    let kinds: Option<Vec<LeakKind>> = text.split(',').map(kind).collect();
    kinds.map(Kinds).ok_or_else(|| "write all, or some of definite,indirect,possible,reachable".into())
}

/// Reads a regular expression.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

/// Reads how long something takes: `500ms`, `30s`, `5m`, `2h`; a bare number is seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let time = moment(text)?;
    if time < Duration::from_millis(10) {
        return Err("shorter than 10ms tells nothing".into());
    }
    Ok(time)
}

/// Reads a moment since a start in the same units; the start itself is 0.
pub(crate) fn moment(text: &str) -> Result<Duration, String> {
    const WRITE: &str = "write 500ms, 30s, 5m or 2h";
    let digits =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(WRITE.into()),
    };
    let seconds = number.parse::<f64>().map_err(|_| WRITE)? * scale;
    Duration::try_from_secs_f64(seconds).map_err(|_| WRITE.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(time("7"), Ok(Duration::from_secs(7)));
        assert_eq!(moment("0"), Ok(Duration::ZERO));
        for wrong in ["", "m", "5x", "0s", "1e400s", "-3s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
