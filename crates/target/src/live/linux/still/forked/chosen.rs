//! The thread that forks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use residue_model::ProcessId;

use super::refusal;
use super::stub::{CS, ORIG_RAX, RIP, Registers};
use crate::live::linux::ProcDir;
use crate::live::linux::dump::machine::GENERAL;
use crate::live::linux::freeze::Frozen;
use crate::live::linux::{steer, tracee};
use crate::{Error, ErrorKind, Result};

/// A stopped thread that can be made to fork, and how it stood.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) tid: u32,
    pub(super) registers: Registers,
    pub(super) mask: u64,
}

/// The selector of 64-bit code. Source: `__USER_CS` in `arch/x86/include/asm/segment.h`.
const WIDE_CODE: u64 = 0x33;

impl Chosen {
    /// A thread inside a system call if there is one: it is in the middle of nothing else.
    ///
    /// # Errors
    /// When no thread will do.
    pub(super) fn among(
        proc_dir: &ProcDir,
        frozen: &Frozen<'_>,
        memory: &File,
        pid: ProcessId,
    ) -> Result<Chosen> {
        // One that is about to get a signal must get it first.
        let quiet = || frozen.stopped().filter(|&(_, signal)| signal == 0);
        let chosen = quiet().filter_map(|(tid, _)| Chosen::of(tid)).collect::<Vec<_>>();
        let may = |chosen: &&Chosen| is_free(proc_dir, pid, chosen.tid);
        let in_call = chosen.iter().filter(|chosen| chosen.is_in_call()).find(may);
        let found =
            in_call.or_else(|| chosen.iter().filter(|chosen| chosen.is_in_no_sequence(memory)).find(may));
        found.cloned().ok_or_else(|| {
            let what = format!("no thread of process {pid} can be made to fork for a snapshot");
            Error::new(ErrorKind::Unsupported, what).help(
                "all of them run 32-bit code, handle system calls themselves, or must not be disturbed just now: try \
                 again, or without --snapshot",
            )
        })
    }

    fn of(tid: u32) -> Option<Chosen> {
        let registers = registers(tid).ok()?;
        // Kernels that cannot tell are older than most programs who would do so.
        let is_own = steer::handles_own_calls(tid).unwrap_or(false);
        let mask = tracee::signal_mask(tid).ok()?;
        (registers[CS] == WIDE_CODE && !is_own).then_some(Chosen { tid, registers, mask })
    }

    fn is_in_call(&self) -> bool {
        self.registers[ORIG_RAX].cast_signed() >= 0
    }

    /// A thread that is taken off its processor in the middle of a restartable sequence must begin it again; but the
    /// kernel looks where the thread stands, and would look at the stub.
    ///
    /// Source: `struct rseq`, `struct rseq_cs` in `linux/rseq.h`; `rseq_ip_fixup` in `kernel/rseq.c`.
    fn is_in_no_sequence(&self, memory: &File) -> bool {
        let read = |at: u64| {
            let mut word = [0; 8];
            memory.read_exact_at(&mut word, at).is_ok().then(|| u64::from_ne_bytes(word))
        };
        let is_outside = || {
            let area = steer::restartable_sequences(self.tid).ok()?;
            let sequence = if area == 0 { 0 } else { read(area + 8)? };
            // The last one may still stand there long after its end.
            let is_outside =
                || Some(self.registers[RIP].wrapping_sub(read(sequence + 8)?) >= read(sequence + 16)?);
            if sequence == 0 { Some(true) } else { is_outside() }
        };
        is_outside().unwrap_or(false)
    }
}

/// Whether nothing is known of a thread that forbids its fork. Filters of system calls need not be the same for all.
fn is_free(proc_dir: &ProcDir, pid: ProcessId, tid: u32) -> bool {
    let status = proc_dir.read_path(&format!("{pid}/task/{tid}/status"));
    status.is_ok_and(|status| refusal::by_status(&status).is_none())
}

/// The registers of a stopped thread.
pub(super) fn registers(tid: u32) -> io::Result<Registers> {
    let mut buffer = [0; size_of::<Registers>()];
    let size = tracee::registers(tid, GENERAL, &mut buffer)?;
    if size < buffer.len() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut registers = Registers::default();
    for (register, bytes) in registers.iter_mut().zip(buffer.chunks_exact(8)) {
        *register = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    }
    Ok(registers)
}
