use residue_analysis::content::{Contents, Share};
use residue_analysis::{Examined, Occurrences, Subject};

use crate::units::{self, count, percent, size};

/// What memory holds, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentText {
    /// What was looked into: `9000 regions of 128.0 KiB`.
    pub subject: String,
    /// How much that is.
    pub amount: String,
    /// What it holds, with the confidence in it.
    pub shares: String,
    /// The most telling strings, a line each.
    pub strings: Vec<String>,
}

/// Puts what memory holds into words.
pub fn content(examined: &Examined) -> ContentText {
    let Examined { subject, total, share, contents, counted, range } = examined;
    let unit = if matches!(subject, Subject::Usage { .. }) { "pieces" } else { "regions" };
    let subject = match subject {
        Subject::Population { size: each, members, usage } => {
            format!("{} of {} ({})", units::counted(*members, "region"), size(*each), usage.label())
        }
        Subject::Usage { usage, regions } => {
            format!("{} ({})", usage.label(), units::counted(*regions, "region"))
        }
    };
    let amount =
        format!("{}: {} of committed memory, {} … {}", size(*total), percent(*share), range.start, range.end);
    let counted = counted.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let strings = contents.strings.iter().zip(counted).map(|(telling, counted)| match counted {
        Some(counted) => format!("`{}`  {}", telling.text, occurrences(counted)),
        None => format!(
            "`{}`  in {} of those looked into, {} elsewhere",
            telling.text,
            percent(telling.share),
            percent(telling.background)
        ),
    });
    ContentText { subject, amount, shares: shares(contents, unit), strings: strings.collect() }
}

fn occurrences(counted: &Occurrences) -> String {
    let outside = match counted.outside {
        0 => "none of them elsewhere".to_owned(),
        outside => format!("{} of them elsewhere", count(outside)),
    };
    format!(
        "{} in {}, {} … {}; {outside}",
        units::counted(counted.count, "time"),
        units::counted(counted.regions, "region"),
        counted.first,
        counted.last
    )
}

/// `88 % HTML (95 %: 80 … 93), 6.3 % JSON; 96 of 9000 regions looked into`.
fn shares(contents: &Contents, unit: &str) -> String {
    let Some((first, rest)) = contents.shares.split_first() else {
        return "nothing of it can be read".into();
    };
    let mut parts = vec![interval(first)];
    parts.extend(
        rest.iter().take(4).map(|share| format!("{} {}", percent(share.share), share.content.label())),
    );
    format!(
        "{}; {} of {} {unit} looked into",
        parts.join(", "),
        count(contents.sampled),
        count(contents.members)
    )
}

fn interval(share: &Share) -> String {
    let whole = format!("{} {}", percent(share.share), share.content.label());
    if share.high - share.low < 0.005 {
        return whole;
    }
    format!("{whole} (95 %: {:.0} … {:.0})", share.low * 100.0, share.high * 100.0)
}
