use std::process;

use residue_testkit::{Program, Running};
use serde_json::Value;

use super::{number, rows};

/// A few processes alike whose numbers nobody else on the machine moves.
///
/// The program is linked statically and built once for each test: shared pages of a library, or of the same program in
/// another test, would change its pss while it is measured.
pub(crate) struct Crowd {
    _running: Running,
    pub(crate) pids: Vec<u32>,
    mark: String,
}

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * 1024;

impl Crowd {
    /// `count` children with 2 MiB of their own and a share of 8 MiB.
    pub(crate) fn of(test: &str, count: usize) -> Crowd {
        Crowd::with(test, count, &[])
    }

    pub(crate) fn with(test: &str, count: usize, options: &[&str]) -> Crowd {
        // Only ever a name: a test that finds itself by its command line must not find another.
        let mark = format!("mark={test}-{}", process::id());
        let count = format!("count={count}");
        let arguments = [&[count.as_str()], options, &[mark.as_str()]].concat();
        let mut running =
            Program::build("crowd").flag("-static").flag(&format!("-DALONE_{test}")).spawn(&arguments);
        let told = running.ask("pids");
        let pids = told.text("pids").split(',').map(|pid| pid.parse().expect("a pid")).collect();
        Crowd { _running: running, pids, mark }
    }

    /// The condition that fits its processes and no other: neither the command under test, whose own arguments hold
    /// the same words and a `$`.
    pub(crate) fn filter(&self) -> String {
        format!("process={}", self.pattern())
    }

    pub(crate) fn pattern(&self) -> String {
        format!("{}$", self.mark)
    }

    /// The rows of its children in a document of `ps`, in order of their pids.
    #[track_caller]
    pub(crate) fn rows_in(&self, document: &Value) -> Vec<Value> {
        let all = rows(document, "processes");
        let row = |&pid: &u32| {
            let found = all.iter().find(|row| number(row, "pid") == u64::from(pid));
            found.unwrap_or_else(|| panic!("process {pid} is not listed: {all:?}")).clone()
        };
        self.pids.iter().map(row).collect()
    }
}
