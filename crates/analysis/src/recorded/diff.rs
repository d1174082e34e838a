use std::cmp::Reverse;
use std::collections::HashMap;

use residue_model::recording::{AllocationKind, RecordedModule};

use super::{Frame, Measure, Recorded, Site};

/// Two recordings compared, site by site.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// For how long each was recorded: what was allocated is compared by the second.
    pub seconds: [f64; 2],
    /// Sites of either, those that changed most first.
    pub rows: Vec<SiteChange>,
}

/// What became of a site. Sites are told by indices into the recordings' own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteChange {
    /// In the earlier recording; None when it is new.
    pub earlier: Option<usize>,
    /// In the later one; None when it is gone.
    pub later: Option<usize>,
    /// Bytes that stand at the end, more or fewer.
    pub live: i64,
    /// Blocks that do.
    pub live_blocks: i64,
    /// Bytes at the program's peak.
    pub at_peak: i64,
    /// Bytes asked for a second.
    pub allocated_rate: f64,
}

/// How a site changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteChangeKind {
    /// Only the later recording has it.
    New,
    /// Only the earlier one has it.
    Gone,
    /// It holds more at the end.
    Grown,
    /// It holds less.
    Shrunk,
    /// It holds as much.
    Same,
}

impl SiteChangeKind {
    /// Its name in documents.
    pub const fn key(self) -> &'static str {
        match self {
            SiteChangeKind::New => "new",
            SiteChangeKind::Gone => "gone",
            SiteChangeKind::Grown => "grown",
            SiteChangeKind::Shrunk => "shrunk",
            SiteChangeKind::Same => "same",
        }
    }
}

impl SiteChange {
    /// How it changed.
    pub fn kind(&self) -> SiteChangeKind {
        match (self.earlier, self.later) {
            (None, _) => SiteChangeKind::New,
            (_, None) => SiteChangeKind::Gone,
            _ if self.live > 0 => SiteChangeKind::Grown,
            _ if self.live < 0 => SiteChangeKind::Shrunk,
            _ => SiteChangeKind::Same,
        }
    }
}

