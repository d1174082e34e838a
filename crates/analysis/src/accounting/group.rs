use std::collections::{BTreeMap, HashMap};

use residue_model::{Bytes, CounterSum, Counters, Footprint, Process, ProcessId, ProcessState};
use serde::Serialize;

/// Memory of several processes that has something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they have in common: a user, a mapping.
    pub name: String,
    /// How many processes.
    pub processes: u64,
    /// How many of them have memory whose share could not be read: the sums are of the others.
    pub unread: u64,
    /// How many regions, where they were read.
    pub regions: Option<u64>,
    /// The sum.
    #[serde(flatten)]
    pub footprint: Footprint,
}

impl Group {
    /// Adds the memory of a process. A zombie's nothing is known, but makes no sum known.
    pub(super) fn take(&mut self, process: &Process) {
        if process.state == ProcessState::Alive {
            add(&mut self.footprint, &process.footprint);
            // Windows does not divide pages among processes: no share is missing there.
            let is_read = process.footprint.pss.is_some() || process.footprint.windows.is_some();
            self.unread += u64::from(!is_read);
        }
    }

    /// What it costs each of its processes.
    pub fn average_pss(&self) -> Option<Bytes> {
        Some(Bytes(self.footprint.pss?.0 / self.processes.max(1)))
    }
}

/// Adds what is known.
pub(super) fn add(sum: &mut Footprint, more: &Footprint) {
    let join = |sum: &mut Option<Bytes>, more: Option<Bytes>| {
        if let Some(more) = more {
            *sum = Some(sum.unwrap_or_default() + more);
        }
    };
    join(&mut sum.vss, more.vss);
    join(&mut sum.rss, more.rss);
    join(&mut sum.pss, more.pss);
    join(&mut sum.uss, more.uss);
    join(&mut sum.swap, more.swap);
    join(&mut sum.swap_pss, more.swap_pss);
    join(&mut sum.anon, more.anon);
    join(&mut sum.file, more.file);
    join(&mut sum.shmem, more.shmem);
    let Some(windows) = &more.windows else { return };
    // The largest that each ever had they did not have at one time: peaks have no sum.
    let sum = sum.windows.get_or_insert_default();
    join(&mut sum.working_set, windows.working_set);
    join(&mut sum.private_working_set, windows.private_working_set);
    join(&mut sum.commit, windows.commit);
    join(&mut sum.paged_pool, windows.paged_pool);
    join(&mut sum.nonpaged_pool, windows.nonpaged_pool);
}

fn plus(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    more.map_or(sum, |more| Some(sum.unwrap_or_default() + more))
}

/// One group a user; users without a name stand by number.
pub fn by_user(processes: &[Process]) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for process in processes {
        let uid = || process.uid.map_or_else(|| "?".into(), |uid| uid.to_string());
        let name = process.user.clone().unwrap_or_else(uid);
        let group = groups.entry(name).or_default();
        group.processes += 1;
        group.regions = plus(group.regions, process.maps);
        group.take(process);
    }
    groups.into_iter().map(|(name, group)| Group { name, ..group }).collect()
}

/// One group a mapping, filled region by region: a machine has a hundred thousand regions, but few mappings.
#[derive(Debug, Default)]
pub struct Mappings {
    places: HashMap<Box<[u8]>, usize>,
    sums: Vec<Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    processes: u64,
    regions: u64,
    size: Bytes,
    counters: CounterSum,
    /// Regions come process by process.
    last: Option<ProcessId>,
}

impl Mappings {
    /// Adds a region. All regions of one process come in a row.
    pub fn add(&mut self, pid: ProcessId, name: &[u8], size: Bytes, counters: &Counters) {
        let name = label(name);
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            self.sums.push(Sum::default());
            self.places.insert(name.into(), self.sums.len() - 1);
            self.sums.len() - 1
        });
        let sum = &mut self.sums[place];
        sum.processes += u64::from(sum.last != Some(pid));
        sum.last = Some(pid);
        sum.regions += 1;
        sum.size += size;
        sum.counters.add(counters);
    }

    /// The groups; `printable` turns foreign bytes into text.
    pub fn groups(self, printable: impl Fn(&[u8]) -> String) -> Vec<Group> {
        let Mappings { places, mut sums } = self;
        let group = |(name, place): (Box<[u8]>, usize)| {
            let Sum { processes, regions, size, counters, .. } = std::mem::take(&mut sums[place]);
            let mut footprint = Footprint { vss: Some(size), ..Footprint::default() };
            footprint.absorb(&counters.total());
            Group { name: printable(&name), processes, unread: 0, regions: Some(regions), footprint }
        };
        places.into_iter().map(group).collect()
    }
}

/// What a mapping is called: a file whether or not it has been deleted since, `[anon]` for none.
pub(super) fn label(name: &[u8]) -> &[u8] {
    match name.strip_suffix(b" (deleted)").unwrap_or(name) {
        b"" => b"[anon]",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Counter;

    use super::*;

    #[test]
    fn a_mapping_counts_each_process_once() {
        let mut mappings = Mappings::default();
        let mut counters = Counters::default();
        counters.set(Counter::Pss, Bytes(300));
        for (pid, name) in [(1, "/lib/x"), (1, "/lib/x (deleted)"), (2, "/lib/x"), (2, "")] {
            mappings.add(ProcessId(pid), name.as_bytes(), Bytes(4096), &counters);
        }
        let mut groups = mappings.groups(|name| String::from_utf8_lossy(name).into_owned());
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!((groups[0].name.as_str(), groups[0].processes, groups[0].regions), ("/lib/x", 2, Some(3)));
        assert_eq!((groups[0].footprint.pss, groups[0].average_pss()), (Some(Bytes(900)), Some(Bytes(450))));
        assert_eq!((groups[1].name.as_str(), groups[1].processes), ("[anon]", 1));
    }

    #[test]
    fn users_sum_what_is_known() {
        let process = |user: &str, pss| Process {
            user: Some(user.into()),
            footprint: Footprint { pss, ..Footprint::default() },
            ..Process::default()
        };
        let groups = by_user(&[process("a", Some(Bytes(1))), process("a", None), process("b", None)]);
        assert_eq!((groups[0].processes, groups[0].footprint.pss), (2, Some(Bytes(1))));
        assert_eq!(groups[1].footprint.pss, None);
    }
}
