use std::collections::HashMap;
use std::fs::File as Disk;
#[cfg(target_os = "linux")]
use std::io::{BufWriter, Write};
#[cfg(target_os = "linux")]
use std::path::Path;
use std::path::PathBuf;

use residue_analysis::accounting::{Column, Machine, Mappings, Order, ProcessFilter, Table, View};
use residue_model::{Process, ProcessId};
#[cfg(target_os = "linux")]
use residue_target::capture::Archive;
use residue_target::capture::replay;
use residue_target::live::host::{Host, sweep};
#[cfg(target_os = "linux")]
use residue_target::live::linux::{self, Saved};
use residue_target::procfs::printable;
use residue_target::procfs::smaps::Record;
use residue_target::{Care, Census, Error as TargetError, File, Files, Selection};

use crate::Result;

/// Where processes are read from.
#[derive(Clone, Debug, Default)]
pub enum Origin {
    /// The running machine.
    #[default]
    Live,
    /// A capture, possibly of another machine.
    Capture(PathBuf),
}

/// What is asked of all processes.
#[derive(Clone, Debug)]
pub struct Query {
    /// What a row is.
    pub view: View,
    /// What is shown; decides what is read.
    pub columns: Vec<Column>,
    /// Order and number of rows.
    pub order: Order,
    /// Read all that is cheap, whatever is shown: for documents.
    pub everything: bool,
}

/// From where, and which processes.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where they are read from.
    pub origin: Origin,
    /// Which count.
    pub filter: ProcessFilter,
    /// How much large ones may be made to wait.
    pub care: Care,
}

/// Reads processes into a table by process, user or mapping.
///
/// # Errors
/// When `/proc` or the capture cannot be read.
pub fn table(request: &Request, query: &Query, progress: &dyn Fn(usize, usize)) -> Result<Table> {
    let mut mappings = Mappings::default();
    let by_mapping = query.view == View::Mapping;
    let files = files(query, &request.filter);
    let filters = request.filter.is_by_mapping();
    let mut regions: HashMap<ProcessId, u64> = HashMap::new();
    let census = census(request, files, progress, &mut |process, record| {
        let counts = request.filter.accepts_mapping(&record.name);
        if counts && filters {
            *regions.entry(process.pid).or_default() += 1;
        }
        if counts && by_mapping {
            mappings.add(process.pid, &record.name, record.header.range.size(), &record.counters);
        }
        counts
    })?;
    let Census { mut processes, system, gaps } = census;
    if filters {
        // What maps nothing that was asked for, or could not be asked, is no part of the answer; and of the rest only
        // what regions tell is about the mapping.
        processes.retain(|process| regions.contains_key(&process.pid));
        for process in &mut processes {
            process.maps = regions.get(&process.pid).copied();
            let footprint = &mut process.footprint;
            (footprint.anon, footprint.file, footprint.shmem) = (None, None, None);
        }
    }
    let table = match query.view {
        View::Process => Table::of_processes(processes, query.order),
        View::User => Table::of_users(&processes, query.order),
        View::Mapping => Table::of_mappings(mappings.groups(printable), &processes, query.order),
    };
    Ok(Table { system, gaps, ..table })
}

/// Reads the machine's memory by who holds it.
///
/// # Errors
/// When `/proc` or the capture cannot be read.
pub fn areas(request: &Request, progress: &dyn Fn(usize, usize)) -> Result<Machine> {
    let files = Files::default().with(File::Status).with(File::Cmdline).with(File::Rollup);
    let Census { processes, system, gaps } = census(request, files, progress, &mut |_, _| true)?;
    Ok(Machine::of(system, &processes, gaps))
}

#[cfg(target_os = "linux")]
/// Copies what `/proc` says of all processes into a file.
///
/// # Errors
/// When `/proc` cannot be read or the file not be written.
pub fn save(path: &Path, progress: &dyn Fn(usize, usize)) -> Result<Saved> {
    let failed = |error| TargetError::writing(path.display().to_string(), error);
    let mut output = BufWriter::new(Disk::create(path).map_err(failed)?);
    let compressed = path.extension().is_some_and(|end| end == "gz" || end == "tgz");
    let mut archive = Archive::new(&mut output, compressed);
    let saved = linux::save(&Host::open()?, &mut archive, progress)?;
    archive.finish()?;
    output.flush().map_err(failed)?;
    Ok(saved)
}

fn census(
    request: &Request,
    files: Files,
    progress: &dyn Fn(usize, usize),
    visitor: &mut dyn FnMut(&Process, &Record) -> bool,
) -> Result<Census> {
    let select = |process: &Process| request.filter.accepts(process);
    match &request.origin {
        Origin::Live => {
            // Our own command line holds the pattern: who looks for nginx does not mean the one who looks.
            let myself = std::process::id();
            let by_name = request.filter.names_processes();
            let select = |process: &Process| select(process) && !(by_name && process.pid.0 == myself);
            let selection = Selection { files, select: &select, care: request.care, progress };
            Ok(sweep(&Host::open()?, &selection, visitor)?)
        }
        Origin::Capture(path) => {
            // Before the archive is opened as one: a missing file is no damaged capture.
            Disk::open(path).map_err(|error| TargetError::reading(path.display().to_string(), error))?;
            Ok(replay(|| Disk::open(path), files, &select, visitor)?)
        }
    }
}

/// The files that an answer needs.
fn files(query: &Query, filter: &ProcessFilter) -> Files {
    if query.everything {
        let sums =
            if query.view == View::Mapping || filter.is_by_mapping() { File::Smaps } else { File::Rollup };
        let cheap = [File::Stat, File::Statm, File::Status, File::Cmdline, File::OomScore, File::Maps];
        return cheap.into_iter().chain([sums]).fold(Files::default(), Files::with);
    }
    let columns = query.columns.iter().chain([&query.order.column]);
    let mut files = columns.filter_map(|&column| files_of(column)).fold(Files::default(), Files::with);
    if filter.names_processes() {
        files = files.with(File::Cmdline);
    }
    if filter.names_users() || query.view == View::User {
        files = files.with(File::Status);
    }
    if query.view == View::Mapping || filter.is_by_mapping() {
        files = files.with(File::Smaps);
    }
    // Where regions are summed anyway, the sum holds these two.
    let sizes = |column: &Column| matches!(column, Column::Rss | Column::Swap);
    if query.columns.iter().chain([&query.order.column]).any(sizes)
        && !files.contains(File::Rollup)
        && !files.contains(File::Smaps)
    {
        files = files.with(File::Status);
    }
    files
}

/// `stat` is read in any case: it tells processes from kernel threads, and the virtual size and faults with that.
fn files_of(column: Column) -> Option<File> {
    match column {
        Column::User | Column::Anon | Column::File | Column::Shmem | Column::ResMinusShr => {
            Some(File::Status)
        }
        Column::Command => Some(File::Cmdline),
        Column::Pss | Column::Uss | Column::SwapPss | Column::AveragePss => Some(File::Rollup),
        Column::Maps => Some(File::Maps),
        Column::OomScore => Some(File::OomScore),
        _ => None,
    }
}
