use std::collections::BTreeMap;
use std::sync::OnceLock;

use residue_model::{Gap, Memory, NoMemory, ProcessId, Snapshot};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::SystemInformation::{
    IMAGE_FILE_MACHINE, IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64,
};
use windows_sys::Win32::System::Threading::IsWow64Process;

use super::access::{Handle, Right};
use super::counters::{MEMORY_INFO_CALL, VM_COUNTERS_CALL, VmQuery, created, handles, memory_info};
use super::owner::{Accounts, command};
use super::{Host, ProcessMemory, files, find, host, list, modules, query, resident, symbol, threads};
use crate::windows::{Counted, Observation, Observed};
use crate::{Care, Error, ErrorKind, Result, Still, StillProgress, Stillness, Target};

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

    fn still(&self, _: Stillness<'_>, _: &mut dyn FnMut(StillProgress)) -> Result<Still<'_>> {
        let what =
            format!("process {} runs, and heaps of live Windows processes cannot be walked yet", self.pid);
        let help = format!("write a dump and examine that: residue dump {} -o FILE.dmp", self.pid);
        Err(Error::new(ErrorKind::Unsupported, what).help(help))
    }
}

/// How much is asked of the address space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its ranges, of a process that is known: no names are looked up.
    Sample,
    /// Its ranges, and who it is.
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
    // Side by side, so that they can be compared: who asks for an account may load libraries for it.
    let counted = counted(&handle, listed.counted);
    let identifies = depth != Depth::Sample;
    let mut observation = Observation {
        system: host::describe(),
        process: Observed {
            pid: pid.0,
            name: listed.name.clone(),
            command: identifies.then(|| command(&handle)).flatten(),
            user: identifies.then(|| Accounts::default().of(&handle)).flatten(),
            created: created(&handle).or(Some(listed.created)),
            cpu: cpu(&handle)?.into(),
            is_wow64: is_wow64(&handle),
        },
        counted,
        threads: threads::read(&listed.threads),
        ..Observation::default()
    };
    query::walk(&handle, &mut |query| observation.queried.push(*query));
    if observation.queried.is_empty() {
        let what = format!("process {pid} ({}) ended while it was read", listed.name);
        return Err(Error::new(ErrorKind::Ended, what));
    }
    if identifies {
        list_modules(&handle, &mut observation);
    }
    if depth == Depth::Resident {
        fill_in(&handle, &mut observation);
    }
    Ok(observation)
}

fn list_modules(handle: &Handle, observation: &mut Observation) {
    match modules::read(handle) {
        Ok(modules) => observation.modules = modules,
        Err(error) => observation.gaps.push(Gap::new(
            "programs and libraries",
            format!(
                "Windows did not list them: the process may not be read, starts or ends just now: {error}"
            ),
        )),
    }
}

/// What is asked region by region and page by page.
fn fill_in(handle: &Handle, observation: &mut Observation) {
    observation.files = files::mapped(handle, &observation.queried);
    let page = observation.system.page_size_bytes;
    if let Err(error) = resident::fill(handle, &mut observation.queried, page) {
        let why = match &observation.system.wine {
            Some(wine) => format!("Wine {wine} tells it only of the process that asks"),
            None => format!("QueryWorkingSetEx: {error}"),
        };
        observation.gaps.push(Gap::new("how much of each region is in RAM", why));
    }
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
    let native = match machines(handle).map(|(_, native)| native) {
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
    if is_wow64(handle) == Some(true) {
        return Ok("x86");
    }
    Err(Error::new(ErrorKind::Unsupported, "this is a 64-bit process, and this Residue a 32-bit program")
        .help("use the 64-bit build of Residue, which reads both"))
}

/// Whether a process is a 32-bit one on 64-bit Windows, where that is told.
fn is_wow64(handle: &Handle) -> Option<bool> {
    if let Some((carried, _)) = machines(handle) {
        return Some(carried);
    }
    let mut is_wow64 = 0;
    // SAFETY: the number is written to a local.
    let done = unsafe { IsWow64Process(handle.raw(), &raw mut is_wow64) };
    (done != 0).then_some(is_wow64 != 0)
}

/// `IsWow64Process2` of `wow64apiset.h`.
type Machines = unsafe extern "system" fn(HANDLE, *mut IMAGE_FILE_MACHINE, *mut IMAGE_FILE_MACHINE) -> i32;

/// The same with the machine's own instruction set, since Windows 10 1511.
fn machines(handle: &Handle) -> Option<(bool, IMAGE_FILE_MACHINE)> {
    let found = symbol::find("kernel32.dll", c"IsWow64Process2")?;
    let (mut carried, mut native) = (0, 0);
    // SAFETY: it is declared so, and both numbers are written to locals.
    let done = unsafe {
        let call: Machines = std::mem::transmute(found);
        call(handle.raw(), &raw mut carried, &raw mut native)
    };
    (done != 0).then_some((carried != 0, native))
}
