#![allow(clippy::doc_markdown, reason = "these comments are the help that a terminal shows")]

mod blocks;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod recording;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use residue::model::Bytes;
use residue::{Care, Options};

use crate::values::{filter, size, time};
pub(crate) use blocks::{BlocksArgs, HeapArgs, LeakRules, LeaksArgs, LossFailOn, RefsArgs, StillArgs};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) use recording::RecordArgs;
pub(crate) use report::{ExportArgs, RecordedFailOn, ReportArgs, Sort, Weight};

/// What eats the memory of a process, and whether it is a leak.
#[derive(Parser)]
#[command(name = "residue", version, about, max_term_width = 100)]
#[command(after_help = "\
Examples:
  residue triage --demo                 see a diagnosis of a small leaking process
  residue triage redis-server           the whole diagnosis on one page
  residue ps --top 10                   who has the memory
  residue map 1234 --html map.html      the address space as a picture

Exit codes: 0 done, 1 --fail-on matches, 2 usage, 3 target not readable, 4 own failure, 130 interrupted")]
pub(crate) struct Arguments {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The whole diagnosis of a process or dump on one page: verdict, what is in it, findings
    Triage(TriageArgs),
    #[cfg(any(target_os = "linux", windows))]
    /// Every process with what it really takes: pss, uss, swap
    Ps(PsArgs),
    /// The address space of a process or dump: regions, sums, sizes, free ranges
    Map(MapArgs),
    /// Where a text, bytes, a pointer or a pattern stands in memory
    Search(SearchArgs),
    /// The bytes of memory: shown, or written to files
    Read(ReadArgs),
    /// What the heaps hold: live, free and cached blocks, sizes, types, and whether it is a leak or fragmentation
    Heap(HeapArgs),
    /// Blocks that nobody can reach any more, as memcheck tells them, of a process that nobody prepared
    Leaks(LeaksArgs),
    /// The blocks of one record of `residue leaks`
    Blocks(BlocksArgs),
    /// Who points at an address: blocks, variables, stacks, registers
    Refs(RefsArgs),
    #[cfg(any(target_os = "linux", windows))]
    /// A core of a running process, which stands still while it is copied and then goes on
    Dump(DumpArgs),
    #[cfg(target_os = "linux")]
    /// These questions about blocks from inside gdb: prints the script that gdb needs for it
    Gdb(GdbArgs),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    /// Who allocates: starts a program and writes what it asked for, by call path, into a small file
    Record(RecordArgs),
    /// What a recording tells: who lost, grows, holds, wastes
    Report(ReportArgs),
    #[cfg(any(target_os = "linux", windows))]
    /// Growth live, a line a sample, and a first verdict at the end
    Watch(WatchArgs),
    #[cfg(windows)]
    /// Whether what Windows tells Residue fits together on this machine
    Selfcheck(SelfcheckArgs),
    #[cfg(any(target_os = "linux", windows))]
    #[command(name = "demo-leak", hide = true)]
    DemoLeak,
}

/// What is looked at.
#[derive(Args)]
pub(crate) struct TargetArg {
    /// A pid, the name of just one process, a core file or a minidump
    #[arg(id = "target", value_name = "TARGET")]
    pub(crate) word: String,
}

/// How much the target may be made to wait.
#[derive(Args)]
pub(crate) struct CareArgs {
    /// Read in small steps, so that the target hardly waits; pss only as root
    #[cfg(not(windows))]
    #[arg(long, conflicts_with = "exact")]
    gentle: bool,

    /// Read smaps however large the target is; it waits meanwhile (about 20 ms a GiB)
    #[cfg(not(windows))]
    #[arg(long)]
    exact: bool,

    /// Read processes above this resident size in small steps
    #[cfg(not(windows))]
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    gentle_above: Bytes,
}

impl CareArgs {
    pub(crate) fn options(&self) -> Options {
        Options { care: self.care() }
    }

