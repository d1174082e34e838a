//! Programs with and without the recorder, and what recordings say of them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use residue_testkit::{Facts, Program};
use serde_json::Value;

use super::folder::Folder;
use super::{BINARY, document, number, rows};

/// A program that has not ended by then hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program that is to behave alike with and without the recorder.
pub(crate) struct Case {
    words: Vec<OsString>,
    environment: Vec<(String, String)>,
    options: Vec<String>,
    folder: Folder,
}

/// What it did under the recorder, and what was recorded.
pub(crate) struct Recorded {
    pub(crate) out: String,
    /// What it wrote on stderr, and the recorder.
    pub(crate) err: String,
    folder: Folder,
}

struct Ended {
    out: String,
    err: String,
    status: ExitStatus,
}

impl Case {
    /// A program of the testkit.
    #[track_caller]
    pub(crate) fn of(program: &Program, arguments: &[&str]) -> Case {
        let mut words = program.words().unwrap_or_else(|error| panic!("it does not compile: {error}"));
        words.extend(arguments.iter().map(OsString::from));
        Case { words, environment: Vec::new(), options: Vec::new(), folder: Folder::new() }
    }

    /// Any command.
    pub(crate) fn command(words: &[&str]) -> Case {
        let words = words.iter().map(OsString::from).collect();
        Case { words, environment: Vec::new(), options: Vec::new(), folder: Folder::new() }
    }

    /// In this environment: the recorder's too.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Case {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Recorded with these options.
    pub(crate) fn options(mut self, options: &[&str]) -> Case {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// Runs it by itself and then recorded. Fails unless it printed the same and ended in the same way.
    #[track_caller]
    pub(crate) fn faithful(self) -> Recorded {
        let plain = self.run("plain", &[]);
        let recorded = self.record();
        assert_eq!(recorded.out, plain.out, "it does not print the same; stderr: {}", recorded.err);
        assert_eq!(recorded.status.code(), Some(0), "stderr: {}", recorded.err);
        assert_eq!(end_told(&recorded.err), end_of(plain.status), "stderr: {}", recorded.err);
        Recorded { out: recorded.out, err: recorded.err, folder: self.folder }
    }

    /// Runs it recorded, when it cannot print the same twice. Fails unless it ends well.
    #[track_caller]
    pub(crate) fn recorded(self) -> Recorded {
        let recorded = self.record();
        assert_eq!(recorded.status.code(), Some(0), "stderr: {}", recorded.err);
        Recorded { out: recorded.out, err: recorded.err, folder: self.folder }
    }

    #[track_caller]
    fn record(&self) -> Ended {
        let path = self.folder.file("recording");
        let mut words = vec![BINARY, "record", "-o", &path];
        words.extend(self.options.iter().map(String::as_str));
        words.push("--");
        self.run("recorded", &words)
    }

    /// What it prints goes to files: a child that it leaves behind may hold them open as long as it likes.
    #[track_caller]
    fn run(&self, name: &str, before: &[&str]) -> Ended {
        let (out, err) = (self.folder.file(&format!("{name}.out")), self.folder.file(&format!("{name}.err")));
        let words: Vec<OsString> = before.iter().map(OsString::from).chain(self.words.clone()).collect();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("our own folder"))
            .stderr(File::create(&err).expect("our own folder"))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {words:?}: {error}"));
        let status = end(child);
        let text = |path: &str| String::from_utf8_lossy(&fs::read(path).expect("our own file")).into_owned();
        let (out, err) = (text(&out), text(&err));
        let status = status.unwrap_or_else(|| panic!("{words:?} does not end; stdout: {out}; stderr: {err}"));
        Ended { out, err, status }
    }
}

/// Waits for its end, for so long as there is hope; then ends it, and all that it started.
fn end(mut child: Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if begin.elapsed() > PATIENCE {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
            return None;
        }
        sleep(Duration::from_millis(5));
    }
}

/// How a process ended, in the recorder's words; it says nothing of one that ended well.
fn end_of(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("ended with exit code {code}")),
        (None, signal) => Some(format!("was ended by signal {}", signal.unwrap_or_default())),
    }
}

/// How the recorder says that its program ended.
fn end_told(err: &str) -> Option<String> {
    let words = ["ended with exit code ", "was ended by signal "];
    let told = |line: &str| words.iter().find_map(|word| Some(line[line.find(word)?..].to_owned()));
    err.lines().find_map(told)
}

impl Recorded {
    /// What it told, a line each.
    pub(crate) fn lines(&self) -> Vec<Facts> {
        self.out.lines().map(Facts::of).collect()
    }

