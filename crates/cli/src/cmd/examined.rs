//! Holding a target still, with a word before it is stopped and a bar while it is examined.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::{Read, stdin};
#[cfg(target_os = "linux")]
use std::path::Path;

#[cfg(target_os = "linux")]
use residue::held;
use residue::model::Thread;
use residue::report::units::{duration, size};
use residue::{Examination, HeapProgress, StillProgress, Stillness, Target};

use crate::arguments::StillArgs;
use crate::progress::Bar;
use crate::trouble::Trouble;

/// What is done with blocks, while somebody waits.
pub(crate) struct Watching {
    bar: Bar,
}

impl Watching {
    pub(crate) fn new() -> Watching {
        Watching { bar: Bar::new(0, "{msg} {spinner} {bytes}") }
    }

    /// Tells how far an examination is.
    pub(crate) fn tell(&self, progress: HeapProgress) {
        match progress {
            HeapProgress::Still(StillProgress::Estimated(estimate)) => {
                // Nobody's process is stopped without a word; a few milliseconds are none.
                let stopped = estimate.stopped.as_secs_f64();
                if stopped >= NOTICEABLE {
                    eprintln!(
                        "the process will stand still for about {}; {} are copied into memory of our own",
                        duration(stopped),
                        size(estimate.size)
                    );
                }
            }
            HeapProgress::Still(_) => self.bar.say("reading"),
            HeapProgress::Walking => self.bar.say("walking heaps"),
            HeapProgress::Scanned(bytes) => {
                self.bar.say("following pointers");
                self.bar.set(bytes.0);
            }
            HeapProgress::Typing => self.bar.say("telling types"),
        }
    }
}

/// A stop that people notice, in seconds.
const NOTICEABLE: f64 = 0.05;

/// Holds a target still.
pub(crate) fn examine<'a>(
    target: &'a dyn Target,
    how: &StillArgs,
    watching: &Watching,
) -> Result<Examination<'a>, Trouble> {
    #[cfg(target_os = "linux")]
    let told = how.stopped_by_debugger.as_deref().map(read_told).transpose()?;
    #[cfg(not(target_os = "linux"))]
    let told: Option<Vec<Thread>> = None;
    let stillness = told.as_deref().map_or_else(|| how.stillness(), Stillness::Held);
    Ok(Examination::of(target, stillness, &mut |progress| watching.tell(progress))?)
}

/// More threads than any debugger holds, at a kilobyte a line.
#[cfg(target_os = "linux")]
const MOST_TOLD: u64 = 64 << 20;

/// What a debugger tells of the threads that it holds.
#[cfg(target_os = "linux")]
fn read_told(path: &Path) -> Result<Vec<Thread>, Trouble> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        stdin().lock().take(MOST_TOLD).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MOST_TOLD).read_to_end(&mut text))
    };
    read.map_err(|error| Trouble::reading(path, &error))?;
    let name = if path == Path::new("-") { "stdin".into() } else { path.to_string_lossy() };
    Ok(held::parse(&name, &text)?)
}
