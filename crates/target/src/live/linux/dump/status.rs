//! What stands in a core's notes beside memory: registers, and who the process was.

use residue_model::ProcessId;

use super::machine::{GENERAL, Machine};
use crate::live::linux::ProcDir;
use crate::live::linux::freeze::Frozen;
use crate::live::linux::tracee;
use crate::procfs::number::{decimal, key_value};
use crate::{Error, ErrorKind, Result};

/// Larger than any set of registers: those of SVE can take 17 KiB.
const LARGEST_SET: usize = 64 * 1024;

/// One thread as it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadStatus {
    pub(super) tid: u32,
    /// The signal that it was about to get; 0 is none.
    pub(super) signal: i32,
    pub(super) signal_info: Option<[u8; 128]>,
    pub(super) blocked: u64,
    pub(super) general: Vec<u8>,
    /// The other sets of registers, by the type of their note.
    pub(super) sets: Vec<(u32, Vec<u8>)>,
}

/// Reads the registers of all stopped threads.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when the processor is none that cores are written of.
pub(super) fn threads(frozen: &Frozen<'_>, pid: ProcessId) -> Result<(Machine, Vec<ThreadStatus>)> {
    let mut buffer = vec![0; LARGEST_SET];
    let mut machine = None;
    let mut threads = Vec::new();
    for (tid, signal) in frozen.stopped() {
        // Killed while it stood.
        let Ok(size) = tracee::registers(tid, GENERAL, &mut buffer) else { continue };
        let Some(kind) = Machine::of_registers(size) else {
            let what =
                format!("process {pid} runs in a mode of the processor of which no core can be written");
            return Err(Error::new(ErrorKind::Unsupported, what));
        };
        machine = machine.or(Some(kind));
        threads.push(ThreadStatus {
            tid,
            signal,
            signal_info: if signal == 0 { None } else { tracee::signal_info(tid).ok() },
            blocked: tracee::signal_mask(tid).unwrap_or_default(),
            general: buffer[..size].to_vec(),
            sets: sets(tid, kind, &mut buffer),
        });
    }
    let ended = || Error::new(ErrorKind::Ended, format!("process {pid} ended while it was stopped"));
    Ok((machine.ok_or_else(ended)?, threads))
}

fn sets(tid: u32, machine: Machine, buffer: &mut [u8]) -> Vec<(u32, Vec<u8>)> {
    let read = |&set: &u32| {
        let size = tracee::registers(tid, set, buffer).ok()?;
        Some((set, buffer[..size].to_vec()))
    };
    machine.sets().iter().filter_map(read).collect()
}

/// Who a process is, as `NT_PRPSINFO` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) letter: u8,
    pub(super) nice: i8,
    pub(super) flags: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// The short name as it is, up to 15 bytes.
    pub(super) name: Vec<u8>,
    /// The command line with spaces between its arguments.
    pub(super) arguments: Vec<u8>,
    /// `/proc/PID/auxv`.
    pub(super) auxiliary: Vec<u8>,
}

impl Identity {
    pub(super) fn read(proc_dir: &ProcDir, pid: ProcessId) -> Identity {
        let text = |name: &str| proc_dir.read_path(&format!("{pid}/{name}")).unwrap_or_default();
        let mut identity = Identity { pid: pid.0, auxiliary: text("auxv"), ..Identity::default() };
        identity.take_stat(&text("stat"));
        identity.take_status(&text("status"));
        let mut arguments = text("cmdline");
        arguments.truncate(80);
        identity.arguments = arguments.iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
        identity
    }

    /// Source: `proc_pid_stat(5)`.
    fn take_stat(&mut self, text: &[u8]) -> Option<()> {
        let (open, close) = (memchr::memchr(b'(', text)?, memchr::memrchr(b')', text)?);
        self.name = text.get(open + 1..close)?.to_vec();
        let words: Vec<&[u8]> = text.get(close + 2..)?.split(|&byte| byte == b' ').collect();
        // The state is field 3, and stands first here.
        let number = |field: usize| words.get(field - 3).and_then(|word| decimal(word));
        let small = |field| number(field).and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
        self.letter = *words.first()?.first()?;
        (self.parent, self.group, self.session) = (small(4), small(5), small(6));
        self.flags = number(9)?;
        self.nice = std::str::from_utf8(words.get(19 - 3)?).ok()?.parse().ok()?;
        Some(())
    }

    fn take_status(&mut self, text: &[u8]) {
        let small = |value| decimal(value).and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
        for (key, value) in text.split(|&byte| byte == b'\n').filter_map(key_value) {
            match key {
                b"Uid" => self.uid = small(value),
                b"Gid" => self.gid = small(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_with_its_family_and_its_raw_name() {
        let mut identity = Identity::default();
        identity.take_stat(
            b"812 (a) \xff() S 1 800 799 0 -1 4194560 1 2 3 4 5 6 7 8 20 -5 9 0 424242 10485760 512 0\n",
        );
        identity.take_status(b"Name:\tx\nUid:\t33\t0\t0\t0\nGid:\t44\t0\t0\t0\n");

        assert_eq!(identity.name, b"a) \xff(");
        assert_eq!((identity.letter, identity.nice, identity.flags), (b'S', -5, 4_194_560));
        assert_eq!((identity.parent, identity.group, identity.session), (1, 800, 799));
        assert_eq!((identity.uid, identity.gid), (33, 44));
    }
}
