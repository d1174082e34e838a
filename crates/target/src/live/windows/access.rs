use std::io;

use residue_model::ProcessId;
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_NOT_ALL_ASSIGNED, GetLastError, HANDLE,
    LUID,
};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_DEBUG_NAME, SE_PRIVILEGE_ENABLED,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_ACCESS_RIGHTS, PROCESS_DUP_HANDLE,
    PROCESS_QUERY_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_VM_READ,
};

use crate::{Error, ErrorKind, Result};

/// A handle that is closed when it is dropped. The one that means ourselves needs no closing.
#[derive(Debug)]
pub(super) struct Handle {
    raw: HANDLE,
    is_owned: bool,
}

// SAFETY: a handle is a number that all threads of a process may use; it is closed once, by whoever owns this value.
unsafe impl Send for Handle {}
// SAFETY: as above; every call that takes it may be made by several threads at once.
unsafe impl Sync for Handle {}

/// What a process is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Counters, name, owner.
    Count,
    /// Also its address space.
    Query,
    /// Also its memory.
    Read,
    /// Also copies of its handles, to ask what they are of.
    Dump,
}

impl Right {
    fn mask(self) -> PROCESS_ACCESS_RIGHTS {
        match self {
            Right::Count => PROCESS_QUERY_LIMITED_INFORMATION,
            Right::Query => PROCESS_QUERY_INFORMATION,
            Right::Read => PROCESS_QUERY_INFORMATION | PROCESS_VM_READ,
            Right::Dump => PROCESS_QUERY_INFORMATION | PROCESS_VM_READ | PROCESS_DUP_HANDLE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Right::Count => "PROCESS_QUERY_LIMITED_INFORMATION",
            Right::Query => "PROCESS_QUERY_INFORMATION",
            Right::Read | Right::Dump => "PROCESS_QUERY_INFORMATION and PROCESS_VM_READ",
        }
    }
}

impl Handle {
    /// The process that asks.
    pub(super) fn own() -> Handle {
        // SAFETY: it has no arguments and cannot fail; what it gives is a constant.
        Handle { raw: unsafe { GetCurrentProcess() }, is_owned: false }
    }

    /// Takes a handle that some call opened; `None` for the one that means failure.
    pub(super) fn owned(raw: HANDLE) -> Option<Handle> {
        // Not made for nothing: what is made is closed.
        (!raw.is_null()).then(|| Handle { raw, is_owned: true })
    }

    /// Opens a process, with the privilege to debug others where that is needed and held.
    pub(super) fn open(pid: ProcessId, right: Right) -> Result<Handle> {
        if pid.0 == std::process::id() {
            return Ok(Handle::own());
        }
        match try_open(pid, right) {
            Err(error) if code(&error) == ERROR_ACCESS_DENIED && debug_privilege().is_ok() => {
                try_open(pid, right).map_err(|error| explain(pid, right, true, error))
            }
            other => other.map_err(|error| explain(pid, right, false, error)),
        }
    }

    /// Whether it was opened, as that of another process is.
    pub(super) fn is_owned(&self) -> bool {
        self.is_owned
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.raw
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.is_owned {
            // SAFETY: it was opened for us and nobody else closes it.
            unsafe { CloseHandle(self.raw) };
        }
    }
}

fn try_open(pid: ProcessId, right: Right) -> io::Result<Handle> {
    // SAFETY: it takes plain numbers.
    let raw = unsafe { OpenProcess(right.mask(), 0, pid.0) };
    Handle::owned(raw).ok_or_else(io::Error::last_os_error)
}

fn code(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(0, i32::cast_unsigned)
}

/// What went wrong and what would help.
fn explain(pid: ProcessId, right: Right, has_privilege: bool, error: io::Error) -> Error {
    match code(&error) {
        ERROR_INVALID_PARAMETER if pid.0 != 0 => return Error::no_process(pid),
        ERROR_INVALID_PARAMETER => {
            return Error::new(ErrorKind::NoMemory, "process 0 is the idle process")
                .help("it stands for time that nobody uses and has no memory of its own");
        }
        _ => {}
    }
    let help = if has_privilege {
        "SeDebugPrivilege is held and was not enough: Windows protects this process (PPL: antivirus, lsass, csrss). No \
         program may read it; a kernel debugger or a full memory dump of the machine can"
            .to_owned()
    } else {
        format!(
            "the right {} is missing: it runs as another user or elevated. Run from an elevated prompt (Run as \
             administrator), which brings SeDebugPrivilege",
            right.name()
        )
    };
    Error::reading(format!("process {pid}"), error).of(format!("cannot open process {pid}")).help(help)
}

/// Enables the privilege to open processes of others: administrators have it, but it is off until it is asked for.
fn debug_privilege() -> io::Result<()> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: the token is written through a pointer to a local that outlives the call.
    let opened =
        unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &raw mut raw) };
    let token = Handle::owned(raw).filter(|_| opened != 0).ok_or_else(io::Error::last_os_error)?;
    let mut luid = LUID::default();
    // SAFETY: the name is a constant that ends in zero, and the number is written to a local.
    if unsafe { LookupPrivilegeValueW(std::ptr::null(), SE_DEBUG_NAME, &raw mut luid) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
    };
    // SAFETY: the structure holds as many privileges as it says; nothing is asked back.
    let (done, code) = unsafe {
        let done = AdjustTokenPrivileges(
            token.raw(),
            0,
            &raw const wanted,
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        (done, GetLastError())
    };
    // It succeeds without giving what the token does not hold.
    if done == 0 || code == ERROR_NOT_ALL_ASSIGNED {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    Ok(())
}