/// How a site is known in another recording: where memory was asked for, in terms that outlive a build where there are any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Known {
    /// A function, and its line where that is known.
    Function { kind: AllocationKind, module: String, function: String, line: Option<u32> },
    /// An address of one build.
    Address { kind: AllocationKind, build: Build, address: u64 },
    /// A place that no other recording can have: code made at run time.
    Nowhere(usize, usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Build {
    Id(Vec<u8>),
    Path(String),
}

impl Comparison {
    /// Compares, from the earlier to the later recording.
    pub fn of(earlier: &Recorded, later: &Recorded) -> Comparison {
        let seconds = [earlier, later].map(|recorded| recorded.recording.program.recorded.as_secs_f64());
        let mut rows: Vec<SiteChange> = pairs(earlier, later)
            .into_iter()
            .map(|(before, after)| {
                let sites = [
                    before.map(|index: usize| &earlier.sites[index]),
                    after.map(|index: usize| &later.sites[index]),
                ];
                SiteChange { earlier: before, later: after, ..change(sites, seconds) }
            })
            .collect();
        rows.sort_by_key(|row| {
            let size = |bytes: i64| Reverse(bytes.unsigned_abs());
            (size(row.live), size(row.at_peak), row.later, row.earlier)
        });
        Comparison { seconds, rows }
    }
}

fn change(sites: [Option<&Site>; 2], seconds: [f64; 2]) -> SiteChange {
    let difference = |of: fn(&Site) -> u64| {
        let [before, after] = sites.map(|site| i64::try_from(site.map_or(0, of)).unwrap_or(i64::MAX));
        after - before
    };
    let rate = |index: usize| {
        let allocated = sites[index].map_or(0.0, |site| site.sums.allocated.0 as f64);
        if seconds[index] > 0.0 { allocated / seconds[index] } else { 0.0 }
    };
    SiteChange {
        live: difference(|site| site.sums.live.0),
        live_blocks: difference(|site| site.sums.live_blocks),
        at_peak: difference(|site| site.sums.at_peak.0),
        allocated_rate: rate(1) - rate(0),
        ..SiteChange::default()
    }
}

/// Sites that are the same, and those that only one side has. First by line; what is left by function, where just one site of
/// it is left on each side: lines move when sources change.
fn pairs(earlier: &Recorded, later: &Recorded) -> Vec<(Option<usize>, Option<usize>)> {
    let keys = [(0, earlier), (1, later)].map(|(side, recorded)| {
        (0..recorded.sites.len()).map(|site| known(recorded, side, site)).collect::<Vec<_>>()
    });
    let mut partner: Vec<Option<usize>> = vec![None; earlier.sites.len()];
    let mut taken = vec![false; later.sites.len()];
    let exact: HashMap<&Known, usize> = keys[1].iter().enumerate().map(|(site, key)| (key, site)).collect();
    for (site, key) in keys[0].iter().enumerate() {
        partner[site] = exact.get(key).copied().filter(|&other| !taken[other]);
        if let Some(other) = partner[site] {
            taken[other] = true;
        }
    }
    let left = |side: usize, is_left: &dyn Fn(usize) -> bool| {
        let mut sites: HashMap<Known, Vec<usize>> = HashMap::new();
        for (site, key) in keys[side].iter().enumerate().filter(|(site, _)| is_left(*site)) {
            sites.entry(without_line(key)).or_default().push(site);
        }
        sites
    };
    let moved = left(1, &|site| !taken[site]);
    for (key, sites) in left(0, &|site| partner[site].is_none()) {
        if let ([site], Some([other])) = (sites.as_slice(), moved.get(&key).map(Vec::as_slice)) {
            (partner[*site], taken[*other]) = (Some(*other), true);
        }
    }
    let both = partner.into_iter().enumerate().map(|(site, other)| (Some(site), other));
    let new = taken.into_iter().enumerate().filter(|(_, taken)| !taken).map(|(site, _)| (None, Some(site)));
    both.chain(new).collect()
}

fn known(of: &Recorded, side: usize, index: usize) -> Known {
    let known = &of.sites[index];
    let Some(frame) = of.paths.innermost(known.path(Measure::Live)) else {
        return Known::Nowhere(side, index);
    };
    let frame = of.paths.frame(frame);
    match &frame.function {
        Some(function) => Known::Function {
            kind: known.kind,
            module: frame.module_name().unwrap_or_default().to_owned(),
            function: function.to_string(),
            line: frame.line,
        },
        None => match build(frame, &of.recording.modules) {
            Some(build) => Known::Address { kind: known.kind, build, address: frame.address },
            None => Known::Nowhere(side, index),
        },
    }
}

fn without_line(key: &Known) -> Known {
    match key.clone() {
        Known::Function { kind, module, function, .. } => {
            Known::Function { kind, module, function, line: None }
        }
        other => other,
    }
}

fn build(frame: &Frame, modules: &[RecordedModule]) -> Option<Build> {
    let path = frame.module.as_deref()?;
    let module = modules.iter().find(|module| module.path == path)?;
    Some(module.build_id.clone().map_or_else(|| Build::Path(path.to_owned()), Build::Id))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use residue_model::Recording;
    use residue_testkit::Sketch;

    use super::SiteChangeKind::{Gone, Grown, New, Same};
    use super::*;
    use crate::recorded::Question;

    fn compared(earlier: &Recording, later: &Recording) -> Vec<(SiteChangeKind, i64)> {
        let [earlier, later] =
            [earlier, later].map(|recording| Recorded::of(recording, &Question::default()));
        Comparison::of(&earlier, &later).rows.iter().map(|row| (row.kind(), row.live)).collect()
    }

    fn sketch() -> Sketch {
        Sketch::of("/opt/app", 10, Duration::from_secs(1))
    }

    #[test]
    fn sites_are_matched_by_what_outlives_a_build() {
        let earlier = sketch()
            .stack(&["parse at a.c:5", "main at a.c:9"])
            .blocks(10, |_| 5)
            .stack(&["gone at a.c:7", "main at a.c:9"])
            .blocks(10, |_| 1)
            .stack(&["same at a.c:8", "main at a.c:9"])
            .blocks(10, |_| 3)
            .build();
        let later = sketch()
            .stack(&["same at a.c:8", "main at a.c:90"])
            .blocks(10, |_| 3)
            .stack(&["new at b.c:1", "main at a.c:9"])
            .blocks(10, |_| 2)
            .stack(&["parse at a.c:6", "main at a.c:9"])
            .blocks(10, |_| 9)
            .build();

        assert_eq!(compared(&earlier, &later), [(Grown, 40), (New, 20), (Gone, -10), (Same, 0)]);
    }

    /// The same offset in another build is another place.
    #[test]
    fn an_address_is_the_same_place_only_in_the_same_build() {
        let built = |id: u8| {
            let named = |recording: &mut Recording| recording.modules[0].build_id = Some(vec![id]);
            sketch().stack(&["?"]).blocks(10, |_| 5).whole(named).build()
        };
        assert_eq!(compared(&built(1), &built(1)), [(Same, 0)]);
        assert_eq!(compared(&built(1), &built(2)).len(), 2);
    }
}
