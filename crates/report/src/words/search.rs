use residue_analysis::search::Match;

/// What stands around a match, as text: what is not printable is a dot.
pub fn preview(hit: &Match, utf16: bool) -> String {
    // Text of two bytes a character is read from where the match begins, so that its bytes pair up.
    let step = if utf16 { 2 } else { 1 };
    let from = if utf16 { hit.at % 2 } else { 0 };
    hit.around.get(from..).unwrap_or_default().chunks(step).map(character).collect()
}

fn character(unit: &[u8]) -> char {
    match *unit {
        [byte @ b' '..=b'~'] | [byte @ b' '..=b'~', 0] => char::from(byte),
        [low, high] => char::from_u32(u32::from(low) | u32::from(high) << 8)
            .filter(|character| character.is_alphanumeric())
            .unwrap_or('.'),
        _ => '.',
    }
}
