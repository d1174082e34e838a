//! A host of many processes: who shows all of them for the least.

use anyhow::Result;
use residue_testkit::Program;

use super::meter::{Contender, command};
use super::row::{Amount, Row};
use super::{Bench, bars};

/// pmap takes at most 255 PIDs.
const BATCH: usize = 200;

pub(super) fn measure(bench: &Bench, count: u32) -> Result<Vec<Row>> {
    eprintln!("a crowd of {count} processes comes up");
    let mut crowd = Program::build("crowd").spawn(&[&format!("count={count}")]);
    let pids: Vec<String> = crowd.ask("pids").text("pids").split(',').map(str::to_owned).collect();
    let costs = bench.meter.race(
        bench.runs,
        &[
            command(&[&bench.residue, "ps", "--columns", "pid,uss,pss,rss,swap,vss"]),
            command(&["smem", "-c", "pid uss pss rss swap vss"]),
            command(&["ps", "-eo", "pid,rss,vsz,pss,uss"]),
            command(&[&bench.residue, "ps", "--by", "mapping"]),
            pmap(&pids),
        ],
    )?;
    let [table, smem, ps, mapping, pmap] = costs[..] else { unreachable!("as many costs as contenders") };
    let cpu = |cost: super::meter::Cost| Amount::Time(cost.cpu);
    let peak = |cost: super::meter::Cost| Amount::Bytes(cost.peak_bytes);
    let of = |what: &str| format!("{count} processes: {what}");
    Ok(vec![
        Row::against(&of("PSS table, cpu, smem"), cpu(table), cpu(smem), bars::PS_TO_SMEM),
        Row::against(&of("PSS table, cpu, ps -eo pss,uss"), cpu(table), cpu(ps), bars::PS_TO_PS),
        Row::beside(&of("PSS table, wall, smem"), Amount::Time(table.wall), Amount::Time(smem.wall)),
        Row::against(&of("PSS table, peak memory, smem"), peak(table), peak(smem), bars::PS_PEAK_TO_SMEM),
        Row::beside(&of("PSS table, peak memory, ps"), peak(table), peak(ps)),
        Row::against(&of("by mapping, cpu, pmap -X"), cpu(mapping), cpu(pmap), bars::MAPPING_TO_PMAP),
        Row::beside(&of("by mapping, peak memory, pmap -X"), peak(mapping), peak(pmap)),
    ])
}

fn pmap(pids: &[String]) -> Contender {
    let head = ["pmap".to_owned(), "-X".to_owned()];
    pids.chunks(BATCH).map(|batch| [&head[..], batch].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pmap_is_asked_in_batches_that_it_takes() {
        let pids: Vec<String> = (1..=450).map(|pid: u32| pid.to_string()).collect();

        let lengths: Vec<usize> = pmap(&pids).iter().map(Vec::len).collect();

        assert_eq!(lengths, [202, 202, 52]);
    }
}
