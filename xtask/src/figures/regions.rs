//! One process of many regions: what the picture of it costs beside the reading that nobody can save.

use anyhow::{Context, Result};
use residue_testkit::Program;

use super::meter::{Cost, command};
use super::row::{Amount, Row};
use super::{Bench, bars};

pub(super) fn measure(bench: &Bench, count: u32) -> Result<Vec<Row>> {
    eprintln!("a process of {count} regions comes up");
    let program = Program::build("regions").spawn(&[&format!("count={count}")]);
    let reader = Program::build("reader").flag("-O2").path().context("failed to build the reader")?;
    let (reader, pid) = (reader.display().to_string(), program.pid().to_string());
    let smaps = format!("/proc/{pid}/smaps");
    let costs = bench.meter.race(
        bench.runs,
        &[
            command(&[&bench.residue, "map", &pid, "--json"]),
            command(&[&bench.residue, "map", &pid]),
            command(&[&reader, &smaps]),
        ],
    )?;
    let [json, text, reading] = costs[..] else { unreachable!("as many costs as contenders") };
    let rows = |what: &str, cost: Cost, bar| {
        let of = |part: &str| format!("{count} regions: {what}, {part}, reading smaps");
        [
            Row::against(&of("cpu"), Amount::Time(cost.cpu), Amount::Time(reading.cpu), bar),
            Row::beside(&of("wall"), Amount::Time(cost.wall), Amount::Time(reading.wall)),
            Row::beside(
                &of("peak memory"),
                Amount::Bytes(cost.peak_bytes),
                Amount::Bytes(reading.peak_bytes),
            ),
        ]
    };
    let mut all = Vec::from(rows("map --json", json, bars::MAP_JSON_TO_READING));
    all.extend(rows("map", text, bars::MAP_TO_READING));
    Ok(all)
}
