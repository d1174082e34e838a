use residue_model::Range;

/// Adds a range behind others, as a part of the last where it follows it.
pub(super) fn extend(ranges: &mut Vec<Range>, next: Range) {
    match ranges.last_mut() {
        Some(last) if last.end >= next.start => last.end = last.end.max(next.end),
        _ => ranges.push(next),
    }
}

/// Ranges in order, as few as may be.
pub(super) fn merge(ranges: impl IntoIterator<Item = Range>) -> Vec<Range> {
    let mut merged = Vec::new();
    ranges.into_iter().for_each(|range| extend(&mut merged, range));
    merged
}
