const BLOCKS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of `share` (0 to 1) of `width` characters, to an eighth of one. What is there at all shows.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares are clamped to 0 … 1")]
pub fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(BLOCKS[eighths % 8 - 1]);
    }
    bar
}

/// The last `width` values as a line of little columns, from the least to the most of them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "heights lie in 0 … 7")]
pub fn sparkline(values: &[f64], width: usize) -> String {
    let values = &values[values.len().saturating_sub(width)..];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step =
        |value: f64| if most > least { ((value - least) / (most - least) * 7.0).round() as usize } else { 0 };
    values.iter().map(|&value| STEPS[step(value)]).collect()
}

/// All values as a line of at most `width` little columns: each stands for an equal part of them.
pub fn overview(values: &[f64], width: usize) -> String {
    let part = values.len().div_ceil(width.max(1)).max(1);
    let means: Vec<f64> =
        values.chunks(part).map(|part| part.iter().sum::<f64>() / part.len() as f64).collect();
    sparkline(&means, width)
}

/// How counts spread, a character each: the higher the more, a dot for none.
pub fn density(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let level = |&count: &u64| match count {
        0 => '·',
        // Even one of many shows.
        _ => STEPS[usize::try_from(count * 7 / most).unwrap_or(7)],
    };
    counts.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_shows_however_little() {
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(0.0001, 10), "▏");
        assert_eq!(bar(0.5, 4), "██");
        assert_eq!(bar(7.0, 2), "██");
    }

    #[test]
    fn a_sparkline_shows_the_newest_values_from_least_to_most() {
        assert_eq!(sparkline(&[9.0, 0.0, 7.0, 3.5], 3), "▁█▅");
        assert_eq!(sparkline(&[5.0, 5.0], 9), "▁▁");
        assert_eq!(sparkline(&[], 9), "");
        assert_eq!(overview(&[0.0, 0.0, 4.0, 4.0, 7.0, 7.0], 3), "▁▅█");
        assert_eq!(density(&[0, 1, 700, 700]), "·▁██");
    }
}
