use std::fs;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use residue::report::terminal::Screen;

use crate::trouble::Trouble;

/// Where answers go: standard output, as text or as a document.
pub(crate) struct Output {
    /// Standard output, in large pieces.
    pub(crate) out: BufWriter<StdoutLock<'static>>,
    /// What it can show.
    pub(crate) screen: Screen,
    /// A document is wanted.
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn stdout(json: bool) -> Output {
        let stdout = io::stdout();
        Output { screen: screen(&stdout), out: BufWriter::with_capacity(64 * 1024, stdout.lock()), json }
    }

    pub(crate) fn finish(mut self) -> Result<(), Trouble> {
        Ok(self.out.flush()?)
    }
}

fn screen(stdout: &io::Stdout) -> Screen {
    // `COLUMNS` speaks even where there is no terminal: it is how a script asks for a width.
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    if !stdout.is_terminal() {
        return Screen { width: columns, color: false };
    }
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Screen { width: width.or(columns).or(Some(80)), color }
}

/// Writes a whole file.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), Trouble> {
    fs::write(path, content).map_err(|error| Trouble::writing(path, &error))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
