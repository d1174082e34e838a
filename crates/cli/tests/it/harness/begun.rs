use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::{command, oracle};

/// A command that has begun and is not over.
pub(crate) struct Begun {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Begun {
    pub(crate) fn new(arguments: &[&str]) -> Begun {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let out = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        Begun { child, out }
    }

    /// Waits until a line is there: lines must come as they are read, into a pipe too.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("text");
        assert!(!line.is_empty(), "it ended too early");
        line
    }

    /// Waits until it has sampled a few times: a document is printed at the end only, but between samples it sleeps.
    pub(crate) fn sampling(&self) {
        let begin = Instant::now();
        self.catches_interrupts();
        // Who samples holds the page table of its target open; reading the first map may sleep too.
        while !self.holds("pagemap") {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never opened the page table");
            std::thread::sleep(Duration::from_millis(5));
        }
        let before = self.sleeps();
        while self.sleeps() < before + 5 {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never sampled");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has a file of that name open.
    fn holds(&self, name: &str) -> bool {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.ends_with(name)))
    }

    /// Waits until Ctrl-C is listened for, and gives how often it has slept so far.
    pub(crate) fn catches_interrupts(&self) -> u64 {
        let begin = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
            let caught = u64::from_str_radix(caught.trim(), 16).expect("hexadecimal");
            if caught & (1 << 1) != 0 {
                return self.sleeps();
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it never listened for Ctrl-C");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often its main thread has waited for something.
    fn sleeps(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let sleeps =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a count");
        sleeps.trim().parse().expect("a count")
    }

    pub(crate) fn interrupt(&self) {
        oracle::tool("kill", &["-INT", &self.child.id().to_string()]);
    }

    /// The rest of what it prints, and its exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}
