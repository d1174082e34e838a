//! A core of some gigabytes: finding in it, understanding it, and what writing one costs the process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use memmap2::Mmap;
use residue_testkit::{Program, Running};

use super::meter::{Contender, Cost, command};
use super::row::{Amount, Row};
use super::{Bench, bars};
use crate::place;

/// Stands nowhere: the whole core has to be looked at.
const NEEDLE: &str = "needle-that-is-not-in-this-core";

/// A folder of our own that goes when the figures are made.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let folder = place::target().join("figures").join(std::process::id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        Ok(Self(folder))
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left only takes room.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn measure(bench: &Bench, core_mib: u32, stop_mib: u32) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    let mut rows = reading(bench, core_mib, &scratch)?;
    rows.extend(writing(bench, stop_mib, &scratch)?);
    Ok(rows)
}

fn reading(bench: &Bench, mib: u32, scratch: &Scratch) -> Result<Vec<Row>> {
    eprintln!("a core of {mib} MiB is written");
    let program = Program::build("pulse").flag("-O2").spawn(&[&format!("mib={mib}")]);
    let core = scratch.file("core");
    silent(&[&bench.residue, "dump", &program.pid().to_string(), "-o", &core])?;
    let find = gdb_find(&core, program.number("start"), program.number("bytes"));
    drop(program);
    let own = std::env::current_exe().context("failed to find this program")?.display().to_string();
    let costs = bench.meter.race(
        bench.runs,
        &[
            command(&[&bench.residue, "search", &core, NEEDLE]),
            command(&[&own, "figures", "--memmem", &core]),
            find,
            command(&[&bench.residue, "map", &core]),
            command(&[&bench.residue, "triage", &core]),
        ],
    )?;
    let [search, alone, gdb, map, triage] = costs[..] else { unreachable!("as many costs as contenders") };
    let of = |what: &str| format!("{mib} MiB core: {what}");
    let wall = |cost: Cost| Amount::Time(cost.wall);
    let bar = |seconds: f64| Amount::Time(Duration::from_secs_f64(seconds));
    Ok(vec![
        Row::against(
            &of("search, wall, against memmem alone"),
            wall(search),
            wall(alone),
            bars::SEARCH_TO_MEMMEM,
        ),
        Row::beside(
            &of("search, cpu, against memmem alone"),
            Amount::Time(search.cpu),
            Amount::Time(alone.cpu),
        ),
        Row::against(&of("search, wall, against gdb's find"), wall(search), wall(gdb), bars::SEARCH_TO_GDB),
        Row::against(&of("map, wall, against the bar"), wall(map), bar(bars::MAP_SECONDS), 1.0),
        Row::against(
            &of("map, peak memory, against the bar"),
            Amount::Bytes(map.peak_bytes),
            Amount::Bytes(bars::MAP_BYTES),
            1.0,
        ),
        Row::against(&of("triage, wall, against the bar"), wall(triage), bar(bars::TRIAGE_SECONDS), 1.0),
    ])
}

/// gdb takes bytes on a core, and no strings: for those it wants to call the program's `malloc`.
fn gdb_find(core: &str, start: u64, bytes: u64) -> Contender {
    let needle: Vec<String> = NEEDLE.bytes().map(|byte| format!("(char){byte:#x}")).collect();
    let find = format!("find {start:#x}, +{bytes}, {}", needle.join(", "));
    command(&["gdb", "-batch", "-nx", "-ex", &format!("core-file {core}"), "-ex", &find])
}

/// What nobody can search faster than: every byte once, by the same finder.
#[allow(unsafe_code)]
pub(super) fn memmem(path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    // SAFETY: the file is the figures' own, and nobody writes to it any more.
    let map = unsafe { Mmap::map(&file) }.context("failed to map it")?;
    println!("{}", memmem::find_iter(&map, NEEDLE).count());
    Ok(())
}

/// How long the process stands, by its own clock.
fn writing(bench: &Bench, mib: u32, scratch: &Scratch) -> Result<Vec<Row>> {
    eprintln!("a process of {mib} MiB is dumped");
    let mut program = Program::build("pulse").flag("-O2").spawn(&[&format!("mib={mib}")]);
    let pid = program.pid().to_string();
    let (ours, theirs) = (scratch.file("ours"), scratch.file("theirs"));
    let mut stops = [Vec::new(), Vec::new()];
    for round in 0..bench.runs {
        stops[0].push(stop(&mut program, &[&bench.residue, "dump", &pid, "-o", &ours, "--force"])?);
        stops[1].push(stop(&mut program, &["gcore", "-o", &theirs, &pid])?);
        eprintln!("round {} of {}", round + 1, bench.runs);
    }
    let [ours, theirs] = stops.map(|mut stops| {
        stops.sort_unstable();
        Amount::Time(Duration::from_nanos(stops[stops.len() / 2]))
    });
    let what = format!("{mib} MiB process: how long it stands while it is dumped, against gcore");
    Ok(vec![Row::against(&what, ours, theirs, bars::STOP_TO_GCORE)])
}

fn stop(program: &mut Running, words: &[&str]) -> Result<u64> {
    let _ = program.ask("forget what was before");
    silent(words)?;
    Ok(program.ask("report").number("longest_ns"))
}

pub(super) fn silent(words: &[&str]) -> Result<()> {
    let mut command = Command::new(words[0]);
    let silent = command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = silent.status().with_context(|| format!("failed to start {}", words[0]))?;
    ensure!(status.success(), "`{}` ended with {status}", words.join(" "));
    Ok(())
}
