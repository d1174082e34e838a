use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::Facts;

/// How long a program may be silent before the test is given up. Generous: touching gigabytes on a busy
/// machine takes a while, and the time is only lost when something is wrong anyway.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a program may take to clean up (shared memory, files) once its stdin is closed.
const GRACE: Duration = Duration::from_secs(2);

/// A started program. It ends when this is dropped, and also when the test dies: its stdin closes then.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    facts: Facts,
}

impl Running {
    pub(crate) fn await_ready(name: &str, mut child: Child) -> Self {
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout was asked for");
        let mut running =
            Self { name: name.to_owned(), child, stdin, lines: listen(stdout), facts: Facts::default() };
        running.facts = Facts::of(&running.hear());
        assert_eq!(running.facts.word(), "ready", "`{name}` did not begin with `ready`");
        running
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it said when it was ready.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A fact as it was printed. See [`Facts::text`].
    pub fn fact(&self, name: &str) -> &str {
        self.facts.text(name)
    }

    /// A fact that is a size, count or address. See [`Facts::number`].
    pub fn number(&self, name: &str) -> u64 {
        self.facts.number(name)
    }

    /// A fact that is a name and need not be UTF-8. See [`Facts::bytes`].
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.facts.bytes(name)
    }

    /// Writes a line to its stdin.
    ///
    /// # Panics
    /// When it has ended.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin stays open until the end");
        if let Err(error) = writeln!(stdin, "{line}") {
            panic!("`{}` does not listen: {error}", self.name);
        }
    }

    /// The next line that it writes, without its end.
    ///
    /// # Panics
    /// When it ends or stays silent.
    pub fn hear(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let state = self.state();
                panic!("`{}` says nothing ({error}); it {state}", self.name)
            }
        }
    }

    /// Writes a line and reads what it answers.
    pub fn ask(&mut self, line: &str) -> Facts {
        self.tell(line);
        Facts::of(&self.hear())
    }

    /// Ends it and waits until it is gone. Dropping it does the same.
    pub fn stop(self) {}

    fn state(&mut self) -> String {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("ended with {status}"),
            _ => "still runs".to_owned(),
        }
    }

    fn ends_by_itself(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < GRACE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(2));
        }
        false
    }
}

impl Drop for Running {
    /// A killed program would leave its shared memory behind: first it is asked, by the end of its stdin.
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !self.ends_by_itself() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads in a thread, so that a silent program costs a test its patience and not the whole run.
fn listen(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while matches!(stdout.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}
