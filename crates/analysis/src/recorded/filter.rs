use std::collections::HashSet;
use std::time::Duration;

use regex::Regex;
use residue_model::recording::{AllocationKind, Histogram, Recording, StackSums};
use residue_model::{Bytes, Gap};

use super::frame::{Frame, module_paths};
use super::window;

/// Which of what was recorded is looked at: every condition holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only memory asked of these; None for all.
    pub kind: Option<AllocationKind>,
    /// Only call paths that lead through a module whose path matches.
    pub module: Option<Regex>,
    /// Only call paths that lead through a function whose name matches.
    pub function: Option<Regex>,
    /// Only call paths that asked for blocks at least so large.
    pub min_size: Option<Bytes>,
    /// Only call paths that asked for blocks at most so large.
    pub max_size: Option<Bytes>,
    /// What happened from then on, since the start.
    pub from: Option<Duration>,
    /// What happened until then.
    pub to: Option<Duration>,
    /// Of what stood at the end, only what was at least so old.
    pub older_than: Option<Duration>,
}

impl Filter {
    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        !self.is_window()
            && self.kind.is_none()
            && self.module.is_none()
            && self.function.is_none()
            && self.min_size.is_none()
            && self.max_size.is_none()
            && self.older_than.is_none()
    }

    /// Whether only a part of the time is looked at.
    pub fn is_window(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// What is left of a recording. Its totals go on telling of the whole program, so that shares are shares of it; those of
    /// a window tell of the window.
    #[must_use]
    pub fn apply(&self, recording: &Recording) -> Recording {
        let leads = self.leads_through(recording);
        let is_wanted = |sums: &&StackSums| {
            self.kind.is_none_or(|kind| kind == sums.kind)
                && leads.as_ref().is_none_or(|leads| leads.get(sums.stack.0 as usize) == Some(&true))
                && self.has_size(sums)
        };
        let mut left = Recording { stacks: Vec::new(), ..recording.clone() };
        left.stacks = recording.stacks.iter().filter(is_wanted).cloned().collect();
        if left.stacks.len() < recording.stacks.len() {
            let kept: HashSet<_> = left.stacks.iter().map(|sums| (sums.stack, sums.kind)).collect();
            for mark in &mut left.marks {
                mark.stacks.retain(|sums| kept.contains(&(sums.stack, sums.kind)));
            }
        }
        self.tell_of_mixed_sizes(&mut left);
        if self.is_window() {
            let to = self.to.unwrap_or(recording.program.recorded);
            window::cut(&mut left, self.from.unwrap_or_default(), to);
        }
        if let Some(age) = self.older_than {
            left.stacks.iter_mut().for_each(|sums| keep_old(sums, age));
        }
        left
    }

    /// Of each node of the tree, whether its path leads through what is asked for; None when nothing is.
    fn leads_through(&self, recording: &Recording) -> Option<Vec<bool>> {
        let parts = [self.module.as_ref(), self.function.as_ref()];
        if parts.iter().all(Option::is_none) {
            return None;
        }
        let modules = module_paths(&recording.modules);
        // Of each code, whether it is in such a module, and whether in such a function.
        let codes = recording.calls.codes.iter().map(|code| {
            let module = code.module.and_then(|index| modules.get(index as usize));
            let frames = Frame::of(code, module);
            let is = |regex: &Option<Regex>, text: Option<&str>| {
                regex.as_ref().is_none_or(|regex| text.is_some_and(|text| regex.is_match(text)))
            };
            (
                is(&self.module, module.map(|path| &**path)),
                frames.iter().any(|frame| is(&self.function, frame.function.as_deref())),
            )
        });
        let codes: Vec<(bool, bool)> = codes.collect();
        let mut leads: Vec<(bool, bool)> = Vec::with_capacity(recording.calls.nodes.len());
        for (index, node) in recording.calls.nodes.iter().enumerate() {
            let (module, function) = leads.get(node.caller.0 as usize).copied().unwrap_or_default();
            let own = codes.get(node.code.0 as usize).copied().filter(|_| index > 0).unwrap_or_default();
            leads.push((module || own.0, function || own.1));
        }
        Some(leads.into_iter().map(|(module, function)| module && function).collect())
    }

    fn has_size(&self, sums: &StackSums) -> bool {
        let (min, max) = self.sizes();
        if self.is_every_size() || (min <= sums.smallest.0 && sums.largest.0 <= max) {
            return true;
        }
        if sums.largest.0 < min || max < sums.smallest.0 {
            return false;
        }
        let entries = Histogram::entry(min)..=Histogram::entry(max);
        sums.sizes.0.iter().enumerate().any(|(entry, &count)| count > 0 && entries.contains(&entry))
    }

    fn sizes(&self) -> (u64, u64) {
        (self.min_size.unwrap_or_default().0, self.max_size.unwrap_or(Bytes(u64::MAX)).0)
    }

    fn is_every_size(&self) -> bool {
        self.min_size.is_none() && self.max_size.is_none()
    }

    /// Sizes are only known of a path as a whole.
    fn tell_of_mixed_sizes(&self, left: &mut Recording) {
        let (min, max) = self.sizes();
        let is_mixed = |sums: &&StackSums| sums.smallest.0 < min || max < sums.largest.0;
        let mixed = left.stacks.iter().filter(is_mixed).count();
        if !self.is_every_size() && mixed > 0 {
            left.gaps.push(Gap::new(
                format!("the sizes of single blocks at {mixed} call paths"),
                "a recording counts sizes by path, in powers of two: a path that asked for blocks within and outside of the \
                 range of sizes is shown with all of them",
            ));
        }
    }
}

