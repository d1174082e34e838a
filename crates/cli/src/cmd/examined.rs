//! Holding a target still, with a word before it is stopped and a bar while it is examined.

use residue::report::units::{duration, size};
use residue::{Examination, HeapProgress, StillProgress, Stillness, Target};

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
    stillness: Stillness,
    watching: &Watching,
) -> Result<Examination<'a>, Trouble> {
    Ok(Examination::of(target, stillness, &mut |progress| watching.tell(progress))?)
}
