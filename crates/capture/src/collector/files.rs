//! What recordings are called, and which were written.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use residue_model::Recording;
use residue_target::{Error, Result};

use crate::{RecordedFile, file};

const SUFFIX: &str = "residue";

/// The files of one run.
pub(super) struct Files {
    /// The name that was asked for: the first process's last program gets it.
    asked: Option<PathBuf>,
    first: u32,
    names: HashSet<PathBuf>,
    pub(super) written: Vec<RecordedFile>,
    pub(super) failure: Option<Error>,
}

impl Files {
    pub(super) fn new(asked: Option<PathBuf>) -> Files {
        Files { asked, first: 0, names: HashSet::new(), written: Vec::new(), failure: None }
    }

    /// Whose files are called as was asked.
    pub(super) fn set_first(&mut self, pid: u32) {
        self.first = pid;
    }

    /// A name that no recording of this run has: of what runs, its pid, and a number where one process ran several.
    pub(super) fn name(&mut self, command: &str, pid: u32) -> PathBuf {
        let mut number = 0;
        loop {
            let name = self.candidate(command, pid, number);
            if self.names.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }

    fn candidate(&self, command: &str, pid: u32, number: u32) -> PathBuf {
        let number = if number == 0 { String::new() } else { format!(".{number}") };
        let Some(asked) = &self.asked else {
            return PathBuf::from(format!("{}.{pid}{number}.{SUFFIX}", plain(command)));
        };
        let mut name = OsString::from(asked.file_stem().unwrap_or_default());
        name.push(format!(".{pid}{number}"));
        if let Some(extension) = asked.extension() {
            name.push(".");
            name.push(extension);
        }
        asked.with_file_name(name)
    }

    /// Writes a recording, for now or for good. A failure is kept: the others are worth having all the same.
    pub(super) fn write(&mut self, recording: &Recording, path: &Path) -> bool {
        match file::write(recording, path) {
            Ok(()) => true,
            Err(error) => {
                self.failure.get_or_insert(error);
                false
            }
        }
    }

    /// A recording stands for good.
    pub(super) fn keep(&mut self, recording: &Recording, path: PathBuf) {
        self.written.push(RecordedFile {
            path,
            pid: recording.program.pid,
            command: recording.program.command.clone(),
            events: recording.totals.events,
            end: recording.program.end,
            is_first: recording.program.pid == self.first,
        });
    }

    /// Gives the last program of the first process the name that was asked for.
    ///
    /// # Errors
    /// When the file cannot be called so.
    pub(super) fn settle(&mut self) -> Result<()> {
        let Some(asked) = self.asked.clone() else { return Ok(()) };
        let Some(last) = self.written.iter_mut().rfind(|file| file.is_first) else { return Ok(()) };
        fs::rename(&last.path, &asked).map_err(|error| Error::writing(asked.display().to_string(), error))?;
        last.path = asked;
        Ok(())
    }
}

/// A name that is one word of a path and of a command line.
fn plain(command: &str) -> String {
    let name = command.rsplit('/').next().unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '_' })
        .take(64)
        .collect();
    let name = name.trim_start_matches(['-', '.']);
    if name.is_empty() { "program".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(asked: Option<&str>) -> Files {
        Files::new(asked.map(PathBuf::from))
    }

    #[test]
    fn a_recording_is_called_after_its_program_and_process() {
        let mut files = files(None);

        assert_eq!(files.name("/usr/bin/server", 12), Path::new("server.12.residue"));
        assert_eq!(files.name("server", 12), Path::new("server.12.1.residue"));
        assert_eq!(files.name("../-a b\u{1b}", 13), Path::new("a_b_.13.residue"));
        assert_eq!(files.name("", 14), Path::new("program.14.residue"));
    }

    #[test]
    fn others_get_their_number_put_into_the_name_that_was_asked_for() {
        let mut files = files(Some("/tmp/out.residue"));

        assert_eq!(files.name("x", 12), Path::new("/tmp/out.12.residue"));
        assert_eq!(files.name("y", 12), Path::new("/tmp/out.12.1.residue"));
    }

    #[test]
    fn the_last_program_of_the_first_process_gets_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let asked = folder.path().join("out");
        let mut files = Files::new(Some(asked.clone()));
        files.set_first(7);
        for (pid, command) in [(7, "sh"), (7, "server"), (8, "child")] {
            let mut recording = Recording::default();
            (recording.program.pid, recording.program.command) = (pid, vec![command.into()]);
            let name = files.name(command, pid);
            assert!(files.write(&recording, &name));
            files.keep(&recording, name);
        }

        files.settle().expect("it is renamed");

        assert_eq!(file::open(&asked).expect("it is read").program.command, ["server"]);
        let paths: Vec<_> = files.written.iter().map(|file| file.path.file_name().expect("named")).collect();
        assert_eq!(paths, ["out.7", "out", "out.8"]);
    }
}
