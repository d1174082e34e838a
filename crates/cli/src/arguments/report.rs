use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use regex::Regex;
use residue::analysis::recorded::{Filter, Grouping, Measure, Question, Section, Skip};
use residue::model::Bytes;
use residue::model::recording::AllocationKind;

use crate::values::{moment, pattern, size, time};

#[derive(Args)]
#[command(group = ArgGroup::new("calls").multiple(true), after_help = "\
What is not freed at the end merely lives; what grows to the end is told apart by its shape over time; only what nobody could
reach any more when the program ended is called lost.

Examples:
  residue report shop.residue
  residue report shop.residue --older-than 10s --function '^parse'
  residue report shop.residue --from 5m --to 10m --sort live --limit 30
  residue report shop.residue --html shop.html
  residue report shop.residue --flamegraph shop.svg --measure allocated
  residue report shop.residue --diff yesterday.residue
  residue report shop.residue --fail-on leak || page-somebody")]
pub(crate) struct ReportArgs {
    /// A recording that `residue record` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Show what changed since an earlier recording, site by site
    #[arg(long, value_name = "EARLIER")]
    pub(crate) diff: Option<PathBuf>,

    /// Which call paths are one site: those that end at the same line, in the same function or module, or the same whole stack
    #[arg(long, value_name = "WHAT", default_value = "line")]
    pub(crate) by: By,

    /// Functions that only pass on what others ask for, by a pattern: allocators of your own
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub(crate) skip: Option<Regex>,

    /// One list of all sites in this order, instead of a page
    #[arg(long, value_name = "WHAT")]
    pub(crate) sort: Option<Sort>,

    /// Show at most so many sites of each kind; JSON has all without it
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Show whole call paths, and all that meet at a site
    #[arg(long)]
    pub(crate) full: bool,

    /// Also write it as a page to click through, with source lines of files that are there
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    pub(crate) html: Option<PathBuf>,

    /// Also write the calls as a flame graph: an SVG file to zoom into and search in a browser
    #[arg(long, value_name = "FILE", conflicts_with = "diff", group = "calls")]
    pub(crate) flamegraph: Option<PathBuf>,

    /// Also write the call paths, a line each with what it weighs, as flamegraph.pl and speedscope read them
    #[arg(long, value_name = "FILE", conflicts_with = "diff", group = "calls")]
    pub(crate) collapsed: Option<PathBuf>,

    /// What these two weigh calls by; unless said, what is live at the end, or allocated where nothing is
    #[arg(long, value_name = "WHAT", requires = "calls")]
    pub(crate) measure: Option<Weight>,

    /// Exit with 1 when a site is lost or grows like a leak; with 4 when nothing at all was recorded
    #[arg(long, value_name = "WHAT")]
    pub(crate) fail_on: Option<RecordedFailOn>,

    #[command(flatten)]
    pub(crate) part: PartArgs,

    #[command(flatten)]
    pub(crate) exports: ExportArgs,
}

/// Files for the viewers of other tools: of every call path as it was, however sites are made.
#[derive(Args)]
#[command(next_help_heading = "For other viewers")]
pub(crate) struct ExportArgs {
    /// Also write a profile for `go tool pprof`, speedscope, Pyroscope: of the part that was asked for
    #[arg(long, value_name = "FILE", conflicts_with_all = ["diff", "min_bytes"])]
    pub(crate) pprof: Option<PathBuf>,

    /// Also write the whole heap as DHAT does, for its dh_view.html
    #[arg(long, value_name = "FILE", conflicts_with_all = ["diff", "PartArgs"])]
    pub(crate) dhat: Option<PathBuf>,

    /// Also write the whole heap over time as massif does, for ms_print and massif-visualizer
    #[arg(long, value_name = "FILE", conflicts_with_all = ["diff", "PartArgs"])]
    pub(crate) massif: Option<PathBuf>,
}

