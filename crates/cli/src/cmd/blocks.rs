use residue::report::{json, terminal};
use residue::{Options, blocks_of, leaks};

use super::examined::{Watching, examine};
use super::leaks::plan;
use crate::arguments::BlocksArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// `residue blocks`: the blocks of a leak record.
pub(crate) fn run(args: &BlocksArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (_, interrupt) = super::interrupt()?;
    let target = super::open(&args.target.word, &Options::default())?;
    let watching = Watching::new();
    let examination = examine(&*target, &args.still, &watching)?;
    let report = leaks(&examination, &plan(&args.rules), &interrupt, &mut |progress| watching.tell(progress));
    if report.interrupted {
        return Ok(Exit::Interrupted);
    }
    let Some(found) = blocks_of(&examination, &report, args.record) else {
        let what = match report.records.len() {
            0 => format!("{} has no leak records", args.target.word),
            count => format!("{} has no record {}: they go from 1 to {count}", args.target.word, args.record),
        };
        return Err(Trouble::target(what, format!("see them with: residue leaks {}", args.target.word)));
    };
    drop(watching);
    let Output { out, screen, .. } = output;
    if output.json {
        json::blocks(out, &found)?;
    } else {
        terminal::blocks(out, *screen, &found, args.limit)?;
    }
    Ok(Exit::Done)
}
