use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use residue_analysis::recorded::Recorded;
use residue_report::html::{Source, Sources};

/// Files that are read: those of the first sites.
const FILES: usize = 400;
/// A longer file is no source that somebody wrote.
const LONGEST: u64 = 4 << 20;
/// What is read in all.
const MOST: usize = 64 << 20;

/// A recording may come from elsewhere and name any file: only what looks like source gets onto a page.
const ENDINGS: &[&str] = &[
    "adb", "c", "c++", "cc", "cpp", "cu", "cxx", "d", "f", "f90", "go", "h", "hh", "hpp", "hxx", "inc",
    "inl", "ipp", "l", "m", "mm", "nim", "odin", "rs", "s", "S", "swift", "tcc", "v", "vala", "y", "zig",
];

/// The texts of the source files that a recording names, as far as they are on this machine.
pub fn sources(recorded: &Recorded) -> Sources {
    let mut asked: HashSet<&str> = HashSet::new();
    let mut sources = Sources::new();
    let mut sum = 0;
    let paths = recorded.sites.iter().flat_map(|site| &site.paths);
    for file in paths.flat_map(|path| recorded.frames(path.path)).filter_map(|frame| frame.file.as_deref()) {
        if asked.len() == FILES || sum >= MOST {
            break;
        }
        if asked.insert(file)
            && let Some(source) = read(Path::new(file), recorded.recording.program.started)
        {
            sum += source.text.len();
            sources.insert(file.to_owned(), source);
        }
    }
    sources
}

fn read(path: &Path, started: Option<SystemTime>) -> Option<Source> {
    let ending = path.extension()?.to_str()?;
    // Asked before it is opened: opening a pipe waits.
    if !path.is_absolute() || !ENDINGS.contains(&ending) || !path.metadata().ok()?.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(|metadata| metadata.len() <= LONGEST)?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let is_newer = metadata.modified().ok().zip(started).is_some_and(|(written, started)| written > started);
    Some(Source { text: String::from_utf8_lossy(&bytes).into_owned(), is_newer })
}
