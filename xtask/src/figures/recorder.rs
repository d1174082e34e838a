//! What recording costs a program that does nothing but allocate, beside heaptrack.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use residue_testkit::{Facts, Program};

use super::dumps::{Scratch, silent};
use super::meter::{Cost, command, median};
use super::row::{Amount, Row};
use super::{Bench, bars, debug_binary};

/// How a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Heaptrack,
    Exact,
    Sampled,
}

impl Way {
    const ALL: [Self; 4] = [Self::Plain, Self::Heaptrack, Self::Exact, Self::Sampled];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Heaptrack => "heaptrack -r",
            Self::Exact => "record",
            Self::Sampled => "record --sample 512K",
        }
    }

    /// The words before a program that have it recorded in this file.
    fn words<'a>(self, residue: &'a str, file: &'a str) -> Vec<&'a str> {
        match self {
            Self::Plain => vec![],
            Self::Heaptrack => vec!["heaptrack", "-r", "-o", file],
            Self::Exact => vec![residue, "record", "-o", file, "--"],
            Self::Sampled => vec![residue, "record", "-o", file, "--sample", "512K", "--"],
        }
    }

    /// heaptrack adds to the name that it is told.
    fn written(self, file: &str) -> String {
        if self == Self::Heaptrack { format!("{file}.raw.zst") } else { file.to_owned() }
    }
}

/// The program, what it is told, and where its recordings go.
struct Churn<'a> {
    bench: &'a Bench,
    scratch: &'a Scratch,
    program: String,
}

/// What one run of it was.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Of the program, by its own account.
    target: Duration,
    target_peak: u64,
    /// Of the program and of all that recorded it.
    all: Cost,
    recording_bytes: u64,
}

impl Churn<'_> {
    fn run(&self, way: Way, threads: u64, operations: u64) -> Result<Run> {
        let (out, file) = (self.scratch.file("facts"), self.scratch.file("recording"));
        let told = [format!("threads={threads}"), format!("operations={operations}"), format!("out={out}")];
        let mut words: Vec<&str> = way.words(&self.bench.residue, &file);
        words.push(&self.program);
        words.extend(told.iter().map(String::as_str));
        let [words] = &command(&words)[..] else { unreachable!("it is one command") };
        let all = self.bench.meter.measure_one(words)?;
        let facts = Facts::of(fs::read_to_string(&out).context("the program told nothing")?.trim_end());
        ensure!(facts.number("operations") == threads * operations, "it did not do all of its work");
        let recording_bytes = if way == Way::Plain { 0 } else { fs::metadata(way.written(&file))?.len() };
        Ok(Run {
            target: Duration::from_micros(facts.number("cpu_us")),
            target_peak: facts.number("peak_bytes"),
            all,
            recording_bytes,
        })
    }

    /// Runs of all ways in turns, so that a busy moment hits all of them. One round before does not count.
    fn race(&self, threads: u64, operations: u64) -> Result<[Vec<Run>; 4]> {
        let mut runs: [Vec<Run>; 4] = Default::default();
        for round in 0..=self.bench.runs {
            for (way, runs) in Way::ALL.into_iter().zip(&mut runs) {
                let run = self.run(way, threads, operations)?;
                if round > 0 {
                    runs.push(run);
                }
            }
            eprintln!("round {round} of {}, {threads} threads", self.bench.runs);
        }
        Ok(runs)
    }
}

pub(super) fn measure(bench: &Bench, millions: u32, long: bool) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    // As distributions build: without frame pointers.
    let program = Program::build("churn").flag("-O2").flag("-fomit-frame-pointer");
    let program = program.path().context("failed to build the program")?.display().to_string();
    let churn = Churn { bench, scratch: &scratch, program };
    let operations = u64::from(millions) * 1_000_000;
    let mut rows = Vec::new();
    for threads in [1, 2] {
        let runs = churn.race(threads, operations)?;
        rows.extend(costs(threads, operations, &runs));
    }
    rows.extend(recordings(&churn, operations, long)?);
    rows.push(report(&churn)?);
    Ok(rows)
}

