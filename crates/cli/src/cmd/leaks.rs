use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use residue::analysis::examined::LeakReport;
use residue::analysis::leaks::EarlierRecord;
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
    let since = args.since.as_deref().map(read_earlier).transpose()?;
    let mut report = look(&*target, args, since, &interrupt)?;
    show(args, output, &report)?;
    while let Some(time) = args.every {
        if interrupt.wait(time) {
            return Ok(Exit::Interrupted);
        }
        let before = report.records.iter().map(EarlierRecord::of).collect();
        report = look(&*target, args, Some(before), &interrupt)?;
        if !output.json {
            writeln!(output.out)?;
        }
        show(args, output, &report)?;
    }
    if report.interrupted {
        return Ok(Exit::Interrupted);
    }
    Ok(match args.fail_on {
        Some(LossFailOn::Leak) if report.totals.is_none() => Exit::Failed,
        Some(LossFailOn::Leak) if report.has_leak() => Exit::Found,
        _ => Exit::Done,
    })
}

fn look(
    target: &dyn Target,
    args: &LeaksArgs,
    since: Option<Vec<EarlierRecord>>,
    interrupt: &Interrupt,
) -> Result<LeakReport, Trouble> {
    let watching = Watching::new();
    let examination = examine(target, &args.still, &watching)?;
    let plan = LeakPlan { since, ..plan(&args.rules) };
    Ok(leaks(&examination, &plan, interrupt, &mut |progress| watching.tell(progress)))
}

fn show(args: &LeaksArgs, output: &mut Output, report: &LeakReport) -> Result<(), Trouble> {
    let Output { out, screen, .. } = output;
    if output.json {
        json::leaks(out, report, if args.all_addresses { usize::MAX } else { ADDRESSES })?;
    } else {
        let changes = args.changes.changes();
        let view = LeakView { limit: args.limit, all_addresses: args.all_addresses, changes };
        terminal::leaks(out, *screen, report, view)?;
    }
    Ok(output.out.flush()?)
}

/// What is looked for, as the options say.
pub(super) fn plan(rules: &LeakRules) -> LeakPlan {
    let mut plan = LeakPlan { kinds: rules.kinds.0.clone(), min_size: rules.min_size, ..LeakPlan::default() };
    plan.rules.heuristics = rules.heuristics;
    plan.rules.tagged = rules.tagged;
    plan
}

fn read_earlier(path: &Path) -> Result<Vec<EarlierRecord>, Trouble> {
    let file = File::open(path).map_err(|error| Trouble::reading(path, &error))?;
    json::read_leaks(BufReader::new(file)).map_err(|error| {
        Trouble::reading(path, &std::io::Error::other(error))
            .help("save one with: residue leaks PID --json > FILE")
    })
}
