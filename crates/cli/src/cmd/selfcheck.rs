use std::io::Write;

use residue::{Outcome, Selfcheck, selfcheck};

use crate::arguments::SelfcheckArgs;
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::trouble::Trouble;

/// `residue selfcheck`: what the calls of Windows say, compared with each other.
pub(crate) fn run(args: &SelfcheckArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let found = selfcheck(args.target.as_deref())?;
    let document = document(&found)?;
    if let Some(path) = &args.output {
        write_file(path, &document)?;
    }
    if output.json {
        output.out.write_all(&document)?;
    } else {
        show(&found, output)?;
        if args.output.is_some() {
            writeln!(
                output.out,
                "\nthe recording names your account, the program's command line and its libraries"
            )?;
        }
    }
    Ok(if found.holds() { Exit::Done } else { Exit::Failed })
}

fn document(found: &Selfcheck) -> Result<Vec<u8>, Trouble> {
    let mut document = residue::report::json::document(found)?;
    document.push(b'\n');
    Ok(document)
}

fn show(found: &Selfcheck, output: &mut Output) -> Result<(), Trouble> {
    let Output { out, screen, .. } = output;
    let who = &found.target;
    writeln!(
        out,
        "Residue {} on Windows {}, looking at {} ({})",
        found.residue,
        found.observation.system.shown(),
        who.pid,
        who.name
    )?;
    for check in &found.checks {
        let word = match check.outcome {
            Outcome::Pass => "pass     ",
            Outcome::Fail => "FAIL     ",
            Outcome::NotGiven => "not given",
        };
        writeln!(out, "  {word}  {}", check.what)?;
        if !check.detail.is_empty() {
            writeln!(out, "             {}", check.detail)?;
        }
    }
    Ok(residue::report::terminal::gaps(out, *screen, &found.gaps)?)
}