    /// What it told last, when all was done.
    #[track_caller]
    pub(crate) fn facts(&self) -> Facts {
        let facts = self.lines().pop().expect("it tells something");
        assert_eq!(facts.word(), "done", "{}", self.out);
        facts
    }

    /// The recording of the program that was started.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.file("recording").into()
    }

    /// The recordings of all others: its children, and what it became.
    pub(crate) fn others(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path()).expect("our own folder");
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("our own folder").path()).collect();
        let is_recording = |path: &Path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("recording"))
        };
        paths.retain(|path| is_recording(path) && *path != self.path());
        paths.retain(|path| {
            !path.extension().is_some_and(|extension| extension == "out" || extension == "err")
        });
        paths.sort();
        paths
    }

    /// The reports of all, that of the program that was started first.
    #[track_caller]
    pub(crate) fn reports(&self) -> Vec<Value> {
        [vec![self.path()], self.others()].concat().iter().map(|path| report(path)).collect()
    }

    /// The report of the program that was started.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        report(&self.path())
    }

    /// Fails unless the report has what the program told of itself, and nothing was lost on the way.
    #[track_caller]
    pub(crate) fn assert_told(&self) -> Value {
        let report = self.report();
        assert_sites(&report, &self.facts());
        report
    }
}

/// The report of a recording, each path by itself: a site that is a line has many.
#[track_caller]
pub(crate) fn report(path: &Path) -> Value {
    let path = path.to_str().expect("temporary folders have plain names");
    document(&["report", path, "--by", "stack", "--limit", "1000000"])
}

/// Fails unless each place that a program tells of is in the report with what was lost there, and nothing is missing.
#[track_caller]
pub(crate) fn assert_sites(report: &Value, facts: &Facts) {
    assert_eq!(number(&report["totals"], "dropped"), 0, "{}", report["totals"]);
    let mut places = 0;
    for name in facts.names().filter_map(|name| name.strip_suffix("_blocks")) {
        assert_place(report, facts, name);
        places += 1;
    }
    assert!(places > 0, "it told of no place");
}

/// One place: a function and a line, or a function on the way there when no line is told.
#[track_caller]
pub(crate) fn assert_place(report: &Value, facts: &Facts, name: &str) {
    let told = |what: &str| facts.number(&format!("{name}_{what}"));
    let has = |what: &str| facts.names().any(|fact| fact == format!("{name}_{what}"));
    let line = has("line").then(|| told("line"));
    let sites = sites_at(report, name, line);
    let sum = |key: &str| sites.iter().map(|site| number(site, key)).sum::<u64>();
    let found = (sum("live_blocks"), sum("live_bytes"));
    assert_eq!(
        found,
        (told("blocks"), told("bytes")),
        "{name} {line:?}: blocks and bytes; {}",
        shown(report)
    );
    if has("allocations") {
        assert_eq!(sum("allocations"), told("allocations"), "{name} {line:?}; {}", shown(report));
        assert_eq!(sum("frees"), told("allocations") - told("blocks"), "{name} {line:?}; {}", shown(report));
    }
}

/// The sites in whose stacks a function stands, on this line when there is one.
pub(crate) fn sites_at<'a>(report: &'a Value, function: &str, line: Option<u64>) -> Vec<&'a Value> {
    let is_it = |frame: &Value| {
        let named = frame["function"].as_str().is_some_and(|name| bare(name) == function);
        named && line.is_none_or(|line| frame["line"] == line)
    };
    rows(report, "sites").iter().filter(|site| rows(site, "frames").iter().any(is_it)).collect()
}

/// A function's name without where it stands, what it takes and what the compiler made of it: `a::b::c(int)` and
/// `c.part.0` are `c`.
fn bare(name: &str) -> &str {
    let name = name.split('(').next().unwrap_or(name);
    let name = name.rsplit("::").find(|part| !is_hash(part)).unwrap_or(name);
    name.split(['<', '.']).next().unwrap_or(name)
}

/// What rustc puts behind a name.
fn is_hash(part: &str) -> bool {
    part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|letter| letter.is_ascii_hexdigit())
}

/// The sites in short, for who reads why a test failed.
fn shown(report: &Value) -> String {
    let frame = |frame: &Value| format!("{}:{}", frame["function"].as_str().unwrap_or("?"), frame["line"]);
    let site = |site: &Value| {
        let frames: Vec<String> = rows(site, "frames").iter().take(8).map(frame).collect();
        let sums = ["allocations", "frees", "live_blocks", "live_bytes"].map(|key| site[key].to_string());
        format!("  {} {}", sums.join(" "), frames.join(" < "))
    };
    let sites: Vec<String> = rows(report, "sites").iter().take(60).map(site).collect();
    format!("totals {}\n{}", report["totals"], sites.join("\n"))
}
