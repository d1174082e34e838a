//! Runs the command, and whatever knows the truth besides it.

#[cfg(target_os = "linux")]
pub(crate) mod begun;
#[cfg(target_os = "linux")]
pub(crate) mod browser;
#[cfg(target_os = "linux")]
pub(crate) mod crowd;
#[cfg(target_os = "linux")]
pub(crate) mod dumped;
pub(crate) mod folder;
#[cfg(target_os = "linux")]
pub(crate) mod oracle;
#[cfg(target_os = "linux")]
pub(crate) mod recorded;
#[cfg(target_os = "linux")]
pub(crate) mod stranger;
#[cfg(target_os = "linux")]
pub(crate) mod told;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The command under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_residue");

/// What a run of the command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// The command with these arguments, in an environment that says nothing about a terminal.
pub(crate) fn command(arguments: &[&str]) -> Command {
    quiet(Command::new(BINARY), arguments)
}

fn quiet(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments).stdin(Stdio::null()).env_remove("COLUMNS").env_remove("NO_COLOR");
    command
}

/// Runs the command to its end.
pub(crate) fn residue(arguments: &[&str]) -> Ran {
    Ran::of(command(arguments))
}

/// The document that the command prints with `--json`; it must have gone well.
pub(crate) fn document(arguments: &[&str]) -> Value {
    residue(&[arguments, &["--json"]].concat()).good().json()
}

/// What the command prints for people; it must have gone well.
pub(crate) fn text(arguments: &[&str]) -> String {
    residue(arguments).good().text()
}

impl Ran {
    pub(crate) fn of(mut command: Command) -> Ran {
        let output = command.output().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        Ran::from(output)
    }

    /// Fails the test, with what was said, unless the command ended with 0.
    #[track_caller]
    pub(crate) fn good(self) -> Ran {
        self.ended(0)
    }

    /// Fails the test, with what was said, unless the command ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Ran {
        let out = String::from_utf8_lossy(&self.out);
        assert_eq!(self.code, Some(code), "stderr: {}\nstdout: {out:.2000}", self.err);
        self
    }

    #[track_caller]
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).expect("the command prints UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out)
            .unwrap_or_else(|error| panic!("no JSON: {error}: {}", String::from_utf8_lossy(&self.out)))
    }

    /// Fails the test unless stderr holds all of these.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "stderr does not say {word:?}: {}", self.err);
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }
}

/// A number of a document. Unknown (`null`) and absent fail: a test that wants them asks for them.
#[track_caller]
pub(crate) fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("`{key}` is no number: {}", row[key]))
}

/// A text of a document.
#[track_caller]
pub(crate) fn word<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("`{key}` is no text: {}", row[key]))
}

/// The rows of a list of a document.
#[track_caller]
pub(crate) fn rows<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document[key].as_array().unwrap_or_else(|| panic!("`{key}` is no list: {}", document[key]))
}

/// An address of a document.
#[track_caller]
pub(crate) fn address(row: &Value, key: &str) -> u64 {
    let text = word(row, key).strip_prefix("0x").expect("addresses are hexadecimal");
    u64::from_str_radix(text, 16).expect("addresses are hexadecimal")
}

/// The row of a list whose `key` is this text.
#[track_caller]
pub(crate) fn row_of<'a>(rows: &'a [Value], key: &str, is: &str) -> &'a Value {
    rows.iter().find(|row| row[key] == is).unwrap_or_else(|| panic!("no row has {key}={is}: {rows:#?}"))
}

/// Fails the test unless two numbers differ by at most `slack`.
#[track_caller]
pub(crate) fn close(what: &str, ours: u64, truth: u64, slack: u64) {
    assert!(ours.abs_diff(truth) <= slack, "{what}: {ours} is not {truth} ± {slack}");
}
