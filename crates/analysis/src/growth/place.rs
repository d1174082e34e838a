use residue_model::{Bytes, Series, Usage};
use serde::Serialize;

use super::{Interval, Signal, Trend};

/// What kind of memory grows: each points at another kind of cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The brk heap and allocator arenas: small blocks.
    Heap,
    /// Anonymous mappings: large blocks, or an allocator with pools of its own.
    Mmap,
    /// Shared memory of any kind.
    Shared,
    /// Stacks: threads.
    Stacks,
    /// Mapped files and modules.
    Files,
    /// JIT code, huge pages, devices and the rest.
    Other,
}

impl Class {
    /// All classes.
    pub const ALL: [Class; 6] =
        [Class::Heap, Class::Mmap, Class::Shared, Class::Stacks, Class::Files, Class::Other];

    /// The class of a usage.
    pub fn of(usage: Usage) -> Class {
        match usage {
            Usage::Heap | Usage::Arena | Usage::NtHeap => Class::Heap,
            Usage::AnonymousTiny
            | Usage::AnonymousSmall
            | Usage::AnonymousMedium
            | Usage::AnonymousLarge
            | Usage::Unclaimed => Class::Mmap,
            Usage::SysvShm | Usage::PosixShm | Usage::Memfd | Usage::SharedAnonymous => Class::Shared,
            Usage::MainStack
            | Usage::ThreadStack
            | Usage::Guard
            | Usage::Stack
            | Usage::Stack32
            | Usage::Stack64 => Class::Stacks,
            Usage::Text
            | Usage::Rodata
            | Usage::Data
            | Usage::Bss
            | Usage::MappedFile
            | Usage::Image
            | Usage::FileMapping => Class::Files,
            Usage::Vdso
            | Usage::Jit
            | Usage::Device
            | Usage::Hugetlb
            | Usage::Reserved
            | Usage::Teb
            | Usage::Peb
            | Usage::Unknown => Class::Other,
        }
    }

    /// Whether memory of this class is what a signal measures.
    ///
    /// Private copies of file pages are private too, but cannot be told from the file's own pages here; they hardly grow.
    fn is_part_of(self, signal: Signal) -> bool {
        match signal {
            Signal::PrivateAndSwap | Signal::Commit => {
                matches!(self, Class::Heap | Class::Mmap | Class::Stacks | Class::Other)
            }
            Signal::Shared => self == Class::Shared,
        }
    }

    /// The name in documents.
    pub fn key(self) -> &'static str {
        match self {
            Class::Heap => "heap",
            Class::Mmap => "mmap",
            Class::Shared => "shared",
            Class::Stacks => "stacks",
            Class::Files => "files",
            Class::Other => "other",
        }
    }
}

/// How fast one class of memory grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Which.
    pub class: Class,
    /// Bytes an hour.
    pub rate: Interval,
    /// It can be part of what is judged: file cache is no private memory.
    pub judged: bool,
    /// Its part of the growth that is judged, 0 to 1; 0 for a class that does not grow or is not judged.
    pub share: f64,
}

/// The memory of a class at each sample: `(seconds, bytes)`.
pub fn points(series: &Series, class: Class) -> Vec<(f64, f64)> {
    let sizes =
        series.samples.iter().filter_map(|sample| Some((sample.seconds, sample.by_usage.as_deref()?)));
    let sum = |usages: &[(Usage, Bytes)]| -> f64 {
        usages.iter().filter(|(usage, _)| Class::of(*usage) == class).map(|(_, size)| size.0 as f64).sum()
    };
    sizes.map(|(seconds, usages)| (seconds, sum(usages))).collect()
}

/// Which classes move: those that are judged first, fastest growing first; what stands still is left out.
///
/// `None` when nobody could look, or not often enough to see anything move.
pub(super) fn places(series: &Series, signal: Signal, after_seconds: f64) -> Option<Vec<Place>> {
    let looked =
        series.samples.iter().filter(|sample| sample.by_usage.is_some() && sample.seconds >= after_seconds);
    if looked.count() < 3 {
        return None;
    }
    let place = |&class: &Class| place(series, class, class.is_part_of(signal), after_seconds);
    let mut places: Vec<Place> = Class::ALL.iter().filter_map(place).collect();
    places.sort_by(|a, b| b.judged.cmp(&a.judged).then(b.rate.estimate.total_cmp(&a.rate.estimate)));
    let judged = |place: &Place| if place.judged { place.rate.estimate.max(0.0) } else { 0.0 };
    let growth: f64 = places.iter().map(judged).sum();
    for place in &mut places {
        place.share = if growth > 0.0 { judged(place) / growth } else { 0.0 };
    }
    Some(places)
}

fn place(series: &Series, class: Class, judged: bool, after_seconds: f64) -> Option<Place> {
    let points: Vec<(f64, f64)> =
        points(series, class).into_iter().filter(|(seconds, _)| *seconds >= after_seconds).collect();
    let trend = Trend::of(&points)?;
    let span = points.last()?.0 - points.first()?.0;
    // Less than a page in all the time is standing still.
    let moves = (trend.slope.estimate * span).abs() >= 4096.0;
    moves.then(|| Place { class, rate: trend.slope.scaled(3600.0), judged, share: 0.0 })
}

#[cfg(test)]
mod tests {
    use residue_model::Sample;

    use super::*;

    #[test]
    fn the_class_that_grows_is_named_first_with_its_part() {
        let sample = |second: u32| Sample {
            seconds: f64::from(second),
            by_usage: Some(vec![
                (Usage::Heap, Bytes(u64::from(second) * 90_000)),
                (Usage::AnonymousLarge, Bytes(u64::from(second) * 10_000)),
                (Usage::MappedFile, Bytes(7_000_000 + u64::from(second) * 900_000)),
            ]),
            ..Sample::default()
        };
        let series = Series { samples: (0..20).map(sample).collect(), ..Series::default() };
        let places = places(&series, Signal::PrivateAndSwap, 0.0).expect("regions were read");
        assert_eq!(
            places.iter().map(|place| place.class).collect::<Vec<_>>(),
            [Class::Heap, Class::Mmap, Class::Files]
        );
        // The file cache moves ten times as fast as all that is judged, and is no part of it.
        assert!((places[0].share - 0.9).abs() < 1e-9);
        assert!(!places[2].judged && places[2].share.abs() < 1e-9);
        assert!((places[0].rate.estimate - 90_000.0 * 3600.0).abs() < 1.0);
    }
}
