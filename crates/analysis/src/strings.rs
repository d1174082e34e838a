use residue_model::Address;

/// Text that stands in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it begins.
    pub address: Address,
    /// What it says; characters that are not printable end it.
    pub text: String,
    /// Two bytes a character.
    pub utf16: bool,
}

/// Shows every text of at least `shortest` characters in bytes that stand at `start`: ASCII and UTF-16, in order of
/// address.
pub fn texts(start: Address, bytes: &[u8], shortest: usize, show: &mut dyn FnMut(&Text)) {
    let mut at = 0;
    while at < bytes.len() {
        let (length, utf16) = match (run(&bytes[at..]), wide_run(&bytes[at..])) {
            (narrow, wide) if wide >= shortest && wide * 2 > narrow => (wide, true),
            (narrow, _) => (narrow, false),
        };
        let step = if utf16 { 2 } else { 1 };
        let size = length * step;
        if length >= shortest {
            let text = bytes[at..at + size].iter().step_by(step).copied().map(char::from).collect();
            show(&Text { address: Address(start.0 + at as u64), text, utf16 });
        }
        at += size.max(1);
    }
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) || byte == b'\t'
}

fn run(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_printable(byte)).unwrap_or(bytes.len())
}

fn wide_run(bytes: &[u8]) -> usize {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().position(|&[low, high]| high != 0 || !is_printable(low)).unwrap_or(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Vec<(u64, String, bool)> {
        let mut found = Vec::new();
        texts(Address(0x1000), bytes, 4, &mut |text| {
            found.push((text.address.0, text.text.clone(), text.utf16));
        });
        found
    }

    #[test]
    fn both_encodings_are_found_in_order() {
        let bytes = b"\x01plain\x00\x02w\0i\0d\0e\0\x00\x00abc\x00end.";
        assert_eq!(
            found(bytes),
            [(0x1001, "plain".into(), false), (0x1008, "wide".into(), true), (0x1016, "end.".into(), false)]
        );
    }

    #[test]
    fn nothing_and_noise_hold_no_text() {
        assert_eq!(found(b""), []);
        assert_eq!(found(&[0xff; 64]), []);
        assert_eq!(found(b"abc"), []);
    }
}
