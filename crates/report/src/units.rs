//! Numbers as people read them: binary units, a few digits, `-` for what is unknown.

use std::time::SystemTime;

use residue_model::Bytes;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `1.5 MiB`: one digit behind the point, none for bytes.
pub fn size(size: Bytes) -> String {
    size.to_string()
}

/// The same, `-` for unknown.
pub fn size_or_dash(value: Option<Bytes>) -> String {
    value.map_or_else(|| "-".into(), size)
}

/// `+1.5 MiB` or `-12.0 KiB`; `0` for no change.
pub fn change(bytes: i64) -> String {
    if bytes == 0 {
        return "0".into();
    }
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", size(Bytes(bytes.unsigned_abs())))
}

/// The same, `-` for unknown.
pub fn change_or_dash(bytes: Option<i64>) -> String {
    bytes.map_or_else(|| "-".into(), change)
}

/// `+18.4 MiB/h` of bytes an hour.
pub fn rate(bytes_per_hour: f64) -> String {
    let (value, unit) = scaled(bytes_per_hour.abs());
    let sign = if bytes_per_hour < 0.0 { '-' } else { '+' };
    format!("{sign}{value:.1} {unit}/h")
}

/// The number of a rate in the unit of another, for intervals: `16.9`.
pub fn rate_like(bytes_per_hour: f64, model: f64) -> String {
    let (value, _) = scaled(model.abs());
    let divisor = if value > 0.0 { model.abs() / value } else { 1.0 };
    format!("{:.1}", bytes_per_hour / divisor)
}

/// `97 %`, `0.4 %` of a share from 0 to 1.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 9.95 {
        format!("{percent:.0} %")
    } else if percent < 0.1 {
        "< 0.1 %".into()
    } else {
        format!("{percent:.1} %")
    }
}

/// `1 region`, `2 regions`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// `5 µs`, `0.4 ms`, `350 ms`, `12 s`, `9 min`, `11 h`, `3 days`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s > 0.0 && s < 0.0001 => format!("{:.0} µs", s * 1e6),
        s if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 2.0 * 3600.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86400.0),
    }
}

/// A time that `--for` takes: `90s`, `10m`, `3h`; rounded up.
pub fn argument(seconds: f64) -> String {
    match seconds {
        s if s <= 120.0 => format!("{:.0}s", s.ceil()),
        s if s <= 2.0 * 3600.0 => format!("{:.0}m", (s / 60.0).ceil()),
        s => format!("{:.0}h", (s / 3600.0).ceil()),
    }
}

/// `2026-11-21T20:31:59Z`: RFC 3339, by the clock of Greenwich. None before 1970.
pub fn date(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let (days, second) = (i64::try_from(seconds / 86400).ok()?, seconds % 86400);
    // Years from March on, so that a leap day is a year's last: Gregory's calendar repeats each 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// `12 500`: digits in threes, parted by spaces.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

fn scaled(bytes: f64) -> (f64, &'static str) {
    let mut value = bytes;
    let mut unit = 0;
    // 1023.95 and more would round to 1024.0 of the smaller unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    (value, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_one_digit_and_never_show_1024_of_a_unit() {
        assert_eq!(size(Bytes(1023)), "1023 B");
        assert_eq!(size(Bytes::kib(1)), "1.0 KiB");
        assert_eq!(size(Bytes(1024 * 1024 - 1)), "1.0 MiB");
        assert_eq!(size(Bytes(u64::MAX)), "16.0 EiB");
        assert_eq!(size_or_dash(None), "-");
    }

    #[test]
    fn changes_and_rates_carry_their_sign() {
        assert_eq!(change(-2048), "-2.0 KiB");
        assert_eq!(change(0), "0");
        assert_eq!(rate(18.4 * 1024.0 * 1024.0), "+18.4 MiB/h");
        assert_eq!(rate_like(16.9 * 1024.0 * 1024.0, 18.4 * 1024.0 * 1024.0), "16.9");
    }

    #[test]
    fn a_date_is_that_of_the_calendar() {
        let at = |seconds| date(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        for (seconds, known) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_795_293_119, "2026-11-21T20:31:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(at(seconds).as_deref(), Some(known));
        }
    }

    #[test]
    fn shares_and_times_are_short() {
        assert_eq!(
            (percent(0.974).as_str(), percent(0.004).as_str(), percent(0.0).as_str()),
            ("97 %", "0.4 %", "0 %")
        );
        assert_eq!(
            (duration(0.35).as_str(), duration(41.0).as_str(), duration(9.0 * 3600.0).as_str()),
            ("350 ms", "41 s", "9 h")
        );
        assert_eq!(
            (argument(30.0).as_str(), argument(601.0).as_str(), argument(9000.0).as_str()),
            ("30s", "11m", "3h")
        );
        assert_eq!((count(9000).as_str(), count(12500).as_str()), ("9000", "12 500"));
    }
}