    #[cfg(windows)]
    #[allow(clippy::unused_self, reason = "nothing that Windows is asked makes a process wait")]
    pub(crate) fn care(&self) -> Care {
        Care::DEFAULT
    }

    #[cfg(not(windows))]
    pub(crate) fn care(&self) -> Care {
        match self {
            CareArgs { gentle: true, .. } => Care::Always,
            CareArgs { exact: true, .. } => Care::Exact,
            CareArgs { gentle_above, .. } => Care::Above(*gentle_above),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue triage 1234
  residue triage postgres --for 5m --html report.html
  residue triage 1234 --fail-on leak || page-somebody")]
pub(crate) struct TriageArgs {
    /// A pid, the name of just one process, a core file or a minidump
    #[arg(required_unless_present = "demo")]
    pub(crate) target: Option<String>,

    /// Start a small leaking process, diagnose it, and end it
    #[arg(long, conflicts_with = "target")]
    pub(crate) demo: bool,

    /// How long to watch: 30s, 5m, 2h [default: 30s, with --demo 12s]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) span: Option<Duration>,

    /// Also write the diagnosis as a page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Exit with 1 when the diagnosis says this
    #[arg(long, value_name = "WHAT")]
    pub(crate) fail_on: Option<FailOn>,

    #[command(flatten)]
    pub(crate) care: CareArgs,
}

/// What makes a script fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// The verdict is a leak or a likely one
    Leak,
    /// Any finding is critical
    Critical,
    /// Any finding is critical or a warning
    Warning,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue map 1234
  residue map 1234 --filter usage=anonymous,min-size=1M --sort rss
  residue map 1234 --json > before.json; …; residue map 1234 --diff before.json
  residue map 1234 --html map.html
  residue map core.1234 --sort size
  residue map full.dmp -f:Unk,MEM_COMMIT --all")]
pub(crate) struct MapArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// List only regions for which all of these hold, parted by commas: usage=anonymous|heap, protection=rw-p,
    /// state=reserved, size=0x20000, min-size=1M, min-rss=1M, name=REGEX, or WinDbg's words: Unk, Image, Stack, MEM_COMMIT,
    /// PAGE_GUARD
    #[arg(long, short = 'f', value_name = "CONDITIONS", default_value = "", value_parser = filter)]
    pub(crate) filter: String,

    /// List allocations instead of regions: what was reserved together, with the number of its blocks and guards
    #[arg(long)]
    pub(crate) allocations: bool,

    /// Order of the regions: address, size, usage, name, or a counter such as rss [default: rss, of a dump size, with --all address]
    #[arg(long, value_name = "KEY")]
    pub(crate) sort: Option<String>,

    /// List every region, not only the first 25
    #[arg(long)]
    pub(crate) all: bool,

    /// How many free ranges to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) free: usize,

    /// Show what changed since a map saved with --json, or how another process differs
    #[arg(long, value_name = "FILE|TARGET")]
    pub(crate) diff: Option<String>,

    /// Also write the address space as a zoomable picture
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) care: CareArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue search 1234 password
  residue search full.dmp '<title>' --in usage=unknown --limit 50
  residue search full.dmp 'C:\\Users' --utf16 --ignore-case
  residue search core.99 --hex '48 8b ?? 05'
  residue search core.99 --pointer 0x7f0010402030
  residue search core.99 --regex 'user_id=[0-9]+'")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// What to search for: a text, or what the options say
    pub(crate) pattern: String,

    /// Search for text as it is typed, ASCII or UTF-8 [the default; with --utf16 both]
    #[arg(long, short = 'a')]
    pub(crate) ascii: bool,

    /// Search for text of two bytes a character, as Windows keeps it
    #[arg(long, short = 'u')]
    pub(crate) utf16: bool,

    /// The pattern is bytes in hexadecimal, ? for any digit
    #[arg(long, short = 'x', conflicts_with_all = ["ascii", "utf16", "regex", "pointer", "ignore_case"])]
    pub(crate) hex: bool,

    /// The pattern is a regular expression on bytes; a match longer than 4 KiB may be counted in parts
    #[arg(long, short = 'e', conflicts_with_all = ["ascii", "utf16", "pointer"])]
    pub(crate) regex: bool,

    /// The pattern is an address: find aligned pointers to it
    #[arg(long, short = 'q', conflicts_with_all = ["ascii", "utf16", "ignore_case"])]
    pub(crate) pointer: bool,

    /// Take upper and lower case for the same
    #[arg(long, short = 'i')]
    pub(crate) ignore_case: bool,

    /// Show at most so many matches; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) limit: u32,

    /// Search only regions for which all of these hold, as for map --filter: usage=heap, size=0x20000, Unk,MEM_COMMIT
    #[arg(long = "in", value_name = "CONDITIONS", default_value = "", value_parser = filter)]
    pub(crate) within: String,

    #[command(flatten)]
    pub(crate) care: CareArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue read core.99 0x7f0010402030 256
  residue read full.dmp 0x1840000 128K -o page.bin
  residue read full.dmp 0x1840000 128K --text
  residue read full.dmp --all-matching Unk,MEM_COMMIT,size=0x20000 -o pages/")]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) target: TargetArg,

    /// Where to begin, in hexadecimal
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,

    /// How many bytes: 256, 0x100, 4K [default: 256, or to the end of the region]
    #[arg(value_name = "LENGTH")]
    pub(crate) length: Option<String>,

    /// Write the bytes as they are into a file; with --all-matching, a folder
    #[arg(long, short = 'o', value_name = "FILE|DIR", conflicts_with = "text")]
    pub(crate) output: Option<PathBuf>,

    /// Write each region for which all of these hold into a file of its own
    #[arg(long, value_name = "CONDITIONS", conflicts_with_all = ["address", "length"], value_parser = filter)]
    pub(crate) all_matching: Option<String>,

    /// Show only the text in it, ASCII and UTF-16, a line each
    #[arg(long)]
    pub(crate) text: bool,

    /// With --text: the shortest text
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(crate) min_length: usize,

    #[command(flatten)]
    pub(crate) care: CareArgs,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue dump 1234 -o core.1234
  residue dump nginx -o nginx.core.zst --compress
  gdb -c core.1234 /usr/sbin/nginx;  residue triage core.1234")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(crate) struct DumpArgs {
    /// A pid, or the name of just one process
    pub(crate) target: String,

    /// Where to write the core, on Windows the minidump; it is readable by you alone, since memory holds secrets
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Compress it with zstd once the process runs again; every command here reads it, gdb wants it unpacked
    #[arg(long)]
    pub(crate) compress: bool,

    #[cfg(not(windows))]
    /// Also save text and other content of files, for a machine that does not have these files
    #[arg(long)]
    pub(crate) all_files: bool,

    #[cfg(not(windows))]
    /// Also save what the program asks to leave out of dumps (MADV_DONTDUMP)
    #[arg(long)]
    pub(crate) excluded: bool,

    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,

    #[cfg(not(windows))]
    /// How much memory the copy may take: the more, the less the process waits for the disk [default: a quarter of what
    /// is left]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) staging: Option<Bytes>,
}

#[cfg(target_os = "linux")]
#[derive(Args)]
#[command(after_help = "\
It adds the command `residue` to gdb, for the program that gdb has stopped, or a core that it reads.
gdb holds the program, Residue reads its memory. In gdb, `help residue` tells the rest.

Examples:
  residue gdb -o residue.py
  gdb -x residue.py -ex 'break finish' -ex run -ex 'residue leaks' ./program
  echo source $PWD/residue.py >> ~/.gdbinit

