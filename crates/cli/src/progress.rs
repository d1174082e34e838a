use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on stderr, on a terminal only, for what takes longer than a second.
pub(crate) struct Bar {
    drawn: ProgressBar,
    started: Instant,
    shown: Cell<bool>,
}

impl Bar {
    /// A bar of so many steps; nothing is drawn yet.
    pub(crate) fn new(length: u64, template: &str) -> Bar {
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        let drawn =
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden()).with_style(style);
        Bar { drawn, started: Instant::now(), shown: Cell::new(false) }
    }

    /// A bar that is worth showing at once.
    pub(crate) fn shown(self) -> Bar {
        self.show();
        self
    }

    /// So much is done.
    pub(crate) fn set(&self, done: u64) {
        if !self.shown.get() && self.started.elapsed() >= PATIENCE {
            self.show();
        }
        self.drawn.set_position(done);
    }

    /// So much is done, of so much.
    pub(crate) fn set_of(&self, done: u64, all: u64) {
        self.drawn.set_length(all);
        self.set(done);
    }

    /// What is going on now.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn say(&self, what: &'static str) {
        self.drawn.set_message(what);
    }

    fn show(&self) {
        self.shown.set(true);
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

/// A sign of life for work that cannot tell how far it is: after a second, how long it has taken so far.
pub(crate) struct Spinner {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    /// Says `what` is going on if it takes longer than a second.
    pub(crate) fn new(what: &str) -> Spinner {
        if !io::stderr().is_terminal() {
            return Spinner { done: None, thread: None };
        }
        let (done, over) = channel::<()>();
        let template = format!("{{spinner}} {what}, {{elapsed}}");
        let thread = thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let style = ProgressStyle::with_template(&template).expect("the templates are constants");
                let spinner = ProgressBar::new_spinner().with_style(style).with_elapsed(PATIENCE);
                spinner.enable_steady_tick(Duration::from_millis(120));
                let _ = over.recv();
                spinner.finish_and_clear();
            }
        });
        Spinner { done: Some(done), thread: Some(thread) }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: a panic in there takes nothing with it.
            let _ = thread.join();
        }
    }
}
