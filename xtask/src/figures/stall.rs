//! How long a target waits for its reader: it times its own mmap and munmap while it is read.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use residue_testkit::{Facts, Program, Running};

use super::row::{Amount, Row};
use super::{Bench, bars};

/// A reader reads this often.
const EVERY: Duration = Duration::from_millis(100);

pub(super) fn measure(bench: &Bench, mib: u32, seconds: u64) -> Result<Vec<Row>> {
    eprintln!("a process of one region of {mib} MiB comes up");
    let mut target = Program::build("stall").flag("-O2").spawn(&[&format!("mib={mib}")]);
    let pid = target.pid().to_string();
    let time = Duration::from_secs(seconds);
    let rollup_path = format!("/proc/{pid}/smaps_rollup");
    let filter = format!("pid={pid}");

    let calm = watch(&mut target, time, None)?;
    let rollup = watch(&mut target, time, Some(&["cat", &rollup_path]))?;
    let ps = watch(&mut target, time, Some(&[&bench.residue, "ps", "--filter", &filter]))?;
    let map = watch(&mut target, time, Some(&[&bench.residue, "map", &pid, "--json"]))?;

    let of = |what: &str, part: &str| format!("{mib} MiB region: {part} wait of its process, {what}");
    let mut rows = Vec::new();
    for (what, facts) in [("ps", &ps), ("map --json", &map)] {
        let (ours, theirs) = (nanos(facts, "max_ns"), nanos(&rollup, "max_ns"));
        rows.push(Row::against(&of(what, "worst"), ours, theirs, bars::STALL_TO_ROLLUP));
        rows.push(Row::beside(&of(what, "p99.9"), nanos(facts, "p999_ns"), nanos(&rollup, "p999_ns")));
        rows.push(Row::beside(&of(what, "sum of long"), nanos(facts, "lost_ns"), nanos(&rollup, "lost_ns")));
    }
    for (part, name) in [("worst", "max_ns"), ("p99.9", "p999_ns"), ("sum of long", "lost_ns")] {
        rows.push(Row::beside(&of("nobody reads", part), nanos(&calm, name), nanos(&rollup, name)));
    }
    Ok(rows)
}

/// What the target timed while `reader` ran every 100 ms.
fn watch(target: &mut Running, time: Duration, reader: Option<&[&str]>) -> Result<Facts> {
    eprintln!("{} s of {}", time.as_secs(), reader.map_or("nobody".to_owned(), |words| words.join(" ")));
    let _ = target.ask("forget what was before");
    let begin = Instant::now();
    let mut next = EVERY;
    while begin.elapsed() < time {
        if let Some(words) = reader {
            read(words)?;
        }
        sleep(next.saturating_sub(begin.elapsed()));
        // A reader that takes longer than its turn does not catch up with two at once.
        next = next.max(begin.elapsed()) + EVERY;
    }
    Ok(target.ask("report"))
}

fn read(words: &[&str]) -> Result<()> {
    let mut command = Command::new(words[0]);
    let silent = command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = silent.status().with_context(|| format!("failed to start {}", words[0]))?;
    ensure!(status.success(), "`{}` ended with {status}", words.join(" "));
    Ok(())
}

fn nanos(facts: &Facts, name: &str) -> Amount {
    Amount::Time(Duration::from_nanos(facts.number(name)))
}
