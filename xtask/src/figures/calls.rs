//! What a service pays that asks again and again: the fold of an address space, and a whole call through the library.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use residue_testkit::Facts;

use super::row::{Amount, Row};
use super::{Bench, bars};
use crate::place;
use crate::shell::{self, cargo, output};

/// Regions that the watched process has besides those of every program.
const REGIONS: &str = "170";
/// Seconds that each run calls.
const SECONDS: &str = "2";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = folds()?;
    let program = program()?;
    let held = Held::start(&program)?;
    rows.push(call(bench, &program, &held.pid, "another process")?);
    rows.push(call(bench, &program, "self", "the own process")?);
    Ok(rows)
}

/// Our own cost a region, for address spaces of three sizes: what is not the system's.
fn folds() -> Result<Vec<Row>> {
    let told =
        output(&mut cargo(&["run", "--release", "--package", "residue-analysis", "--example", "outline"]))?;
    let row = |line: &str| {
        let facts = Facts::of(&format!("fold {line}"));
        let took = Duration::from_secs_f64(facts.decimal("ns") * 1e-9);
        let what = format!("fold {} regions, time a region", facts.number("regions"));
        Row::against(&what, Amount::Time(took), Amount::Time(bars::FOLD_A_REGION), 1.0)
    };
    Ok(told.lines().map(row).collect())
}

/// The median of several runs, each the mean of some twenty thousand calls.
fn call(bench: &Bench, program: &str, who: &str, whose: &str) -> Result<Row> {
    let mut runs = Vec::new();
    let mut regions = String::new();
    for _ in 0..bench.runs {
        let told = output(started(program).args([who, "0", SECONDS]))?;
        let mut words = told.split_ascii_whitespace();
        let rate: f64 = words.next().and_then(|word| word.parse().ok()).context("it tells no rate")?;
        ensure!(rate > 0.0, "it made no call");
        words.nth(2).unwrap_or_default().clone_into(&mut regions);
        runs.push(Duration::from_secs_f64(1.0 / rate));
    }
    runs.sort_unstable();
    let what = format!("C: counters and the 10 largest free ranges of {whose}, {regions} regions, a call");
    let median = runs[runs.len() / 2];
    Ok(Row::against(&what, Amount::Time(median), Amount::Time(bars::CALL), 1.0))
}

/// The program in C that calls, linked with the library as it is released.
fn program() -> Result<String> {
    shell::run(&mut cargo(&["build", "--release", "--package", "residue-capi"]))?;
    let (crates, release) = (place::root().join("crates/capi"), place::target().join("release"));
    let program = release.join("residue-speed");
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-o"]).arg(&program).arg(crates.join("tests/c/speed.c"));
    compile.arg("-I").arg(crates.join("include")).arg("-L").arg(&release).arg("-lresidue");
    compile.arg(format!("-Wl,-rpath,{}", release.display()));
    shell::run(&mut compile)?;
    Ok(program.display().to_string())
}

/// The program, to be started. What `cargo run` has its children find first is the library without optimisation.
fn started(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// A process that holds its regions and does nothing.
struct Held {
    child: Child,
    pid: String,
}

impl Held {
    fn start(program: &str) -> Result<Self> {
        let mut child = started(program)
            .args(["hold", REGIONS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the process that is watched")?;
        let output = child.stdout.take().context("its output was asked for")?;
        let mut pid = String::new();
        BufReader::new(output).read_line(&mut pid).context("it does not say its pid")?;
        Ok(Self { child, pid: pid.trim().to_owned() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
