use residue_model::{Gap, Process};

use super::access::{Handle, Right};
use super::owner::{Accounts, command};
use super::{Host, host, list, system};
use crate::capture::Visitor;
use crate::windows::Listed;
use crate::{Census, File, Result, Selection};

/// Reads all processes.
///
/// Their counters come in one call and need no right; whose command line or account may not be asked is counted in a gap.
/// Windows does not say who else maps a page, so there is nothing to visit.
///
/// # Errors
/// When the list of processes cannot be read.
pub fn sweep(host: &Host, selection: &Selection<'_>, _: &mut Visitor<'_>) -> Result<Census> {
    let mut census = Census { system: system(host), ..Census::default() };
    let (mut accounts, is_wine) = (Accounts::default(), host::wine().is_some());
    let listed = list::processes()?;
    let (all, mut denied) = (listed.len(), 0);
    for (done, listed) in listed.into_iter().enumerate() {
        (selection.progress)(done, all);
        // The idle process: time that nobody uses.
        if listed.pid.0 == 0 {
            continue;
        }
        let mut process = counted(&listed, is_wine);
        if selection.files.contains(File::Status) || selection.files.contains(File::Cmdline) {
            if let Ok(handle) = Handle::open(listed.pid, Right::Count) {
                process.user = accounts.of(&handle);
                process.command = command(&handle);
            }
            denied += usize::from(process.user.is_none() || process.command.is_none());
        }
        if (selection.select)(&process) {
            census.processes.push(process);
        }
    }
    census.processes.sort_by_key(|process| process.pid);
    if denied > 0 {
        census.gaps.push(Gap::new(
            format!("account or command line of {denied} of {all} processes"),
            "they run as others or are protected: run from an elevated prompt to see more of them",
        ));
    }
    census.gaps.extend(missing(&census.processes));
    Ok(census)
}

fn counted(listed: &Listed, is_wine: bool) -> Process {
    let counted = listed.counted.believed(is_wine);
    Process {
        pid: listed.pid,
        start_ticks: Some(listed.created),
        name: listed.name.clone(),
        footprint: counted.footprint(),
        minflt: counted.page_faults,
        threads: counted.threads,
        handles: counted.handles,
        ..Process::default()
    }
}

/// Counters that no process has at all: the system does not keep them.
fn missing(processes: &[Process]) -> Option<Gap> {
    let version = host::wine()?;
    let windows = || processes.iter().filter_map(|process| process.footprint.windows);
    let none = [
        ("private working set", windows().all(|windows| windows.private_working_set.is_none())),
        ("paged pool", windows().all(|windows| windows.paged_pool.is_none())),
        ("non-paged pool", windows().all(|windows| windows.nonpaged_pool.is_none())),
    ];
    let names: Vec<&str> = none.into_iter().filter(|(_, is_none)| *is_none).map(|(name, _)| name).collect();
    (!names.is_empty())
        .then(|| Gap::new(names.join(", "), format!("this is Wine {version}, which does not count them")))
}
