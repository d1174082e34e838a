use std::path::Path;

use residue::analysis::recorded::{Comparison, Flame, Measure, Recorded};
use residue::model::Recording;
use residue::report::terminal::RecordedView;
use residue::report::{collapsed, dhat, flamegraph, html, json, massif, pprof, terminal};
use residue::{recording, sources};

use crate::arguments::{ExportArgs, RecordedFailOn, ReportArgs, Sort, Weight};
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::trouble::Trouble;

/// Sites of a section, unless more are asked for.
const SITES: usize = 5;
/// Sites of a single list.
const LIST: usize = 20;

/// `residue report`: what a recording tells.
pub(crate) fn run(args: &ReportArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let question = args.question();
    let recorded = Recorded::of(&recording(&args.file)?, &question);
    exports(&args.exports, &recorded.recording)?;
    match &args.diff {
        Some(earlier) => {
            let earlier = Recorded::of(&recording(earlier)?, &question);
            compare(args, output, &earlier, &recorded)?;
        }
        None => show(args, output, &recorded)?,
    }
    Ok(match args.fail_on {
        Some(_) if recorded.is_blind() => Exit::Failed,
        Some(what) if matches(what, &recorded) => Exit::Found,
        _ => Exit::Done,
    })
}

fn show(args: &ReportArgs, output: &mut Output, recorded: &Recorded) -> Result<(), Trouble> {
    if let Some(path) = &args.html {
        let mut page = Vec::new();
        html::recorded(&mut page, recorded, &sources(recorded))?;
        write_file(path, &page)?;
    }
    calls(args, recorded)?;
    if output.json {
        json::recorded(&mut output.out, recorded, args.sort.map(Sort::section), args.limit, args.full)?;
    } else {
        let view = view(args, &args.file.display().to_string());
        terminal::recorded(&mut output.out, output.screen, recorded, &view)?;
    }
    Ok(())
}

/// Writes the tree of calls into files.
fn calls(args: &ReportArgs, recorded: &Recorded) -> Result<(), Trouble> {
    if args.flamegraph.is_none() && args.collapsed.is_none() {
        return Ok(());
    }
    let measure = args.measure.map_or_else(|| usual(recorded), Weight::measure);
    if measure == Measure::Temporary && recorded.is_window {
        return Err(Trouble::usage(
            "temporary blocks are only counted for the whole time",
            "leave out --from and --to, or use --measure allocated",
        ));
    }
    let flame = Flame::of(recorded, measure);
    if let Some(path) = &args.flamegraph {
        let mut picture = Vec::new();
        flamegraph::write(&mut picture, recorded, &flame, measure)?;
        write_file(path, &picture)?;
    }
    if let Some(path) = &args.collapsed {
        let mut lines = Vec::new();
        collapsed::write(&mut lines, &flame)?;
        write_file(path, &lines)?;
    }
    Ok(())
}

/// What is asked for most: who holds memory, or who asked for it where nobody holds any.
fn usual(recorded: &Recorded) -> Measure {
    let lives = Flame::of(recorded, Measure::Live).total() > 0;
    if lives { Measure::Live } else { Measure::Allocated }
}

fn compare(
    args: &ReportArgs,
    output: &mut Output,
    earlier: &Recorded,
    later: &Recorded,
) -> Result<(), Trouble> {
    let comparison = Comparison::of(earlier, later);
    if output.json {
        json::compared(&mut output.out, [earlier, later], &comparison, args.limit)?;
    } else {
        let view = view(args, &args.file.display().to_string());
        terminal::compared(&mut output.out, output.screen, [earlier, later], &comparison, &view)?;
    }
    Ok(())
}

/// Writes the files for other viewers that were asked for.
fn exports(args: &ExportArgs, recording: &Recording) -> Result<(), Trouble> {
    export(args.pprof.as_deref(), |out| pprof::write(out, recording))?;
    export(args.dhat.as_deref(), |out| dhat::write(out, recording))?;
    export(args.massif.as_deref(), |out| massif::write(out, recording))
}

fn export(
    path: Option<&Path>,
    write: impl FnOnce(&mut Vec<u8>) -> residue::report::Result<()>,
) -> Result<(), Trouble> {
    let Some(path) = path else { return Ok(()) };
    let mut content = Vec::new();
    write(&mut content)?;
    write_file(path, &content)
}

fn view(args: &ReportArgs, file: &str) -> RecordedView {
    let usual = if args.sort.is_some() || args.diff.is_some() { LIST } else { SITES };
    RecordedView {
        file: file.to_owned(),
        limit: args.limit.unwrap_or(usual),
        full: args.full,
        only: args.sort.map(Sort::section),
    }
}

fn matches(what: RecordedFailOn, recorded: &Recorded) -> bool {
    match what {
        RecordedFailOn::Leak => recorded.has_leak(),
        RecordedFailOn::Lost => recorded.has_lost(),
        RecordedFailOn::Growth => recorded.grows(),
    }
}
