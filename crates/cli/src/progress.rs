use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr, on a terminal only, for what takes longer than a second.
pub(crate) struct Bar {
    drawn: ProgressBar,
    started: Instant,
    shown: bool,
}

const PATIENCE: Duration = Duration::from_secs(1);

impl Bar {
    /// A bar of so many steps; nothing is drawn yet.
    pub(crate) fn new(length: u64, template: &str) -> Bar {
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden()).with_style(style);
        Bar { drawn: bar, started: Instant::now(), shown: false }
    }

    /// A bar that is worth showing at once.
    pub(crate) fn shown(mut self) -> Bar {
        self.show();
        self
    }

    /// So much is done.
    pub(crate) fn set(&mut self, done: u64) {
        if !self.shown && self.started.elapsed() >= PATIENCE {
            self.show();
        }
        self.drawn.set_position(done);
    }

    /// The number of steps turned out to be another.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.drawn.set_length(length);
    }

    fn show(&mut self) {
        self.shown = true;
        if io::stderr().is_terminal() {
            self.drawn.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}
