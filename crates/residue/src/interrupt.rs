use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Ends a long look early: whatever was gathered is kept and judged.
pub struct Interrupt {
    signals: Option<Receiver<()>>,
    seen: Cell<usize>,
}

/// The other end: whoever holds it can interrupt.
#[derive(Clone)]
pub struct Interrupter(Sender<()>);

impl Interrupt {
    /// Nothing will interrupt.
    pub fn never() -> Interrupt {
        Interrupt { signals: None, seen: Cell::new(0) }
    }

    /// An interrupt and the means to set it off, from a signal handler or another thread.
    pub fn new() -> (Interrupter, Interrupt) {
        let (sender, receiver) = channel();
        (Interrupter(sender), Interrupt { signals: Some(receiver), seen: Cell::new(0) })
    }

    /// Whether it has been set off.
    pub fn is_set(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until something is done, at most so long; `true` when it is set off.
    pub(crate) fn wait_for(&self, time: Duration, is_done: impl Fn() -> bool) -> bool {
        const STEP: Duration = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        while waited < time && !is_done() {
            if self.is_set() {
                return true;
            }
            thread::sleep(STEP);
            waited += STEP;
        }
        self.is_set()
    }

    /// How often it has been set off.
    pub fn count(&self) -> usize {
        let more = self.signals.as_ref().map_or(0, |signals| signals.try_iter().count());
        self.seen.set(self.seen.get() + more);
        self.seen.get()
    }

    /// Waits; returns early, and `true`, when it is set off.
    pub fn wait(&self, time: Duration) -> bool {
        if self.seen.get() > 0 {
            return true;
        }
        match &self.signals {
            None => thread::sleep(time),
            Some(signals) => match signals.recv_timeout(time) {
                Ok(()) => self.seen.set(1),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(time),
            },
        }
        self.seen.get() > 0
    }
}

impl Interrupter {
    /// Sets it off.
    pub fn interrupt(&self) {
        // Nobody waits any more: nothing is left to end.
        let _ = self.0.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_interrupt_ends_the_wait_and_stays_set() {
        let (interrupter, interrupt) = Interrupt::new();
        interrupter.interrupt();
        let begun = Instant::now();
        assert!(interrupt.wait(Duration::from_secs(60)));
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(interrupt.is_set() && interrupt.is_set());
        assert_eq!(interrupt.count(), 1);
        interrupter.interrupt();
        assert_eq!((interrupt.count(), interrupt.count()), (2, 2));
    }
}
