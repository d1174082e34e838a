use std::collections::HashMap;

/// So many names are kept apart, and so many phases of a thread open.
const MOST: usize = 4096;
const DEEPEST: usize = 64;

/// A phase that the program names, all occurrences together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    /// Its name among the texts: where and how long.
    pub(crate) name: (u32, u32),
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// Ticks.
    pub(crate) time: u64,
}

/// What a site did within a phase, in units of the estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Within {
    pub(crate) allocations: u64,
    pub(crate) allocated: u64,
    pub(crate) net_blocks: i64,
    pub(crate) net: i64,
}

/// A phase that a thread is in, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    phase: u32,
    since: u64,
}

/// All phases of a program.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    numbers: HashMap<(u32, u32), u32>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) within: HashMap<(u32, u32), Within>,
}

impl Marks {
    pub(crate) fn begin(&mut self, name: (u32, u32), time: u64, open: &mut Vec<Open>) {
        let Some(phase) = self.number(name) else { return };
        self.phases[phase as usize].begun += 1;
        if open.len() < DEEPEST {
            open.push(Open { phase, since: time });
        }
    }

    /// Ends the innermost open phase of that name.
    pub(crate) fn end(&mut self, name: (u32, u32), time: u64, open: &mut Vec<Open>) {
        let Some(phase) = self.number(name) else { return };
        let Some(at) = open.iter().rposition(|open| open.phase == phase) else { return };
        let since = open.remove(at).since;
        let phase = &mut self.phases[phase as usize];
        phase.ended += 1;
        phase.time = phase.time.saturating_add(time.saturating_sub(since));
    }

    fn number(&mut self, name: (u32, u32)) -> Option<u32> {
        if let Some(&number) = self.numbers.get(&name) {
            return Some(number);
        }
        if self.phases.len() == MOST {
            return None;
        }
        let number = u32::try_from(self.phases.len()).expect("they are few");
        self.phases.push(Phase { name, ..Phase::default() });
        self.numbers.insert(name, number);
        Some(number)
    }

    /// A thread allocated while it was in some phases.
    pub(crate) fn given(&mut self, open: &[Open], site: u32, blocks: u64, bytes: u64) {
        self.each(open, site, |within| {
            within.allocations += blocks;
            within.allocated = within.allocated.saturating_add(bytes);
            within.net_blocks = within.net_blocks.saturating_add_unsigned(blocks);
            within.net = within.net.saturating_add_unsigned(bytes);
        });
    }

    /// It gave something back.
    pub(crate) fn taken(&mut self, open: &[Open], site: u32, blocks: u64, bytes: u64) {
        self.each(open, site, |within| {
            within.net_blocks = within.net_blocks.saturating_sub_unsigned(blocks);
            within.net = within.net.saturating_sub_unsigned(bytes);
        });
    }

    fn each(&mut self, open: &[Open], site: u32, change: impl Fn(&mut Within)) {
        for (place, phase) in open.iter().enumerate() {
            // One that was begun twice is one phase.
            if open[..place].iter().all(|outer| outer.phase != phase.phase) {
                change(self.within.entry((phase.phase, site)).or_default());
            }
        }
    }
}