/// Which part of a recording is looked at.
#[derive(Args)]
#[command(next_help_heading = "Only a part")]
pub(crate) struct PartArgs {
    /// Only memory of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Only call paths through a module whose path matches
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    module: Option<Regex>,

    /// Only call paths through a function whose name matches
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    function: Option<Regex>,

    /// Only call paths that asked for blocks of at least this size
    #[arg(long, value_name = "SIZE", value_parser = size)]
    min_size: Option<Bytes>,

    /// Only call paths that asked for blocks of at most this size
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<Bytes>,

    /// Only what happened from then on, since the start: 10s, 5m
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Duration>,

    /// Only what happened until then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Duration>,

    /// Of what stood at the end, only what was at least so old
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["from", "to"])]
    older_than: Option<Duration>,

    /// Only sites that asked for at least so many bytes in all
    #[arg(long, value_name = "SIZE", value_parser = size)]
    min_bytes: Option<Bytes>,
}

impl ReportArgs {
    /// What is asked of the recording.
    pub(crate) fn question(&self) -> Question {
        let part = &self.part;
        Question {
            filter: Filter {
                kind: part.kind.map(Kind::kind),
                module: part.module.clone(),
                function: part.function.clone(),
                min_size: part.min_size,
                max_size: part.max_size,
                from: part.from,
                to: part.to,
                older_than: part.older_than,
            },
            grouping: self.by.grouping(),
            skip: Skip { also: self.skip.clone() },
            least: part.min_bytes.unwrap_or_default(),
        }
    }
}

/// From whom memory was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Allocators: malloc and its family, operator new
    Heap,
    /// The kernel, by mmap: the program itself did, not its allocator
    Mmap,
    /// The kernel, by moving the break
    Brk,
}

impl Kind {
    fn kind(self) -> AllocationKind {
        match self {
            Kind::Heap => AllocationKind::Heap,
            Kind::Mmap => AllocationKind::Mapping,
            Kind::Brk => AllocationKind::Break,
        }
    }
}

/// Which call paths are one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The same line of a function
    Line,
    /// The same path all the way
    Stack,
    /// The same function
    Function,
    /// The same module
    Module,
}

impl By {
    fn grouping(self) -> Grouping {
        match self {
            By::Line => Grouping::Line,
            By::Stack => Grouping::Stack,
            By::Function => Grouping::Function,
            By::Module => Grouping::Module,
        }
    }
}

/// What sites are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Bytes that nobody could reach at the end
    Lost,
    /// Growth to the end
    Growth,
    /// Bytes not freed at the end
    Live,
    /// Bytes when the program held most
    Peak,
    /// Bytes asked for in all
    Allocated,
    /// Blocks freed at once
    Temporary,
    /// Bytes given beyond what was asked for
    Wasted,
}

impl Sort {
    pub(crate) fn section(self) -> Section {
        match self {
            Sort::Lost => Section::Lost,
            Sort::Growth => Section::Growing,
            Sort::Live => Section::Live,
            Sort::Peak => Section::Peak,
            Sort::Allocated => Section::Allocated,
            Sort::Temporary => Section::Temporary,
            Sort::Wasted => Section::Wasted,
        }
    }
}

/// What calls are weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Weight {
    /// Bytes not freed at the end
    Live,
    /// Bytes asked for in all
    Allocated,
    /// Bytes when the program held most
    Peak,
    /// Blocks freed at once
    Temporary,
}

impl Weight {
    pub(crate) fn measure(self) -> Measure {
        match self {
            Weight::Live => Measure::Live,
            Weight::Allocated => Measure::Allocated,
            Weight::Peak => Measure::Peak,
            Weight::Temporary => Measure::Temporary,
        }
    }
}

/// What `report --fail-on` fails on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordedFailOn {
    /// Blocks are lost, or a site grows like a leak
    Leak,
    /// Blocks are lost: nobody could reach them when the program ended
    Lost,
    /// A site grows like a leak
    Growth,
}
