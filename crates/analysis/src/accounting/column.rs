use std::cmp::Ordering;

use residue_model::{Bytes, Footprint, Os, Process};

use super::Group;
use crate::{Error, Result};

macro_rules! columns {
    ($($name:ident $key:literal $title:literal),* $(,)?) => {
        /// A column of `residue ps`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is explained where it is read")]
        pub enum Column { $($name),* }

        impl Column {
            /// Every column.
            pub const ALL: &'static [Column] = &[$(Column::$name),*];

            /// The name on the command line and in documents.
            pub fn key(self) -> &'static str {
                match self { $(Column::$name => $key),* }
            }

            /// The heading of a table.
            pub fn title(self) -> &'static str {
                match self { $(Column::$name => $title),* }
            }
        }
    };
}

columns! {
    Pid "pid" "PID",
    User "user" "USER",
    Name "name" "NAME",
    Command "command" "COMMAND",
    Mapping "mapping" "MAPPING",
    Processes "processes" "PROCESSES",
    Vss "vss" "VSS",
    Rss "rss" "RSS",
    Pss "pss" "PSS",
    Uss "uss" "USS",
    Swap "swap" "SWAP",
    SwapPss "swap_pss" "SWAP_PSS",
    Anon "anon" "ANON",
    File "file" "FILE",
    Shmem "shmem" "SHMEM",
    ResMinusShr "res_minus_shr" "RES-SHR",
    AveragePss "average_pss" "AVG_PSS",
    Majflt "majflt" "MAJFLT",
    Minflt "minflt" "MINFLT",
    Threads "threads" "THREADS",
    Maps "maps" "MAPS",
    OomScore "oom_score" "OOM",
    WorkingSet "working_set" "WS",
    PeakWorkingSet "peak_working_set" "PEAK_WS",
    PrivateWorkingSet "private_working_set" "PRIVATE_WS",
    Commit "commit" "COMMIT",
    PeakCommit "peak_commit" "PEAK_COMMIT",
    PagedPool "paged_pool" "PAGED",
    NonpagedPool "nonpaged_pool" "NONPAGED",
    Handles "handles" "HANDLES",
}

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One row a process.
    Process,
    /// One row a user.
    User,
    /// One row a mapping, over all processes.
    Mapping,
}

impl View {
    /// The columns that are shown when none are chosen, of processes of this system.
    pub fn default_columns(self, os: Os) -> &'static [Column] {
        use Column::{AveragePss, Command, Mapping, Name, Pid, Processes, Pss, Rss, Swap, User, Uss, Vss};
        use Column::{Commit, Handles, NonpagedPool, PagedPool, PrivateWorkingSet, WorkingSet};
        match self {
            View::Process if os == Os::Windows => &[
                Pid,
                User,
                Commit,
                PrivateWorkingSet,
                WorkingSet,
                PagedPool,
                NonpagedPool,
                Handles,
                Name,
                Command,
            ],
            View::User if os == Os::Windows => &[User, Processes, Commit, PrivateWorkingSet, WorkingSet, Vss],
            View::Process => &[Pid, User, Pss, Uss, Rss, Swap, Name, Command],
            View::User => &[User, Processes, Pss, Uss, Rss, Swap, Vss],
            View::Mapping => &[Mapping, Processes, AveragePss, Pss, Uss, Rss, Swap],
        }
    }

    /// What one row is called.
    pub fn row_name(self) -> &'static str {
        match self {
            View::Process => "process",
            View::User => "user",
            View::Mapping => "mapping",
        }
    }

    fn has(self, column: Column) -> bool {
        use Column::{AveragePss, Mapping, Maps, Processes, Pss, Rss, Swap, SwapPss, User, Uss, Vss};
        match self {
            View::Process => !matches!(column, Mapping | Processes | AveragePss),
            View::User => {
                matches!(column, User | Processes | Vss | Rss | Pss | Uss | Swap | SwapPss)
                    || matches!(column, Column::Anon | Column::File | Column::Shmem | Column::ResMinusShr)
                    || column.is_of_windows()
            }
            View::Mapping => {
                matches!(
                    column,
                    Mapping | Processes | Maps | AveragePss | Vss | Rss | Pss | Uss | Swap | SwapPss
                )
            }
        }
    }

    /// Reads a list of columns, parted by commas or spaces.
    ///
    /// # Errors
    /// A column that this view does not have, with those that it has.
    pub fn columns(self, list: &str) -> Result<Vec<Column>> {
        let words = list.split([',', ' ']).filter(|word| !word.is_empty());
        words.map(|word| self.column(word)).collect()
    }

    /// Reads one column.
    ///
    /// # Errors
    /// A column that this view does not have, with those that it has.
    pub fn column(self, word: &str) -> Result<Column> {
        let named = |column: &&Column| column.key() == word || column.title().eq_ignore_ascii_case(word);
        Column::ALL.iter().find(named).copied().filter(|&column| self.has(column)).ok_or_else(|| {
            let known: Vec<&str> =
                Column::ALL.iter().filter(|&&column| self.has(column)).map(|column| column.key()).collect();
            Error::new(
                format!("there is no column `{word}` here"),
                format!("columns are {}", known.join(", ")),
            )
        })
    }
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Words.
    Text(&'a str),
    /// A size.
    Size(Bytes),
    /// At least this: not all parts could be read.
    AtLeast(Bytes),
    /// A number of things.
    Count(i64),
    /// Not read.
    Unknown,
}

