use std::time::Duration;

use residue::analysis::growth::VerdictKind;
use residue::analysis::{Diagnosis, Severity};
use residue::report::{html, json, terminal};
use residue::{Interrupt, Plan, Progress, Target, triage};

use crate::arguments::{FailOn, TriageArgs};
use crate::exit::Exit;
use crate::output::{Output, write_file};
use crate::progress::{Bar, Spinner};
use crate::trouble::Trouble;

const SPAN: Duration = Duration::from_secs(30);
#[cfg(any(target_os = "linux", windows))]
const DEMO_SPAN: Duration = Duration::from_secs(12);

/// `residue triage`: the whole diagnosis on one page.
pub(crate) fn run(args: &TriageArgs, output: &mut Output) -> Result<Exit, Trouble> {
    let (_, interrupt) = super::interrupt()?;
    let diagnosis = match &args.target {
        Some(target) => diagnose(target, args, SPAN, &interrupt)?,
        None => demo(args, &interrupt)?,
    };
    show(args, output, &diagnosis)?;
    Ok(match args.fail_on {
        Some(what) if matches(what, &diagnosis) => Exit::Found,
        _ if interrupt.is_set() => Exit::Interrupted,
        _ => Exit::Done,
    })
}

fn diagnose(
    target: &str,
    args: &TriageArgs,
    span: Duration,
    interrupt: &Interrupt,
) -> Result<Diagnosis, Trouble> {
    let opened = super::open(target, &args.care.options())?;
    if opened.is_dump() {
        return autopsy(&*opened, interrupt);
    }
    watched(&*opened, target, args.span.unwrap_or(span), interrupt)
}

/// A small leaking process of our own, watched and ended.
#[cfg(any(target_os = "linux", windows))]
fn demo(args: &TriageArgs, interrupt: &Interrupt) -> Result<Diagnosis, Trouble> {
    let demo = super::demo::Demo::start()?;
    let mut diagnosis = diagnose(&demo.pid().to_string(), args, DEMO_SPAN, interrupt)?;
    demo.stop(&mut diagnosis);
    Ok(diagnosis)
}

#[cfg(not(any(target_os = "linux", windows)))]
fn demo(_: &TriageArgs, _: &Interrupt) -> Result<Diagnosis, Trouble> {
    Err(Trouble::target("the demo watches a process, which works on Linux and Windows only", "give a dump"))
}

fn watched(
    target: &dyn Target,
    word: &str,
    span: Duration,
    interrupt: &Interrupt,
) -> Result<Diagnosis, Trouble> {
    let plan = Plan { span: Some(span), interval: None };
    let bar = bar(word, span).shown();
    Ok(triage(target, &plan, interrupt, |progress| {
        if let Progress::Round(elapsed) = progress {
            bar.set(elapsed.min(span).as_millis().try_into().unwrap_or(u64::MAX));
        }
    })?)
}

fn autopsy(target: &dyn Target, interrupt: &Interrupt) -> Result<Diagnosis, Trouble> {
    let _spinner = Spinner::new("looking into the dump, Ctrl-C ends the counting");
    Ok(triage(target, &Plan::default(), interrupt, |_| {})?)
}

fn bar(target: &str, span: Duration) -> Bar {
    let length = span.as_millis().try_into().unwrap_or(u64::MAX);
    let template = format!(
        "watching {} {{bar:30}} {{eta}} left, Ctrl-C ends and judges",
        target.replace(['{', '}'], "")
    );
    Bar::new(length, &template)
}

fn show(args: &TriageArgs, output: &mut Output, diagnosis: &Diagnosis) -> Result<(), Trouble> {
    if let Some(path) = &args.html {
        write_file(path, html::triage(diagnosis)?.as_bytes())?;
    }
    if output.json {
        json::triage(&mut output.out, diagnosis)?;
    } else {
        terminal::triage(&mut output.out, output.screen, diagnosis)?;
    }
    Ok(())
}

fn matches(what: FailOn, diagnosis: &Diagnosis) -> bool {
    let worst = diagnosis.findings.iter().map(|finding| finding.severity).min();
    match what {
        FailOn::Leak => {
            diagnosis.watched.as_ref().is_some_and(|watched| watched.verdict.kind == VerdictKind::LikelyLeak)
        }
        FailOn::Critical => worst == Some(Severity::Critical),
        FailOn::Warning => worst.is_some_and(|worst| worst <= Severity::Warning),
    }
}
