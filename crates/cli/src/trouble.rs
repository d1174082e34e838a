use std::error::Error as _;
use std::io;
use std::path::Path;

use residue::{ErrorKind, printable};

use crate::exit::Exit;

/// Why a command ended early, and what the user is told.
pub(crate) struct Trouble {
    exit: Exit,
    what: String,
    causes: Vec<String>,
    help: Option<String>,
}

impl Trouble {
    /// Arguments that cannot be followed.
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Usage, what: what.into(), causes: Vec::new(), help: Some(help.into()) }
    }

    /// A target that does not hold what was asked for.
    pub(crate) fn target(what: impl Into<String>, help: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Target, what: what.into(), causes: Vec::new(), help: Some(help.into()) }
    }

    /// A file of the user's that cannot be read.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Trouble {
        let what = format!("cannot read {}", path.display());
        Trouble { exit: Exit::Target, what, causes: vec![error.to_string()], help: None }
    }

    /// A file that cannot be written.
    pub(crate) fn writing(path: &Path, error: &io::Error) -> Trouble {
        let what = format!("cannot write {}", path.display());
        Trouble { exit: Exit::Failed, what, causes: vec![error.to_string()], help: None }
    }

    /// Something of our own that did not work.
    pub(crate) fn own(what: impl Into<String>, error: &io::Error) -> Trouble {
        Trouble { exit: Exit::Failed, what: what.into(), causes: vec![error.to_string()], help: None }
    }

    /// The same with what would help.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Trouble {
        self.help = Some(help.into());
        self
    }

    /// Tells it on stderr: what, why, what to do.
    pub(crate) fn report(self) -> Exit {
        if self.exit == Exit::Done {
            return Exit::Done;
        }
        eprintln!("error: {}", harmless(&self.what));
        for cause in &self.causes {
            eprintln!("  cause: {}", harmless(cause));
        }
        if let Some(help) = &self.help {
            eprintln!("  help: {}", harmless(help));
        }
        self.exit
    }
}

/// Text that may repeat what was typed, or what a process calls itself; its own lines stay lines.
fn harmless(text: &str) -> String {
    text.lines().map(|line| printable(line.as_bytes())).collect::<Vec<_>>().join("\n")
}

impl From<residue::Error> for Trouble {
    fn from(error: residue::Error) -> Trouble {
        let exit = match &error {
            residue::Error::Target(target) if target.kind() == ErrorKind::Write => Exit::Failed,
            residue::Error::Target(_) => Exit::Target,
            residue::Error::Question(_) => Exit::Usage,
            // Whoever read us has seen enough: `residue ps | head`.
            residue::Error::Report(report) if report.is_closed_pipe() => Exit::Done,
            _ => Exit::Failed,
        };
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Trouble { exit, what: error.to_string(), causes, help: error.remedy().map(Into::into) }
    }
}

impl From<residue::TargetError> for Trouble {
    fn from(error: residue::TargetError) -> Trouble {
        residue::Error::from(error).into()
    }
}

impl From<residue::report::Error> for Trouble {
    fn from(error: residue::report::Error) -> Trouble {
        residue::Error::from(error).into()
    }
}

impl From<residue::analysis::Error> for Trouble {
    fn from(error: residue::analysis::Error) -> Trouble {
        residue::Error::from(error).into()
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        residue::report::Error::from(error).into()
    }
}
