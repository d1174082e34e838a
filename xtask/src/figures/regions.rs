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
    let of = |what: &str| format!("{count} regions: {what}, reading smaps");
    let wall = |cost: Cost| Amount::Time(cost.wall);
    let beside = |what: &str, cost: Cost| {
        let peak = |cost: Cost| Amount::Bytes(cost.peak_bytes);
        [
            Row::beside(&of(&format!("{what}, cpu")), Amount::Time(cost.cpu), Amount::Time(reading.cpu)),
            Row::beside(&of(&format!("{what}, peak memory")), peak(cost), peak(reading)),
        ]
    };
    let mut rows = vec![Row::against(&of("map, wall"), wall(text), wall(reading), bars::MAP_TO_READING)];
    rows.extend(beside("map", text));
    rows.push(Row::beside(&of("map --json, wall"), wall(json), wall(reading)));
    rows.extend(beside("map --json", json));
    Ok(rows)
}
