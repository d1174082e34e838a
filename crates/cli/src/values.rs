//! How values on the command line are read.

use std::time::Duration;

#[cfg(not(windows))]
use residue::analysis::parse_size;
#[cfg(not(windows))]
use residue::model::Bytes;

/// WinDbg writes `-f:Unk`.
#[allow(clippy::unnecessary_wraps, reason = "a value parser may fail")]
pub(crate) fn filter(text: &str) -> Result<String, String> {
    Ok(text.strip_prefix(':').unwrap_or(text).to_owned())
}

#[cfg(not(windows))]
pub(crate) fn size(text: &str) -> Result<Bytes, String> {
    parse_size(text).ok_or_else(|| "write 4096, 128K, 1M or 2G".into())
}

/// Reads `500ms`, `30s`, `5m`, `2h`; a bare number is seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
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
    if seconds < 0.01 {
        return Err("shorter than 10ms tells nothing".into());
    }
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
        for wrong in ["", "m", "5x", "0s", "1e400s", "-3s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