impl Value<'_> {
    /// Numbers from large to small, words from a to z, unknown last.
    pub(super) fn compare(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Size(a) | Value::AtLeast(a), Value::Size(b) | Value::AtLeast(b)) => b.cmp(a),
            (Value::Count(a), Value::Count(b)) => b.cmp(a),
            (Value::Unknown, Value::Unknown) => Ordering::Equal,
            (Value::Unknown, _) => Ordering::Greater,
            _ => Ordering::Less,
        }
    }
}

impl Column {
    /// Whether it holds words, which stand to the left.
    pub fn is_text(self) -> bool {
        matches!(self, Column::User | Column::Name | Column::Command | Column::Mapping)
    }

    /// Whether it holds sizes that can be summed.
    pub fn is_size(self) -> bool {
        self.is_of_windows() || self.of_footprint(&Footprint::nothing()) != Value::Unknown
    }

    /// Whether it holds sizes that only Windows counts.
    fn is_of_windows(self) -> bool {
        matches!(
            self,
            Column::WorkingSet
                | Column::PeakWorkingSet
                | Column::PrivateWorkingSet
                | Column::Commit
                | Column::PeakCommit
                | Column::PagedPool
                | Column::NonpagedPool
        )
    }

    /// What it says of a process.
    pub fn of_process(self, process: &Process) -> Value<'_> {
        match self {
            Column::Pid => Value::Count(i64::from(process.pid.0)),
            Column::User => user(process),
            Column::Name => Value::Text(&process.name),
            Column::Command => Value::Text(process.command.as_deref().unwrap_or_default()),
            Column::Majflt => count(process.majflt),
            Column::Minflt => count(process.minflt),
            Column::Threads => count(process.threads),
            Column::Maps => count(process.maps),
            Column::Handles => count(process.handles),
            Column::OomScore => process.oom_score.map_or(Value::Unknown, Value::Count),
            column => column.of_footprint(&process.footprint),
        }
    }

    /// What it says of a group.
    pub fn of_group(self, group: &Group) -> Value<'_> {
        match self {
            Column::User | Column::Mapping => Value::Text(&group.name),
            Column::Processes => count(Some(group.processes)),
            Column::Maps => count(group.regions),
            Column::AveragePss => size(group.average_pss()),
            Column::Pss | Column::Uss | Column::SwapPss if group.unread > 0 => {
                match self.of_footprint(&group.footprint) {
                    Value::Size(known) => Value::AtLeast(known),
                    other => other,
                }
            }
            column => column.of_footprint(&group.footprint),
        }
    }

    /// What it says of a footprint.
    pub fn of_footprint(self, footprint: &Footprint) -> Value<'static> {
        let windows = footprint.windows.unwrap_or_default();
        size(match self {
            Column::WorkingSet => windows.working_set,
            Column::PeakWorkingSet => windows.peak_working_set,
            Column::PrivateWorkingSet => windows.private_working_set,
            Column::Commit => windows.commit,
            Column::PeakCommit => windows.peak_commit,
            Column::PagedPool => windows.paged_pool,
            Column::NonpagedPool => windows.nonpaged_pool,
            Column::Vss => footprint.vss,
            Column::Rss => footprint.rss,
            Column::Pss => footprint.pss,
            Column::Uss => footprint.uss,
            Column::Swap => footprint.swap,
            Column::SwapPss => footprint.swap_pss,
            Column::Anon => footprint.anon,
            Column::File => footprint.file,
            Column::Shmem => footprint.shmem,
            Column::ResMinusShr => footprint.res_minus_shr(),
            _ => None,
        })
    }

    /// What it says of a process when sorting: where PSS could not be read, the next best estimate stands in, so that
    /// the largest process of all does not sink to the end for want of a right.
    pub fn rank(self, process: &Process) -> Value<'_> {
        let Footprint { pss, uss, rss, .. } = process.footprint;
        match self {
            Column::Pss => size(pss.or(uss).or(rss)),
            Column::Uss => size(uss.or(rss)),
            column => column.of_process(process),
        }
    }
}

fn user(process: &Process) -> Value<'_> {
    match (&process.user, process.uid) {
        (Some(user), _) => Value::Text(user),
        (None, Some(uid)) => Value::Count(i64::from(uid)),
        (None, None) => Value::Unknown,
    }
}

fn size(size: Option<Bytes>) -> Value<'static> {
    size.map_or(Value::Unknown, Value::Size)
}

fn count(count: Option<u64>) -> Value<'static> {
    count.and_then(|count| i64::try_from(count).ok()).map_or(Value::Unknown, Value::Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_be_parted_by_commas_or_spaces() {
        let both = [Column::Pid, Column::ResMinusShr];
        assert_eq!(View::Process.columns("pid,res_minus_shr").expect("known"), both);
        assert_eq!(View::Process.columns("pid res-shr").expect("known"), both);
        let error = View::User.columns("user,pid").expect_err("users have no pid");
        assert_eq!(error.to_string(), "there is no column `pid` here");
        assert!(error.remedy().expect("help").contains("pss"));
    }

    #[test]
    fn the_largest_process_does_not_sink_for_want_of_a_right() {
        let process = |pss, rss| Process {
            footprint: Footprint { pss, rss: Some(Bytes(rss)), ..Footprint::default() },
            ..Process::default()
        };
        let mut processes = [process(Some(Bytes(10)), 20), process(None, 500)];
        super::super::sort(&mut processes, |process| Column::Pss.rank(process), false);
        assert_eq!(processes[0].footprint.rss, Some(Bytes(500)));
        super::super::sort(&mut processes, |process| Column::Pss.of_process(process), false);
        assert_eq!(processes[1].footprint.rss, Some(Bytes(500)));
    }
}
