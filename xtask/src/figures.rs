//! `cargo xtask figures`: Residue against its peers, as ratios in one run.
//!
//! Absolute times belong to the machine; a ratio of two commands that ran in turns belongs to the code.

mod bars;
mod calls;
mod crowd;
mod dumps;
mod heaps;
mod meter;
mod recorder;
mod regions;
mod row;
mod stall;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::place;
use crate::shell::{self, cargo};
use meter::Meter;

#[derive(Args)]
pub(crate) struct FiguresArgs {
    /// Runs of each command; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Processes in the crowd
    #[arg(long, default_value_t = 1000)]
    crowd: u32,
    /// Regions of the large process
    #[arg(long, default_value_t = 60_000)]
    regions: u32,
    /// Size of the region that is read while its process is timed
    #[arg(long, default_value_t = 3072, value_name = "MIB")]
    stall_mib: u32,
    /// Seconds that each reader reads it
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    stall_for: u64,
    /// Size of the core that is searched
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    core_mib: u32,
    /// Size of the process that is dumped
    #[arg(long, default_value_t = 2048, value_name = "MIB")]
    dump_mib: u32,
    /// Sizes of the heaps in which the lost blocks are looked for
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1024, 4096], value_name = "MIB")]
    heap_mib: Vec<u32>,
    /// Millions of operations that are recorded
    #[arg(long, default_value_t = 5, value_name = "MILLIONS", value_parser = clap::value_parser!(u32).range(1..))]
    operations: u32,
    /// Record a hundred times as many besides, for the size of the recording
    #[arg(long)]
    long: bool,
    /// Search this file by `memmem` alone and nothing else: the figures call themselves so
    #[arg(long, value_name = "FILE", hide = true)]
    memmem: Option<PathBuf>,
    /// Only these figures
    #[arg(long, value_enum)]
    only: Vec<Group>,
    /// Another binary than the release build of this clone
    #[arg(long, value_name = "FILE")]
    residue: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Many processes: ps against smem, ps and pmap
    Crowd,
    /// One process of many regions: map against reading its smaps
    Regions,
    /// How long a target waits for its reader
    Stall,
    /// Calls through the C library, and our own part of them
    Calls,
    /// A large core: search against memmem and gdb, map, triage; the stop of a dump against gcore
    Dumps,
    /// Large heaps: what finding lost blocks costs, and how long a process stands for it
    Heaps,
    /// Recording allocations: a worst case plain, under heaptrack, recorded exactly and by samples
    Recorder,
}

/// What is measured, with what.
struct Bench {
    residue: String,
    meter: Meter,
    runs: u32,
}

pub(crate) fn run(args: &FiguresArgs) -> Result<()> {
    if let Some(path) = &args.memmem {
        return dumps::memmem(path);
    }
    let bench = Bench { residue: binary(args)?, meter: Meter::build()?, runs: args.runs };
    let mut rows = Vec::new();
    if wants(args, Group::Crowd) {
        rows.extend(crowd::measure(&bench, args.crowd)?);
    }
    if wants(args, Group::Regions) {
        rows.extend(regions::measure(&bench, args.regions)?);
    }
    if wants(args, Group::Stall) {
        rows.extend(stall::measure(&bench, args.stall_mib, args.stall_for)?);
    }
    if wants(args, Group::Dumps) {
        rows.extend(dumps::measure(&bench, args.core_mib, args.dump_mib)?);
    }
    if wants(args, Group::Heaps) {
        rows.extend(heaps::measure(&bench, &args.heap_mib)?);
    }
    if wants(args, Group::Recorder) {
        rows.extend(recorder::measure(&bench, args.operations, args.long)?);
    }
    if wants(args, Group::Calls) {
        rows.extend(calls::measure(&bench)?);
    }
    print!("{}", row::render(&rows));
    Ok(())
}

fn wants(args: &FiguresArgs, group: Group) -> bool {
    args.only.is_empty() || args.only.contains(&group)
}

fn binary(args: &FiguresArgs) -> Result<String> {
    let path = if let Some(path) = &args.residue {
        path.clone()
    } else {
        shell::run(&mut cargo(&["build", "--release", "--package", "residue-cli"]))?;
        place::target().join("release/residue")
    };
    plain(&path)
}

/// Residue with all of its debug information: a large binary, as those are that people work on.
fn debug_binary() -> Result<String> {
    shell::run(&mut cargo(&["build", "--package", "residue-cli"]))?;
    plain(&place::target().join("debug/residue"))
}

fn plain(path: &Path) -> Result<String> {
    ensure!(path.is_file(), "{} is no file", path.display());
    Ok(path.canonicalize()?.display().to_string())
}
