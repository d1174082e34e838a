//! Versions out of texts that programs carry. Each gets what stands before a mark and what stands behind it.

/// How a version is taken from the neighbours of a mark.
pub(super) type Pick = fn(before: &[u8], behind: &[u8]) -> Option<String>;

/// No version is longer.
pub(super) const LONGEST: usize = 64;

/// `5.3.0` of `5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c`, where the mark is `-g`.
pub(super) fn jemalloc(before: &[u8], behind: &[u8]) -> Option<String> {
    let commit = behind.get(..40)?.iter().all(u8::is_ascii_hexdigit);
    let described = tail(before, |byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let (version, count) = described.rsplit_once('-')?;
    (commit && !count.is_empty() && version.matches('.').count() == 2).then(|| version.to_owned())
}

/// What stands up to the closing bracket, when it begins with a digit.
pub(super) fn in_brackets(_: &[u8], behind: &[u8]) -> Option<String> {
    let end = behind.iter().take(LONGEST).position(|&byte| byte == b')')?;
    plain(&behind[..end]).filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

/// Numbers and dots that end at the mark.
pub(super) fn before(before: &[u8], _: &[u8]) -> Option<String> {
    let version = tail(before, |byte| byte.is_ascii_digit() || byte == b'.');
    version.contains('.').then_some(version)
}

/// `3.11` of `python3.11`.
pub(super) fn of_program(file_name: &str) -> Option<String> {
    let digits = file_name.find(|letter: char| letter.is_ascii_digit())?;
    let version = &file_name[digits..];
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let end = version.find(|letter| !is_number(letter)).unwrap_or(version.len());
    let version = version[..end].trim_end_matches('.');
    version.contains('.').then(|| version.to_owned())
}

fn tail(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> String {
    let length = bytes.iter().rev().take(LONGEST).take_while(|&&byte| belongs(byte)).count();
    plain(&bytes[bytes.len() - length..]).unwrap_or_default()
}

fn plain(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|letter| letter.is_ascii_graphic()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_the_texts_of_real_libraries() {
        let commit = b"54eaed1d8b56b1aa528be3bdd1877e59c56fa90c\0";
        assert_eq!(jemalloc(b"\x005.3.0-0", commit).as_deref(), Some("5.3.0"));
        assert_eq!(jemalloc(b"un", b"lobbed"), None);
        assert_eq!(jemalloc(b"-0", commit), None);
        assert_eq!(
            in_brackets(b"", b"17.0.15+6-Debian-1deb12u1) for").as_deref(),
            Some("17.0.15+6-Debian-1deb12u1")
        );
        assert_eq!(in_brackets(b"", b"%s) for"), None);
        assert_eq!(before(b"\x0011.3.244.8", b"38").as_deref(), Some("11.3.244.8"));
        assert_eq!(of_program("python3.11").as_deref(), Some("3.11"));
        assert_eq!(of_program("libpython3.12.so").as_deref(), Some("3.12"));
        assert_eq!(of_program("python3"), None);
    }
}
