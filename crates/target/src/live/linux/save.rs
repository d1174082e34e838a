use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use residue_model::{ProcessId, ProcessState};

use super::ProcDir;
use super::snapshot::{Users, still_runs};
use crate::capture::Archive;
use crate::procfs::{stat, status};
use crate::{File, Result};

/// What a capture holds, and what it cost those who were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Processes with user memory.
    pub processes: usize,
    /// The longest read of one process's regions: so long its `mmap` may have waited.
    pub longest: Option<(ProcessId, Duration)>,
}

/// Copies the files of all processes into an archive.
///
/// # Errors
/// When `/proc` cannot be read or the archive not written.
pub fn save<W: Write>(
    proc_dir: &ProcDir,
    archive: &mut Archive<W>,
    progress: &dyn Fn(usize, usize),
) -> Result<Saved> {
    for path in ["version", "meminfo", "iomem", "uptime"] {
        if let Ok(text) = proc_dir.read_path(path) {
            archive.add(path, &text)?;
        }
    }
    let mut saved = Saved::default();
    let mut users = Users::default();
    let mut text = Vec::new();
    let processes = proc_dir.processes()?;
    for (done, &pid) in processes.iter().enumerate() {
        progress(done, processes.len());
        let stat = proc_dir.read(pid, File::Stat, &mut text).ok().and_then(|()| stat::parse(&text).ok());
        if let Some(stat) = stat.filter(|stat| stat.state != ProcessState::Kernel) {
            saved.processes += 1;
            process(proc_dir, (pid, stat.start_ticks), archive, &mut users, &mut saved, &mut text)?;
        }
    }
    Ok(saved)
}

fn process<W: Write>(
    proc_dir: &ProcDir,
    (pid, start_ticks): (ProcessId, u64),
    archive: &mut Archive<W>,
    users: &mut Users,
    saved: &mut Saved,
    text: &mut Vec<u8>,
) -> Result<()> {
    for file in File::ALL {
        let begun = Instant::now();
        // What is gone or may not be read is missing in the capture too, and a gap when it is read back.
        if read(proc_dir, pid, file, text).is_err() {
            continue;
        }
        if matches!(file, File::Rollup | File::Smaps) {
            let wait = begun.elapsed();
            saved.longest = saved.longest.filter(|longest| longest.1 >= wait).or(Some((pid, wait)));
        }
        if let (File::Status, Some(uid)) = (file, status::parse(text).uid) {
            archive.add_owner(pid, uid, &users.name(uid).unwrap_or_default())?;
        }
        // Half a list of regions looks like a whole one.
        if matches!(file, File::Maps | File::Smaps) && !still_runs(proc_dir, pid, Some(start_ticks)) {
            continue;
        }
        archive.add(&format!("{pid}/{}", file.name()), text)?;
    }
    Ok(())
}

fn read(proc_dir: &ProcDir, pid: ProcessId, file: File, into: &mut Vec<u8>) -> io::Result<()> {
    match file {
        File::Maps | File::Smaps => {
            into.clear();
            proc_dir.open_file(pid, file)?.read_to_end(into).map(|_| ())
        }
        _ => proc_dir.read(pid, file, into),
    }
}