  (gdb) residue leaks
  (gdb) residue refs session --to-root
  (gdb) residue heap --all")]
pub(crate) struct GdbArgs {
    /// Write the script into a file instead
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[cfg(windows)]
#[derive(Args)]
#[command(after_help = "\
Examples:
  residue selfcheck
  residue selfcheck -o selfcheck.json     then, anywhere: residue map selfcheck.json")]
pub(crate) struct SelfcheckArgs {
    /// The process to look at, by pid or name [default: this one itself]
    #[arg(value_name = "PROCESS")]
    pub(crate) target: Option<String>,

    /// Also write a recording, which names the account, the command line and the libraries of the process
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  residue watch 1234
  residue watch 1234 5678 --for 10m --interval 5s
  residue watch nginx --for 1h --json > growth.json")]
pub(crate) struct WatchArgs {
    /// Pids, or names of just one process each
    #[arg(required = true)]
    pub(crate) targets: Vec<String>,

    /// How long: 30s, 10m, 2h [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) span: Option<Duration>,

    /// How often [default: 1s, or the time over 120]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) interval: Option<Duration>,

    /// Exit with 1 when the verdict on any of them is a leak or a likely one
    #[arg(long, value_name = "WHAT")]
    pub(crate) fail_on: Option<WatchFailOn>,
}

/// What makes a script fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WatchFailOn {
    /// The verdict is a leak or a likely one
    Leak,
}

#[derive(Args)]
#[command(after_help = "\
Columns:
  pid user name command vss rss pss uss swap swap_pss anon file
  shmem res_minus_shr majflt minflt threads maps oom_score
  on Windows also commit peak_commit working_set peak_working_set
  private_working_set paged_pool nonpaged_pool handles
  with --by user also processes; with --by mapping also mapping, processes, average_pss

Examples:
  residue ps --top 10
  residue ps --filter user=www-data --columns pid,pss,uss,swap_pss,command
  residue ps --by mapping --filter process=postgres --sort average_pss
  residue ps --pie memory.svg
  residue ps --save host.tar.gz;  residue ps --from host.tar.gz --by user")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(crate) struct PsArgs {
    /// What a row is
    #[arg(long, value_enum, default_value_t = By::Process)]
    pub(crate) by: By,

