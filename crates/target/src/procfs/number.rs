/// Reads the decimal number that stands at the start of `text`, after spaces.
///
/// `None` when there is none, or when it does not fit 64 bits.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    text[..digits]
        .iter()
        .try_fold(0_u64, |value, &digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// Reads a whole hexadecimal number without a prefix.
pub(crate) fn hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &digit| Some(value << 4 | u64::from(nibble(digit)?)))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Splits `Key:   value` at its colon.
pub(crate) fn key_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_digits_end_and_never_wrap() {
        assert_eq!(decimal(b"   42 kB"), Some(42));
        assert_eq!(decimal(b"kB"), None);
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(hex(b"7ffd00ff"), Some(0x7ffd_00ff));
        assert_eq!(hex(b"7ffg"), None);
        assert_eq!(hex(b"11112222333344445"), None);
    }
}
