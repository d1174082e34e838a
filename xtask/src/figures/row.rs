use std::fmt::Write;
use std::time::Duration;

/// A figure of Residue beside that of a peer.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    ours: Amount,
    theirs: Option<Amount>,
    bar: Option<f64>,
}

/// What is compared: smaller is better in both.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Time(Duration),
    Bytes(u64),
}

impl Row {
    /// Against a peer, with the ratio that is to be met.
    pub(super) fn against(what: &str, ours: Amount, theirs: Amount, bar: f64) -> Self {
        Self { what: what.to_owned(), ours, theirs: Some(theirs), bar: Some(bar) }
    }

    /// Beside a peer, for information.
    pub(super) fn beside(what: &str, ours: Amount, theirs: Amount) -> Self {
        Self { what: what.to_owned(), ours, theirs: Some(theirs), bar: None }
    }

    fn ratio(&self) -> Option<f64> {
        let theirs = self.theirs?.value();
        (theirs > 0.0).then(|| self.ours.value() / theirs)
    }

    fn met(&self) -> &'static str {
        match (self.ratio(), self.bar) {
            (Some(ratio), Some(bar)) if ratio <= bar => "yes",
            (_, Some(_)) => "**no**",
            (_, None) => "",
        }
    }
}

impl Amount {
    fn value(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(bytes) => bytes as f64,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Time(time) if time < Duration::from_micros(1) => {
                format!("{:.1} ns", time.as_secs_f64() * 1e9)
            }
            Self::Time(time) if time < Duration::from_millis(1) => {
                format!("{:.1} us", time.as_secs_f64() * 1e6)
            }
            Self::Time(time) if time < Duration::from_secs(1) => {
                format!("{:.1} ms", time.as_secs_f64() * 1e3)
            }
            Self::Time(time) => format!("{:.2} s", time.as_secs_f64()),
            Self::Bytes(bytes) => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        }
    }
}

/// One table in Markdown.
pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| figure | residue | peer | ratio | bar | met |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for row in rows {
        let theirs = row.theirs.map_or_else(String::new, Amount::shown);
        let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let bar = row.bar.map_or_else(String::new, |bar| format!("<= {bar:.2}"));
        let (what, ours, met) = (&row.what, row.ours.shown(), row.met());
        let _ = writeln!(text, "| {what} | {ours} | {theirs} | {ratio} | {bar} | {met} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_by_the_ratio() {
        let ms = |ms| Amount::Time(Duration::from_millis(ms));
        let rows = [
            Row::against("a", ms(20), ms(100), 0.25),
            Row::against("b", ms(2000), ms(1000), 1.0),
            Row::beside("c", Amount::Bytes(1 << 20), Amount::Bytes(2 << 20)),
        ];

        let table = render(&rows);

        assert!(table.contains("| a | 20.0 ms | 100.0 ms | 0.20 | <= 0.25 | yes |"), "{table}");
        assert!(table.contains("| b | 2.00 s | 1.00 s | 2.00 | <= 1.00 | **no** |"), "{table}");
        assert!(table.contains("| c | 1.0 MiB | 2.0 MiB | 0.50 |  |  |"), "{table}");
    }

    /// A peer that took no time says that the measurement failed, not that we are infinitely slow or as good.
    #[test]
    fn nothing_to_compare_with_is_not_met() {
        let row = Row::against("a", Amount::Bytes(0), Amount::Bytes(0), 1.0);

        assert_eq!((row.ratio(), row.met()), (None, "**no**"));
    }
}
