use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use residue::analysis::examined::LeakReport;
use residue::analysis::leaks::{Asked, EarlierRecord, EarlierRun};
use residue::report::terminal::LeakView;
use residue::report::{json, terminal};
use residue::{Interrupt, LeakPlan, Options, Target, leaks};

use super::examined::{Watching, examine};
use crate::arguments::{LeakRules, LeaksArgs, LossFailOn};
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// Addresses of a record in a document, unless all are wanted.
const ADDRESSES: usize = 100;

/// `residue leaks`: who can no longer be reached.
pub(crate) fn run(args: &LeaksArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (_, interrupt) = super::interrupt()?;
    let target = super::open(&args.target.word, &Options::default())?;
    if args.every.is_some() && target.is_dump() {
        return Err(Trouble::usage(
            "--every looks at a running process again and again",
            "leave it out for a dump",
        ));
    }
    let asked = asked(&args.rules);
    let mut since = args.since.as_deref().map(|path| read_earlier(path, &asked)).transpose()?;
    loop {
        let report = look(&*target, args, since.as_ref(), &interrupt)?;
        let gone = since.as_ref().map_or_else(Vec::new, |since| match report.totals {
            Some(_) => since.gone(&asked, &report.records),
            None => Vec::new(),
        });
        show(args, output, &report, &asked, &gone)?;
        if report.interrupted {
            return Ok(Exit::Interrupted);
        }
        if args.fail_on == Some(LossFailOn::Leak) && report.has_leak() {
            return Ok(Exit::Found);
        }
        let Some(time) = args.every else {
            let is_blind = args.fail_on.is_some() && report.totals.is_none();
            return Ok(if is_blind { Exit::Failed } else { Exit::Done });
        };
        if interrupt.wait(time) {
            return Ok(Exit::Interrupted);
        }
        // Against a round that saw no heap, all would look new.
        if report.totals.is_some() {
            since = Some(EarlierRun::of(&asked, &report.records));
        }
        if !output.json {
            writeln!(output.out)?;
        }
    }
}

fn look(
    target: &dyn Target,
    args: &LeaksArgs,
    since: Option<&EarlierRun>,
    interrupt: &Interrupt,
) -> Result<LeakReport, Trouble> {
    let watching = Watching::new();
    let examination = examine(target, &args.still, &watching)?;
    let records = since.map(|since| since.records.clone());
    let plan = LeakPlan { since: records, ..plan(&args.rules) };
    let mut report = leaks(&examination, &plan, interrupt, &mut |progress| watching.tell(progress));
    if let Some(since) = since {
        since.forget_unasked(&mut report.records);
    }
    Ok(report)
}

fn show(
    args: &LeaksArgs,
    output: &mut Output,
    report: &LeakReport,
    asked: &Asked,
    gone: &[EarlierRecord],
) -> Result<(), Trouble> {
    let Output { out, screen, .. } = output;
    if output.json {
        let addresses = if args.all_addresses { usize::MAX } else { ADDRESSES };
        json::leaks(out, report, asked, gone, addresses)?;
    } else {
        let changes = args.changes.changes();
        let view = LeakView { limit: args.limit, all_addresses: args.all_addresses, changes, asked, gone };
        terminal::leaks(out, *screen, report, view)?;
    }
    Ok(output.out.flush()?)
}

fn asked(rules: &LeakRules) -> Asked {
    Asked {
        kinds: rules.kinds.0.clone(),
        min_size: rules.min_size,
        heuristics: rules.heuristics,
        tagged: rules.tagged,
    }
}

/// What is looked for, as the options say.
pub(super) fn plan(rules: &LeakRules) -> LeakPlan {
    let mut plan = LeakPlan { kinds: rules.kinds.0.clone(), min_size: rules.min_size, ..LeakPlan::default() };
    plan.rules.heuristics = rules.heuristics;
    plan.rules.tagged = rules.tagged;
    plan
}

fn read_earlier(path: &Path, asked: &Asked) -> Result<EarlierRun, Trouble> {
    let file = File::open(path).map_err(|error| Trouble::reading(path, &error))?;
    let earlier = json::read_leaks(BufReader::new(file)).map_err(|error| {
        Trouble::reading(path, &std::io::Error::other(error))
            .help("save one with: residue leaks PID --json > FILE")
    })?;
    let other = earlier.asked.as_ref().map_or_else(Vec::new, |earlier| others(earlier, asked));
    if other.is_empty() {
        return Ok(earlier);
    }
    Err(Trouble::usage(
        format!("{} was saved with another {}", path.display(), other.join(" and ")),
        "give the options of that run: it has them as min_size, heuristics and tagged",
    ))
}

/// Options that make other records of the same blocks: what differs then is no change of the process.
fn others(earlier: &Asked, asked: &Asked) -> Vec<&'static str> {
    let differ = [
        (earlier.min_size != asked.min_size, "--min-size"),
        (earlier.heuristics != asked.heuristics, "--heuristics"),
        (earlier.tagged != asked.tagged, "--tagged"),
    ];
    differ.into_iter().filter(|(differs, _)| *differs).map(|(_, option)| option).collect()
}