/// Leaves of what stands at the end only what is certainly so old.
fn keep_old(sums: &mut StackSums, age: Duration) {
    let (blocks, bytes) = sums.ages.older_than(age);
    (sums.live_blocks, sums.live) = (blocks.min(sums.live_blocks), bytes.min(sums.live));
    sums.ages.0.retain(|(least, ..)| *least >= age);
    // Which of the lost ones are so old is not known.
    (sums.lost_blocks, sums.lost) = (None, None);
}

#[cfg(test)]
mod tests {
    use residue_model::recording::Ages;
    use residue_testkit::Sketch;

    use super::*;

    fn sketch() -> Recording {
        Sketch::of("app", 10, Duration::from_secs(1))
            .stack(&["malloc in libc.so.6", "parse at json.c:5 in /lib/libjson.so.1", "main at a.c:3"])
            .blocks(100, u64::from)
            .with(|sums| {
                sums.ages = Ages(vec![
                    (Duration::from_secs(1), 4, Bytes(400)),
                    (Duration::from_secs(6), 5, Bytes(500)),
                ]);
            })
            .stack(&["inlined helper at b.h:1", "draw at b.c:9", "main at a.c:4"])
            .blocks(4096, |_| 1)
            .with(|sums| {
                sums.smallest = Bytes(16);
                sums.sizes = Histogram([vec![0; 5], vec![1], vec![0; 7], vec![1]].concat());
            })
            .build()
    }

    fn left(filter: &Filter) -> Vec<u64> {
        filter.apply(&sketch()).stacks.iter().map(|sums| sums.live.0).collect()
    }

    fn regex(text: &str) -> Regex {
        Regex::new(text).expect("a pattern")
    }

    #[test]
    fn a_path_passes_when_it_leads_through_what_is_asked_for() {
        assert_eq!(left(&Filter::default()), [900, 4096]);
        assert_eq!(left(&Filter { module: Some(regex("json")), ..Filter::default() }), [900]);
        assert_eq!(left(&Filter { function: Some(regex("^helper$")), ..Filter::default() }), [4096]);
        assert_eq!(left(&Filter { function: Some(regex("main")), ..Filter::default() }), [900, 4096]);
        assert!(
            left(&Filter { function: Some(regex("draw")), module: Some(regex("json")), ..Filter::default() })
                .is_empty()
        );
        assert!(left(&Filter { kind: Some(AllocationKind::Mapping), ..Filter::default() }).is_empty());
    }

    #[test]
    fn a_path_of_mixed_sizes_is_shown_whole_and_that_is_said() {
        let larger = Filter { min_size: Some(Bytes(1000)), ..Filter::default() };
        let recording = larger.apply(&sketch());
        assert_eq!((recording.stacks.len(), recording.gaps.len()), (1, 1));
        let between = Filter { min_size: Some(Bytes(64)), max_size: Some(Bytes(1000)), ..Filter::default() };
        assert_eq!(left(&between), [900], "between its sizes it asked for none");
        assert!(between.apply(&sketch()).gaps.is_empty());
    }

    #[test]
    fn what_is_young_is_left_out_when_only_the_old_is_asked_for() {
        let old = Filter { older_than: Some(Duration::from_secs(5)), ..Filter::default() };
        assert_eq!(left(&old), [500, 0]);
    }
}
