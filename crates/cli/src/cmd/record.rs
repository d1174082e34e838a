use std::io::{self, IsTerminal, Write};

use residue::model::recording::End;
use residue::report::units;
use residue::{
    Interrupt, RecordPlan, RecordProgress, Recorded, RecordedFile, Signals, Top, printable, record,
};

use crate::arguments::RecordArgs;
use crate::exit::Exit;
use crate::trouble::Trouble;

/// So many files are listed.
const LISTED: usize = 10;

/// `residue record`: who allocates what, in a program that is started for it.
pub(crate) fn run(args: &RecordArgs) -> Result<Exit, Trouble> {
    // Before ours are set.
    let signals = Signals::now();
    let interrupt = listen()?;
    let plan = RecordPlan {
        command: args.command.clone(),
        output: args.output.clone(),
        sample: args.sample.filter(|sample| sample.0 > 0),
        children: !args.no_children,
        lost: !args.no_lost,
        most_frames: args.max_frames,
        signals,
    };
    let mut line = StatusLine::new();
    let recorded = record(&plan, &mut |progress| line.show(progress), &interrupt);
    line.clear();
    let recorded = recorded?;
    tell(&recorded, &args.command[0].to_string_lossy());
    Ok(match recorded {
        Recorded { is_interrupted: true, .. } => Exit::Interrupted,
        Recorded { programs: 0, .. } => Exit::Failed,
        _ => Exit::Done,
    })
}

/// Ctrl-C is for the program as well: each one is counted, and none ends this process before the files are written.
fn listen() -> Result<Interrupt, Trouble> {
    let (interrupter, interrupt) = Interrupt::new();
    ctrlc::set_handler(move || interrupter.interrupt())
        .map_err(|error| Trouble::own("cannot listen for Ctrl-C", &io::Error::other(error)))?;
    Ok(interrupt)
}

/// What came of it, on stderr: the program's own output is on stdout.
fn tell(recorded: &Recorded, command: &str) {
    let command = printable(command.as_bytes());
    match recorded.end {
        Some(End::Exited(0)) => {}
        Some(End::Exited(code)) => eprintln!("{command} ended with exit code {code}"),
        Some(End::Killed(signal)) => eprintln!("{command} was ended by signal {signal}"),
        _ => eprintln!("{command} runs on; it is recorded no more"),
    }
    if recorded.programs == 0 {
        eprintln!("error: nothing was recorded");
        eprintln!(
            "  cause: the recorder was not loaded into {command}, or found no room for what it has to say"
        );
        eprintln!(
            "  help: look above for what the loader says; a program that becomes another user needs root"
        );
    }
    for gap in &recorded.gaps {
        eprintln!("not seen: {}: {}", gap.what, gap.why);
    }
    let mut files: Vec<&RecordedFile> = recorded.files.iter().collect();
    files.sort_by_key(|file| (!file.is_first, std::cmp::Reverse(file.events)));
    for file in files.iter().take(LISTED) {
        let events = units::count(file.events);
        eprintln!("wrote {} (process {}, {events} events)", file.path.display(), file.pid);
    }
    if files.len() > LISTED {
        eprintln!("wrote {} more", files.len() - LISTED);
    }
    match files.first() {
        Some(file) => eprintln!("next: residue report {}", file.path.display()),
        None if recorded.programs > 0 => eprintln!("nothing was allocated: no file was written"),
        None => {}
    }
}

/// A line that is written over, on a terminal only.
struct StatusLine {
    is_terminal: bool,
    is_shown: bool,
}

impl StatusLine {
    fn new() -> StatusLine {
        StatusLine { is_terminal: io::stderr().is_terminal(), is_shown: false }
    }

    fn show(&mut self, progress: &RecordProgress) {
        if !self.is_terminal {
            return;
        }
        let top = progress.top.as_ref().map_or(String::new(), |top| format!(", most: {}", place(top)));
        let waited = match progress.waited.as_millis() {
            0..100 => String::new(),
            _ => format!(", the program waited {}", units::duration(progress.waited.as_secs_f64())),
        };
        let text = format!(
            "{} events, {} live{top}, recording takes {:.0} % of a core{waited}",
            units::count(progress.events),
            units::size(progress.live),
            progress.cost * 100.0
        );
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        // A terminal that is gone has nobody to tell.
        let _ = write!(io::stderr(), "\r\x1b[2K{text}\r");
        self.is_shown = true;
    }

    fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

/// The code that holds most, before anything has looked for its name.
fn place(top: &Top) -> String {
    let module = top.module.rsplit('/').next().unwrap_or_default();
    format!("{module}+{:#x} {}", top.address, units::size(top.live))
}
