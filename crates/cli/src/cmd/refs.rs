use residue::report::{json, terminal};
use residue::{Options, refs};

use super::examined::{Watching, examine};
use crate::arguments::RefsArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// `residue refs`: who points somewhere.
pub(crate) fn run(args: &RefsArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (_, interrupt) = super::interrupt()?;
    let address = super::address(&args.address)?;
    let target = super::open(&args.target.word, &Options::default())?;
    let watching = Watching::new();
    let examination = examine(&*target, &args.still, &watching)?;
    let mut tell = |progress| watching.tell(progress);
    let report = refs(&examination, address, args.length, args.to_root, &interrupt, &mut tell);
    drop(watching);
    let Output { out, screen, .. } = output;
    if output.json {
        json::refs(out, &report)?;
    } else {
        terminal::refs(out, *screen, &report, args.limit)?;
    }
    Ok(if report.interrupted { Exit::Interrupted } else { Exit::Done })
}