    /// What to show, parted by commas
    #[arg(long, short = 'c', value_name = "LIST")]
    pub(crate) columns: Option<String>,

    /// Order by a column, largest first [default: pss, on Windows commit]
    #[arg(long, short = 's', value_name = "COLUMN")]
    pub(crate) sort: Option<String>,

    /// Smallest first
    #[arg(long, short = 'r')]
    pub(crate) reverse: bool,

    /// Only rows that match: pid=N, process=REGEX, user=REGEX, mapping=REGEX; may be given again
    #[arg(long, short = 'f', value_name = "CONDITION")]
    pub(crate) filter: Vec<String>,

    /// Only the first rows
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) top: Option<usize>,

    /// Add a row of totals
    #[arg(long, short = 't')]
    pub(crate) totals: bool,

    /// Show sizes as a share of the machine's memory
    #[arg(long, short = 'p', conflicts_with = "bytes")]
    pub(crate) percent: bool,

    /// Show sizes in exact bytes
    #[arg(long, short = 'b')]
    pub(crate) bytes: bool,

    /// Leave the headings out
    #[arg(long, short = 'H')]
    pub(crate) no_header: bool,

    /// Draw bars of the sorted column into an SVG or PNG file; on the terminal without a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "pie")]
    #[allow(clippy::option_option, reason = "absent, given alone, given with a file")]
    pub(crate) bar: Option<Option<PathBuf>>,

    /// Draw a pie of the sorted column into an SVG or PNG file; bars on the terminal without a file
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "absent, given alone, given with a file")]
    pub(crate) pie: Option<Option<PathBuf>>,

    #[cfg(not(windows))]
    /// Save what /proc says of all processes, for --from on any machine (.gz compresses)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "gentle", "filter", "bar", "pie", "columns", "sort", "top", "totals"])]
    pub(crate) save: Option<PathBuf>,

    /// Read a capture made by --save or by smem instead of this machine
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) care: CareArgs,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// A process
    Process,
    /// A user
    User,
    /// A file or other mapping, over all processes
    Mapping,
    /// The machine: firmware, kernel, user, free
    System,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
