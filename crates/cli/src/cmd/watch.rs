use std::io::Write;

use residue::analysis::Watched;
use residue::analysis::growth::VerdictKind;
use residue::report::{json, terminal};
use residue::{Plan, Progress, watch};

use crate::arguments::WatchArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::trouble::Trouble;

/// `residue watch`: growth live, and a first verdict.
pub(crate) fn run(args: &WatchArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (interrupter, interrupt) = super::interrupt()?;
    let plan = Plan { span: args.span, interval: args.interval };
    let several = args.targets.len() > 1;
    let screen = output.screen;
    let name = |target: &String| several.then(|| target.clone());
    let mut lines: Vec<_> =
        args.targets.iter().map(|target| terminal::WatchLines::new(screen, name(target))).collect();
    let mut failure = None;
    let mut headed = false;
    let (watched, gaps) = watch(&args.targets, &plan, &interrupt, |progress| {
        let Progress::Sample(index, sample) = progress else { return };
        if output.json || failure.is_some() {
            return;
        }
        let heading = if headed { Ok(()) } else { lines[index].header(&mut output.out, sample) };
        headed = true;
        // Lines come as they are read, also into a pipe.
        let written = heading
            .and_then(|()| lines[index].sample(&mut output.out, sample))
            .and_then(|()| Ok(output.out.flush()?));
        if let Err(error) = written {
            failure = Some(error);
            interrupter.interrupt();
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    if output.json {
        json::watch(&mut output.out, &watched, &gaps)?;
    } else {
        for one in &watched {
            writeln!(output.out)?;
            terminal::watched(&mut output.out, screen, one, several)?;
        }
        terminal::gaps(&mut output.out, screen, &gaps)?;
    }
    let is_leak = |one: &Watched| one.verdict.kind == VerdictKind::LikelyLeak;
    Ok(match args.fail_on {
        Some(_) if watched.iter().any(is_leak) => Exit::Found,
        _ if interrupt.is_set() => Exit::Interrupted,
        _ => Exit::Done,
    })
}
