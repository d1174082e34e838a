//! Heaps of some gigabytes: what finding the lost blocks costs for each chunk, and how long a process stands for it.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use residue_testkit::{Program, Running};
use serde_json::Value;

use super::dumps::{Scratch, silent};
use super::meter::{Cost, command};
use super::row::{Amount, Row};
use super::{Bench, bars};

/// Of a process, held still in two ways.
const LIVE_MIB: u32 = 1024;

pub(super) fn measure(bench: &Bench, sizes: &[u32]) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    let mut rows = Vec::new();
    for &mib in sizes {
        rows.extend(core(bench, mib, &scratch)?);
    }
    rows.extend(live(bench)?);
    Ok(rows)
}

fn generated(mib: u32) -> Running {
    Program::build("heapgen").flag("-O2").spawn(&[&format!("mb={mib}"), "leaks=1000", "threads=2"])
}

/// A core on one processor, and on all of them.
fn core(bench: &Bench, mib: u32, scratch: &Scratch) -> Result<Vec<Row>> {
    eprintln!("a core of a heap of {mib} MiB is written");
    let program = generated(mib);
    let core = scratch.file("heap.core");
    silent(&[&bench.residue, "dump", &program.pid().to_string(), "-o", &core, "--force"])?;
    let (chunks, lost) = (program.number("nodes"), program.number("lost"));
    drop(program);
    let report = leaks(&[&bench.residue, "leaks", &core, "--json"])?;
    let found: u64 =
        ["definite", "indirect"].iter().filter_map(|kind| report["totals"][kind]["blocks"].as_u64()).sum();
    ensure!(found == lost, "{found} blocks are called lost, and {lost} are");
    let costs = bench.meter.race(
        bench.runs,
        &[
            command(&["taskset", "-c", "0", &bench.residue, "leaks", &core]),
            command(&[&bench.residue, "leaks", &core]),
        ],
    )?;
    let [one, all] = costs[..] else { unreachable!("as many costs as contenders") };
    let of = |what: &str| format!("leaks in a heap of {mib} MiB, {chunks} chunks: {what}");
    let each = |cost: Cost| Amount::Time(cost.cpu / u32::try_from(chunks).unwrap_or(u32::MAX));
    Ok(vec![
        Row::against(
            &of("cpu a chunk, one thread, against the bar"),
            each(one),
            Amount::Time(bars::LEAKS_A_CHUNK),
            1.0,
        ),
        Row::beside(&of("wall, all processors beside one"), Amount::Time(all.wall), Amount::Time(one.wall)),
        Row::against(
            &of("own memory, the file apart, against the bar"),
            Amount::Bytes(own_memory(&[&bench.residue, "leaks", &core])?),
            Amount::Bytes(bars::LEAKS_BYTES),
            1.0,
        ),
    ])
}

/// How long a process stands, as Residue measures it; `xtask figures --only dumps` compares that with the process's own
/// clock.
fn live(bench: &Bench) -> Result<Vec<Row>> {
    eprintln!("a process with a heap of {LIVE_MIB} MiB is held still");
    let program = generated(LIVE_MIB);
    let pid = program.pid().to_string();
    let mut stops = [Vec::new(), Vec::new()];
    for _ in 0..bench.runs {
        for (way, stops) in [None, Some("--snapshot")].into_iter().zip(&mut stops) {
            let mut words = vec![bench.residue.as_str(), "leaks", &pid, "--json"];
            words.extend(way);
            let stopped = leaks(&words)?["stopped_ms"].as_f64().context("the stop is measured")?;
            stops.push(Duration::from_secs_f64(stopped / 1000.0));
        }
    }
    let [stopped, forked] = stops.map(|mut stops| {
        stops.sort_unstable();
        Amount::Time(stops[stops.len() / 2])
    });
    let of = |what: &str| {
        format!("process of {LIVE_MIB} MiB: how long it stands for leaks{what}, against the bar")
    };
    Ok(vec![
        Row::against(&of(""), stopped, Amount::Time(bars::STOP_FOR_LEAKS), 1.0),
        Row::against(&of(" --snapshot"), forked, Amount::Time(bars::FORK_FOR_LEAKS), 1.0),
    ])
}

fn leaks(words: &[&str]) -> Result<Value> {
    let done = Command::new(words[0]).args(&words[1..]).output().context("failed to start residue")?;
    ensure!(done.status.success(), "`{}` ended with {}", words.join(" "), done.status);
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// The most memory of its own that a command had, as `RssAnon` says: a mapped file is none.
fn own_memory(words: &[&str]) -> Result<u64> {
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    let mut child =
        Command::new(words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kib.unwrap_or_default() * 1024);
        thread::sleep(LOOK_EVERY);
    }
    Ok(most)
}
