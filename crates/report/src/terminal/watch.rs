use std::fmt::Write as _;
use std::io::Write;

use residue_analysis::growth::Class;
use residue_model::{Bytes, Sample, Series};

use super::{Screen, sparkline};
use crate::Result;
use crate::units::{change_or_dash, size_or_dash};

/// Writes a line a sample, each with what changed since the one before.
pub struct WatchLines {
    screen: Screen,
    /// Who is watched, when it is more than one.
    name: Option<String>,
    last: Option<Sample>,
    private: Vec<f64>,
}

/// Columns of the sparkline.
const SPARK: usize = 20;

impl WatchLines {
    /// Lines for one process; `name` stands in front of each.
    pub fn new(screen: Screen, name: Option<String>) -> WatchLines {
        WatchLines { screen, name, last: None, private: Vec::new() }
    }

    /// The headings, in the terms of the system that the first sample is of.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn header(&self, out: &mut impl Write, first: &Sample) -> Result<()> {
        let cells = if is_windows(first) {
            ["TIME", "COMMIT", "CHANGE", "WORKING SET", "HEAP", "VIRTUALALLOC", "LARGEST FREE", "HANDLES"]
        } else {
            ["TIME", "PRIVATE+SWAP", "CHANGE", "RSS", "HEAP", "MMAP", "SHARED", "MAJFLT"]
        };
        let cells = cells.map(String::from);
        let line = self.fit(&cells, "");
        writeln!(out, "{}", self.screen.faint(line.trim_end()))?;
        Ok(())
    }

    /// One sample.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn sample(&mut self, out: &mut impl Write, sample: &Sample) -> Result<()> {
        let private = sample.footprint.private();
        self.private.extend(private.map(|bytes| bytes.0 as f64));
        let last = self.last.as_ref();
        let delta = |value: &dyn Fn(&Sample) -> Option<Bytes>| {
            change_or_dash(last.and_then(|last| Some(value(sample)?.signed_since(value(last)?))))
        };
        let faults = last.and_then(|last| Some(sample.majflt?.saturating_sub(last.majflt?)));
        let (shared, count) = if is_windows(sample) {
            (size_or_dash(sample.free.map(|free| free.largest)), sample.handles)
        } else {
            (delta(&|sample| sample.footprint.shmem), faults)
        };
        let cells = [
            format!("{:.1} s", sample.seconds),
            size_or_dash(private),
            delta(&|sample| sample.footprint.private()),
            delta(&|sample| sample.footprint.rss),
            delta(&|sample| class(sample, Class::Heap)),
            delta(&|sample| class(sample, Class::Mmap)),
            shared,
            count.map_or_else(|| "-".into(), |count| count.to_string()),
        ];
        let line = self.fit(&cells, &sparkline(&self.private, SPARK));
        writeln!(out, "{}", line.trim_end())?;
        self.last = Some(sample.clone());
        Ok(())
    }

    /// Columns from the left as long as they fit, then the sparkline if it still does.
    fn fit(&self, cells: &[String; 8], spark: &str) -> String {
        let limit = self.screen.width.unwrap_or(usize::MAX);
        let mut line = self.name.as_ref().map(|name| format!("{name:<20.20} ")).unwrap_or_default();
        let mut used = line.chars().count();
        for (cell, width) in cells.iter().zip([8, 13, 12, 12, 12, 13, 13, 8]) {
            if used + width > limit {
                return line;
            }
            write!(line, "{cell:>width$}").expect("a string takes everything");
            used += width;
        }
        if used + 2 + SPARK <= limit {
            line.push_str("  ");
            line.push_str(spark);
        }
        line
    }
}

fn is_windows(sample: &Sample) -> bool {
    sample.footprint.windows.is_some()
}

fn class(sample: &Sample, class: Class) -> Option<Bytes> {
    let usages = sample.by_usage.as_ref()?;
    Some(usages.iter().filter(|(usage, _)| Class::of(*usage) == class).map(|(_, size)| *size).sum())
}

/// One line that sums a series up: from where to where.
pub(super) fn span(series: &Series) -> String {
    match series.samples.as_slice() {
        [] => "no sample".into(),
        samples => {
            let last = &samples[samples.len() - 1];
            let ended = if series.ended { ", then it ended" } else { "" };
            format!("{} samples over {:.0} s{ended}", samples.len(), last.seconds)
        }
    }
}
