use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use residue_model::Range;

/// What is still to be scanned.
#[derive(Default)]
pub(super) struct Todo {
    /// Blocks.
    pub(super) blocks: Vec<Range>,
    /// The rest of large ones: a table of millions of pointers would put all of them on the list above at once.
    pub(super) rests: Vec<Range>,
}

impl Todo {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.rests.is_empty()
    }
}

/// Work that threads give each other.
pub(super) struct Pool {
    todo: Mutex<Vec<Todo>>,
    more: Condvar,
    /// Threads that wait; once all do, there is nothing left.
    idle: AtomicUsize,
    threads: usize,
}

impl Pool {
    /// Work for so many threads.
    pub(super) fn new(todo: Todo, threads: usize) -> Pool {
        Pool { todo: Mutex::new(vec![todo]), more: Condvar::new(), idle: AtomicUsize::new(0), threads }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Todo>> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of work, waited for while others may still give some; none when all is done.
    pub(super) fn take(&self) -> Option<Todo> {
        let mut todo = self.lock();
        loop {
            if let Some(next) = todo.pop() {
                return Some(next);
            }
            if self.idle.fetch_add(1, Ordering::SeqCst) + 1 >= self.threads {
                self.more.notify_all();
                return None;
            }
            todo = self.more.wait(todo).unwrap_or_else(PoisonError::into_inner);
            if self.idle.load(Ordering::SeqCst) >= self.threads {
                return None;
            }
            self.idle.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether somebody waits for work.
    pub(super) fn is_hungry(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// Gives work to whoever waits.
    pub(super) fn give(&self, more: Todo) {
        self.lock().push(more);
        self.more.notify_one();
    }

    /// Ends the work of all threads.
    pub(super) fn give_up(&self) {
        self.lock().clear();
        self.idle.fetch_add(self.threads, Ordering::SeqCst);
        self.more.notify_all();
    }
}
