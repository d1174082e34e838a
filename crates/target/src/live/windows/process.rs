use std::collections::BTreeMap;
use std::sync::OnceLock;

use residue_model::{Gap, Memory, NoMemory, ProcessId, Snapshot};
use windows_sys::Win32::System::SystemInformation::{
    IMAGE_FILE_MACHINE, IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64,
};
use windows_sys::Win32::System::Threading::{IsWow64Process, IsWow64Process2};

use super::access::{Handle, Right};
use super::counters::{MEMORY_INFO_CALL, VM_COUNTERS_CALL, VmQuery, created, handles, memory_info};
use super::owner::{Accounts, command};
use super::{Host, ProcessMemory, files, find, host, list, modules, query, resident, threads};
use crate::windows::{Counted, Observation, Observed};
use crate::{Care, Error, ErrorKind, Result, Target};

/// A running process.
pub struct Process {
    pid: ProcessId,
    memory: OnceLock<ProcessMemory>,
}

impl Process {
    /// The process that a word means: a pid, or the name of just one.
    ///
    /// # Errors
    /// When nothing or several fit.
    pub fn find(word: &str, care: Care) -> Result<Process> {
        Process::open(find(&Host, word)?, care)
    }

    /// The process of a number. How much care is wanted makes no difference: nothing that is asked makes it wait.
    #[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(super) fn open(pid: ProcessId, _: Care) -> Result<Process> {
        Ok(Process { pid, memory: OnceLock::new() })
    }

    fn look(&self, depth: Depth) -> Result<Snapshot> {
        let observation = take(self.pid, depth)?;
        let memory = self.memory();
        let snapshot = observation.snapshot(memory.as_ref().map_or(&NoMemory, |memory| *memory));
        Ok(match memory {
            Ok(_) => snapshot,
            Err(error) => {
                let why = error.remedy().map_or_else(|| error.to_string(), |help| format!("{error}: {help}"));
                let gap = Gap::new("which regions are stacks and heaps", why);
                Snapshot { gaps: [snapshot.gaps, vec![gap]].concat(), ..snapshot }
            }
        })
    }
}

impl Target for Process {
    fn snapshot(&self) -> Result<Snapshot> {
        self.look(Depth::Resident)
    }

    fn layout(&self) -> Result<Snapshot> {
        self.look(Depth::Ranges)
    }

    fn is_dump(&self) -> bool {
        false
    }

    fn memory(&self) -> Result<&dyn Memory> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let memory = ProcessMemory::open(self.pid)?;
        Ok(self.memory.get_or_init(|| memory))
    }
}

/// How much is asked of the address space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its ranges.
    Ranges,
    /// Also how much of each is in RAM, and which files are mapped.
    Resident,
}

/// Everything that Windows says of a process.
///
/// # Errors
/// When there is no such process, it may not be asked, or it ends meanwhile.
pub fn observe(pid: ProcessId) -> Result<Observation> {
    take(pid, Depth::Resident)
}

pub(super) fn take(pid: ProcessId, depth: Depth) -> Result<Observation> {
    let handle = match Handle::open(pid, Right::Read) {
        // Modules are listed only to those who may read; everything else is not.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Handle::open(pid, Right::Query)?,
        other => other?,
    };
    let listed = list::processes()?.into_iter().find(|listed| listed.pid == pid);
    let Some(listed) = listed else { return Err(Error::no_process(pid)) };
    let mut observation = Observation {
        system: host::describe(),
        process: Observed {
            pid: pid.0,
            name: listed.name.clone(),
            command: command(&handle),
            user: Accounts::default().of(&handle),
            created: created(&handle).or(Some(listed.created)),
            cpu: cpu(&handle)?.into(),
        },
        counted: counted(&handle, listed.counted),
        threads: threads::read(&listed.threads),
        ..Observation::default()
    };
    query::walk(&handle, &mut |query| observation.queried.push(*query));
    if observation.queried.is_empty() {
        return Err(Error::new(
            ErrorKind::Ended,
            format!("process {pid} ({}) ended while it was read", listed.name),
        ));
    }
    match modules::read(&handle) {
        Some(modules) => observation.modules = modules,
        None => observation.gaps.push(Gap::new(
            "programs and libraries",
            "Windows did not list them: the process is just starting or ending",
        )),
    }
    if depth == Depth::Resident {
        observation.files = files::mapped(&handle, &observation.queried);
        let page = observation.system.page_size_bytes;
        if let Err(error) = resident::fill(&handle, &mut observation.queried, page) {
            let why = match &observation.system.wine {
                Some(wine) => format!("Wine {wine} tells it only of the process that asks"),
                None => format!("QueryWorkingSetEx: {error}"),
            };
            observation.gaps.push(Gap::new("how much of each region is in RAM", why));
        }
    }
    Ok(observation)
}

/// The counters by the call that gave them.
fn counted(handle: &Handle, listed: Counted) -> BTreeMap<String, Counted> {
    let own = VmQuery::default().read(handle).map(|counted| Counted { handles: handles(handle), ..counted });
    let calls =
        [(VM_COUNTERS_CALL, own), (MEMORY_INFO_CALL, memory_info(handle)), (list::CALL, Some(listed))];
    calls.into_iter().filter_map(|(call, counted)| Some((call.to_owned(), counted?))).collect()
}

/// The instruction set in which Windows carries a process, as far as this program can look at it.
pub(super) fn cpu(handle: &Handle) -> Result<&'static str> {
    let (carried, native) = machines(handle);
    let native = match native {
        Some(IMAGE_FILE_MACHINE_ARM64) => "aarch64",
        Some(IMAGE_FILE_MACHINE_AMD64) => "x86-64",
        Some(_) => "x86",
        None if cfg!(target_arch = "aarch64") => "aarch64",
        None if cfg!(target_pointer_width = "64") => "x86-64",
        None => "x86",
    };
    if cfg!(target_pointer_width = "64") || native == "x86" {
        return Ok(native);
    }
    // A 32-bit program sees addresses of 32 bits only: of a 32-bit process that is all there is to see.
    if carried {
        return Ok("x86");
    }
    Err(Error::new(ErrorKind::Unsupported, "this is a 64-bit process, and this Residue a 32-bit program")
        .help("use the 64-bit build of Residue, which reads both"))
}

/// Whether a process is a 32-bit one on 64-bit Windows, and the machine's own instruction set where it is told.
fn machines(handle: &Handle) -> (bool, Option<IMAGE_FILE_MACHINE>) {
    let (mut carried, mut native) = (0, 0);
    // SAFETY: both numbers are written to locals.
    if unsafe { IsWow64Process2(handle.raw(), &raw mut carried, &raw mut native) } != 0 {
        return (carried != 0, Some(native));
    }
    let mut is_wow64 = 0;
    // SAFETY: as above.
    unsafe { IsWow64Process(handle.raw(), &raw mut is_wow64) };
    (is_wow64 != 0, None)
}
