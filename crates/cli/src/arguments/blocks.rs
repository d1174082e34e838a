#![allow(clippy::doc_markdown, reason = "these comments are the help that a terminal shows")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use residue::Stillness;
use residue::analysis::leaks::ChangeKind;
use residue::analysis::reachability::Heuristics;
use residue::model::Bytes;

use super::TargetArg;
use crate::values::{Kinds, heuristics, kinds, length, size, time};

/// How a running process is looked at.
#[derive(Args)]
pub(crate) struct StillArgs {
    /// Do not stop the process: faster for it, but what is seen together may never have been so
    #[arg(long, conflicts_with = "snapshot")]
    no_stop: bool,

    /// Let the process fork and look at the child: it stands for the fork only, but needs memory for what it changes
    #[arg(long)]
    snapshot: bool,

    /// A debugger holds all threads of the process: take their registers from a file, or from - (stdin). It has a line
    /// a thread, its number and registers: 4711 rax=0x0 … rip=0x55d0c0001139 …, by the names that gdb has. In gdb, the
    /// script that `residue gdb` prints does this
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "FILE", hide_short_help = true, conflicts_with_all = ["no_stop", "snapshot"])]
    pub(crate) stopped_by_debugger: Option<PathBuf>,
}

impl StillArgs {
    /// How, but for what a debugger holds.
    pub(crate) fn stillness(&self) -> Stillness<'static> {
        match self {
            StillArgs { no_stop: true, .. } => Stillness::Running,
            StillArgs { snapshot: true, .. } => Stillness::Forked,
            _ => Stillness::Stopped,
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
The process stands still while its memory is copied, for about 0.2 s a GiB, and goes on: what that costs is said before
and measured after. Of a core nothing is needed but the file.

Examples:
  residue heap redis-server
  residue heap 1234 --snapshot
  residue heap core.1234 --all
  residue heap 1234 --malloc-stats")]
pub(crate) struct HeapArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// Print what malloc_stats(3) would print in the process, of each glibc when there are several
    #[arg(long, conflicts_with = "json")]
    pub(crate) malloc_stats: bool,

    /// List every arena, size and type
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) still: StillArgs,
}

/// How pointers are looked for.
#[derive(Args)]
pub(crate) struct LeakRules {
    /// Pointers into a block that count as pointers to its start: all, none, or some of memcheck's stdstring, length64,
    /// newarray, multipleinheritance, and python
    #[arg(long, value_name = "NAMES", default_value = "all", value_parser = heuristics)]
    pub(crate) heuristics: Heuristics,

    /// Take words with marks in their three lowest bits for pointers too; pointers hidden otherwise (XOR) are not seen
    #[arg(long)]
    pub(crate) tagged: bool,

    /// Kinds that records are made of: definite, indirect, possible, reachable, or all
    #[arg(long, value_name = "KINDS", default_value = "definite,possible", value_parser = kinds)]
    pub(crate) kinds: Kinds,

    /// Leave out records of blocks smaller than this, that retain no more
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size)]
    pub(crate) min_size: Bytes,
}

/// What `leaks --fail-on` fails on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LossFailOn {
    /// Blocks are definitely lost
    Leak,
}

/// What of two runs is shown, in the words of memcheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeakCheck {
    /// Records that are new or have more bytes
    Increased,
    /// Records that are not as they were
    Changed,
    /// All records
    Any,
}

impl LeakCheck {
    pub(crate) fn changes(self) -> &'static [ChangeKind] {
        use ChangeKind::{Changed, Increased, New, Same};
        match self {
            LeakCheck::Increased => &[New, Increased],
            LeakCheck::Changed => &[New, Increased, Changed],
            LeakCheck::Any => &[New, Increased, Changed, Same],
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Conservative: whatever looks like a pointer counts as one. What is called lost is lost, unless the program hides its pointers;
what is called reachable may be lost all the same.

Examples:
  residue leaks 1234
  residue leaks core.1234 --kinds all --limit 50
  residue leaks 1234 --json > monday.json; residue leaks 1234 --since monday.json
  residue leaks 1234 --every 60s
  residue leaks 1234 --fail-on leak || page-somebody")]
pub(crate) struct LeaksArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    #[command(flatten)]
    pub(crate) rules: LeakRules,

    /// Show at most so many records
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,

    /// Show every address of each record; otherwise JSON has 100 of each, the table 3
    #[arg(long)]
    pub(crate) all_addresses: bool,

    /// Compare with an earlier run, saved by --json with the same options; kinds that only one of them was asked for are
    /// shown without a comparison
    #[arg(long, value_name = "FILE", conflicts_with = "every")]
    pub(crate) since: Option<PathBuf>,

    /// Look again and again, and compare each time with the time before
    #[arg(long, value_name = "TIME", value_parser = time)]
    #[cfg_attr(target_os = "linux", arg(conflicts_with = "stopped_by_debugger"))]
    pub(crate) every: Option<Duration>,

    /// Which records are shown when runs are compared
    #[arg(long, value_name = "WHICH", default_value = "increased")]
    pub(crate) changes: LeakCheck,

    /// Exit with 1 when something is definitely lost, with 4 when there was no heap to search (NOT CHECKED); with
    /// --every, as soon as a look finds such a loss
    #[arg(long, value_name = "WHAT")]
    pub(crate) fail_on: Option<LossFailOn>,

    #[command(flatten)]
    pub(crate) still: StillArgs,
}

#[derive(Args)]
#[command(after_help = "\
Records are numbered anew in each run: of a running process that changes, ask for one that is still there.

Examples:
  residue blocks core.1234 1
  residue blocks 1234 3 --kinds all --limit 1000")]
pub(crate) struct BlocksArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// The number of a record that `residue leaks` shows with the same options
    #[arg(value_name = "RECORD")]
    pub(crate) record: u32,

    #[command(flatten)]
    pub(crate) rules: LeakRules,

    /// Show at most so many blocks
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) still: StillArgs,
}

#[derive(Args)]
#[command(after_help = "\
Without LENGTH, an address in a block means the whole block.

Examples:
  residue refs 1234 0x55d0c0402010
  residue refs core.1234 0x55d0c0402010 --to-root
  residue refs 1234 0x7f0010000000 0x1000")]
pub(crate) struct RefsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// An address, in hexadecimal
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,

    /// How many bytes from there on: 64, 0x1000, 4K
    #[arg(value_name = "LENGTH", value_parser = length)]
    pub(crate) length: Option<Bytes>,

    /// Show the shortest chain of pointers from a variable, stack or register to the block
    #[arg(long)]
    pub(crate) to_root: bool,

    /// Show at most so many pointers
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) still: StillArgs,
}