fn costs(threads: u64, operations: u64, runs: &[Vec<Run>; 4]) -> Vec<Row> {
    let [plain, heaptrack, exact, sampled] = runs;
    let of = |way: Way, what: &str| format!("churn, {threads} threads, {}: {what}", way.name());
    let added = |runs: &[Run]| Amount::Time(added(plain, runs) / to_u32(threads * operations));
    let target = |runs: &[Run]| Amount::Time(median(runs.iter().map(|run| run.target)));
    let all = |runs: &[Run]| Amount::Time(median(runs.iter().map(|run| run.all.cpu)));
    let wall = |runs: &[Run]| Amount::Time(median(runs.iter().map(|run| run.all.wall)));
    let grown = |runs: &[Run]| Amount::Bytes(grown(plain, runs));
    let bar = Amount::Time(bars::RECORDED_OPERATION);
    let room = Amount::Bytes(bars::RECORDER_BYTES);
    vec![
        Row::against(&of(Way::Exact, "cpu added to an operation, against the bar"), added(exact), bar, 1.0),
        Row::beside(
            &of(Way::Exact, "cpu added to an operation, beside heaptrack"),
            added(exact),
            added(heaptrack),
        ),
        Row::beside(&of(Way::Exact, "cpu of the target, beside plain"), target(exact), target(plain)),
        Row::beside(
            &of(Way::Heaptrack, "cpu of the target (as `residue`), beside plain"),
            target(heaptrack),
            target(plain),
        ),
        Row::against(
            &of(Way::Exact, "cpu of all processes, against plain"),
            all(exact),
            all(plain),
            bars::RECORDING_TO_PLAIN,
        ),
        Row::beside(
            &of(Way::Heaptrack, "cpu of all processes (as `residue`), beside plain"),
            all(heaptrack),
            all(plain),
        ),
        Row::beside(&of(Way::Exact, "wall, beside plain"), wall(exact), wall(plain)),
        Row::beside(&of(Way::Heaptrack, "wall (as `residue`), beside plain"), wall(heaptrack), wall(plain)),
        Row::against(
            &of(Way::Exact, "memory of the target, rings included, against the bar"),
            grown(exact),
            room,
            1.0,
        ),
        Row::beside(
            &of(Way::Exact, "memory of the target, beside heaptrack"),
            grown(exact),
            grown(heaptrack),
        ),
        Row::against(
            &of(Way::Sampled, "cpu of the target, against plain"),
            target(sampled),
            target(plain),
            bars::SAMPLED_TO_PLAIN,
        ),
        Row::beside(&of(Way::Sampled, "cpu of all processes, beside plain"), all(sampled), all(plain)),
    ]
}

/// Of each pair of runs by itself: what the machine did meanwhile hit both.
fn added(plain: &[Run], recorded: &[Run]) -> Duration {
    median(plain.iter().zip(recorded).map(|(plain, recorded)| recorded.target.saturating_sub(plain.target)))
}

fn grown(plain: &[Run], recorded: &[Run]) -> u64 {
    let pairs = plain.iter().zip(recorded);
    median(pairs.map(|(plain, recorded)| recorded.target_peak.saturating_sub(plain.target_peak)))
}

fn to_u32(operations: u64) -> u32 {
    u32::try_from(operations).unwrap_or(u32::MAX)
}

/// How large they are, and whether they grow with what they record.
fn recordings(churn: &Churn, operations: u64, long: bool) -> Result<Vec<Row>> {
    let theirs = churn.run(Way::Heaptrack, 1, operations)?.recording_bytes;
    let ours = churn.run(Way::Exact, 1, operations)?.recording_bytes;
    let of =
        |operations: u64, what: &str| format!("recording of {} M operations: {what}", operations / 1_000_000);
    let mut rows = vec![
        Row::against(
            &of(operations, "size, against the bar"),
            Amount::Bytes(ours),
            Amount::Bytes(bars::RECORDING_BYTES),
            1.0,
        ),
        Row::beside(&of(operations, "size, beside heaptrack"), Amount::Bytes(ours), Amount::Bytes(theirs)),
    ];
    if long {
        let more = 100 * operations;
        eprintln!("{} M operations are recorded", more / 1_000_000);
        let larger = churn.run(Way::Exact, 1, more)?.recording_bytes;
        let what = of(more, "size, against that of the shorter one");
        rows.push(Row::against(&what, Amount::Bytes(larger), Amount::Bytes(ours), bars::LONG_RECORDING));
    }
    Ok(rows)
}

/// A report names the code of a large program with all of its debug information: Residue itself, as it is when it is being
/// worked on. What the system holds of that file is let go before.
fn report(churn: &Churn) -> Result<Row> {
    let residue = &churn.bench.residue;
    let large = debug_binary()?;
    let file = churn.scratch.file("large.recording");
    silent(&[residue, "record", "-o", &file, "--", &large, "ps"])?;
    let mut walls = Vec::new();
    for round in 0..churn.bench.runs {
        forget(&large)?;
        walls.push(churn.bench.meter.measure_one(&[residue.clone(), "report".into(), file.clone()])?.wall);
        eprintln!("report {} of {}", round + 1, churn.bench.runs);
    }
    let mib = fs::metadata(&large)?.len() >> 20;
    let what = format!("report with the symbols of a binary of {mib} MiB, cold: wall, against the bar");
    Ok(Row::against(&what, Amount::Time(median(walls.into_iter())), Amount::Time(bars::REPORT), 1.0))
}

fn forget(file: &str) -> Result<()> {
    silent(&["dd", &format!("if={file}"), "iflag=nocache", "count=0"])
}
