//! What a handle remembers from call to call.

use std::time::Instant;

use library::Detail;
use library::analysis::growth::History;
use library::analysis::{FreeRange, Outline, OutlineSums};
use library::model::{FreeSize, Sample};

use crate::border::error::Result;
use crate::handle::alarms::{Alarms, Due};
use crate::handle::source::Source;
use crate::shape::options::{RESIDUE_DETAIL_FULL, RESIDUE_NO_REGIONS};
use crate::shape::sample::residue_sample;

/// A source, and what was seen of it so far.
pub(crate) struct Watch {
    pub(crate) source: Source,
    pub(crate) history: History,
    pub(crate) alarms: Alarms,
    /// The last sample, whoever asked for it.
    pub(crate) previous: Option<residue_sample>,
    detail: Detail,
    walks: bool,
    opened: Instant,
    /// Room for the largest free ranges.
    holes: Vec<FreeRange>,
}

/// Free ranges that can be asked for before more room is made for them.
const FEW: usize = 64;
/// Free ranges that are told at most: Linux maps no more regions than that, if nobody changed it.
pub(crate) const MOST: usize = 0x1_0000;

/// A sample, and the alarms that it set off.
pub(crate) struct Taken {
    pub(crate) sample: residue_sample,
    pub(crate) due: Due,
}

impl Watch {
    pub(crate) fn of(source: Source, flags: u32) -> Watch {
        let history = History::new(source.process(), source.age_seconds());
        Watch {
            source,
            history,
            alarms: Alarms::default(),
            previous: None,
            detail: if flags & RESIDUE_DETAIL_FULL == 0 { Detail::Quick } else { Detail::Full },
            walks: flags & RESIDUE_NO_REGIONS == 0,
            opened: Instant::now(),
            holes: vec![FreeRange::default(); FEW],
        }
    }

    /// Whether samples walk the regions.
    pub(crate) fn walks(&self) -> bool {
        self.walks
    }

    /// Takes a sample as the handle's options say.
    pub(crate) fn take(&mut self) -> Result<Taken> {
        let counters = self.source.counters(self.detail)?;
        let sums = if self.walks { Some(self.outline(0)?.0) } else { None };
        Ok(self.keep(counters, sums))
    }

    /// Takes a sample with the largest free ranges, as many as are wanted and there are, in one walk.
    pub(crate) fn take_with_holes(&mut self, wanted: usize) -> Result<(Taken, &[FreeRange])> {
        let counters = self.source.counters(self.detail)?;
        let (sums, held) = self.outline(wanted)?;
        let taken = self.keep(counters, Some(sums));
        Ok((taken, &self.holes[..held]))
    }

    /// The largest free ranges alone.
    pub(crate) fn holes(&mut self, wanted: usize) -> Result<&[FreeRange]> {
        let (_, held) = self.outline(wanted)?;
        Ok(&self.holes[..held])
    }

    fn outline(&mut self, wanted: usize) -> Result<(OutlineSums, usize)> {
        let wanted = wanted.min(MOST);
        if self.holes.len() < wanted {
            self.holes.resize(wanted, FreeRange::default());
        }
        let mut outline = Outline::new(self.source.space(), &mut self.holes[..wanted]);
        self.source.extents(&mut |extent| outline.push(extent))?;
        Ok(outline.finish())
    }

    fn keep(&mut self, counters: Sample, sums: Option<OutlineSums>) -> Taken {
        let is_dump = self.source.is_dump();
        let seconds = if is_dump { 0.0 } else { self.opened.elapsed().as_secs_f64() };
        let sample = residue_sample::of(&counters, sums.as_ref(), seconds, self.source.space().bits);
        self.previous = Some(sample);
        let mut due = Due::default();
        if !is_dump {
            let free = sums.map(|sums| FreeSize { total: sums.free, largest: sums.largest.size });
            let maps = sums.map(|sums| sums.regions);
            let is_kept = self.history.push(&Sample { seconds, free, maps, ..counters });
            due = self.alarms.check(&sample, is_kept, &self.history);
        }
        Taken { sample, due }
    }
}
