use std::sync::Arc;

use residue_model::{Address, Event, Gap, Range, Thread};

use super::headers::{Headers, Layout};
use crate::census::command as command_line;
use crate::procfs::printable;

/// What the notes of a core say.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) pid: Option<u32>,
    pub(crate) uid: Option<u32>,
    /// The short name.
    pub(crate) name: Option<String>,
    /// The command line, at most 80 bytes of it.
    pub(crate) command: Option<String>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) files: Vec<MappedFile>,
    /// Whether there was a list of files: without one, a region without a name may well have one.
    pub(crate) has_files: bool,
    pub(crate) auxv: Auxv,
    pub(crate) event: Option<Event>,
    pub(crate) gaps: Vec<Gap>,
}

/// A part of a file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappedFile {
    pub(crate) range: Range,
    /// Where in the file it begins, in bytes.
    pub(crate) offset: u64,
    pub(crate) name: Arc<str>,
}

/// What the kernel told the program at its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Auxv {
    /// `AT_ENTRY`: where the program begins.
    pub(crate) entry: Option<Address>,
    /// `AT_RANDOM` or `AT_EXECFN`: stands above the first thread's stack.
    pub(crate) in_stack: Option<Address>,
    /// `AT_SYSINFO_EHDR`: the vdso.
    pub(crate) vdso: Option<Address>,
}

/// Types of notes under the names `CORE` and `LINUX`. Source: `include/uapi/linux/elf.h`.
mod kind {
    pub(super) const PRSTATUS: u32 = 1;
    pub(super) const PRPSINFO: u32 = 3;
    pub(super) const AUXV: u32 = 6;
    pub(super) const ARM_TLS: u32 = 0x401;
    pub(super) const FILE: u32 = 0x4649_4c45;
    pub(super) const SIGINFO: u32 = 0x5349_4749;
}

impl Notes {
    /// Reads what is there; what cannot be read becomes a gap.
    pub(crate) fn read(headers: &Headers, file: &[u8]) -> Notes {
        let mut notes = Notes::default();
        for &(offset, size) in &headers.notes {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
            let end = start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(file.len());
            let mut rest = &file[start..end];
            while let Some((note, behind)) = Note::first(headers.layout, rest) {
                notes.take(headers, &note);
                rest = behind;
            }
            if !rest.is_empty() || (end - start) as u64 != size {
                notes.gaps.push(Gap::new(
                    "the rest of the core's notes",
                    "they are cut off or damaged: threads, file names or the signal may be missing",
                ));
            }
        }
        notes.finish();
        notes
    }

    fn take(&mut self, headers: &Headers, note: &Note<'_>) {
        if !matches!(note.name, b"CORE" | b"LINUX" | b"GNU") {
            return;
        }
        let layout = headers.layout;
        match note.kind {
            kind::PRSTATUS => self.threads.extend(thread(headers, note.content)),
            kind::ARM_TLS => self.thread_pointer(layout, note.content),
            kind::PRPSINFO => self.program(layout, note.content),
            kind::AUXV => self.auxv = auxv(layout, note.content),
            kind::FILE => {
                self.has_files = true;
                if !files(layout, note.content, &mut self.files) {
                    self.gaps
                        .push(Gap::new("names of some mapped files", "the core's list of files is damaged"));
                }
            }
            kind::SIGINFO if self.event.is_none() => self.event = event(layout, note.content),
            _ => {}
        }
    }

    /// What follows a thread's general registers is its own.
    fn thread_pointer(&mut self, layout: Layout, content: &[u8]) {
        if let Some(thread) = self.threads.last_mut() {
            thread.thread_pointer = layout.word(content, 0).map(Address);
        }
    }

    /// `struct elf_prpsinfo`: its size tells how wide its numbers are.
    fn program(&mut self, layout: Layout, content: &[u8]) {
        let (uid, pid, name) = match content.len() {
            136 => (layout.int(content, 16), 24, 40),
            128 => (layout.int(content, 8), 16, 32),
            124 => (layout.number(content, 8, 2).and_then(|uid| u32::try_from(uid).ok()), 12, 28),
            _ => return,
        };
        self.uid = uid;
        self.pid = layout.int(content, pid);
        self.name = content.get(name..name + 16).map(|name| printable(until_nul(name)));
        self.command = content.get(name + 16..name + 96).map(until_nul).and_then(command);
    }

    fn finish(&mut self) {
        self.files.sort_by_key(|file| file.range.start);
        // The first is the one that met the signal, whichever the process began with.
        if let (Some(event), Some(first)) = (&mut self.event, self.threads.first()) {
            event.thread = Some(first.tid);
        }
        let main = self.pid.or_else(|| self.threads.iter().map(|thread| thread.tid).min());
        for thread in &mut self.threads {
            thread.is_main = Some(thread.tid) == main;
        }
        if self.pid.is_none() {
            self.pid = main;
        }
        if self.threads.is_empty() {
            self.gaps.push(Gap::new(
                "threads and their stacks",
                "the core has no NT_PRSTATUS note that this version understands",
            ));
        }
        if !self.has_files {
            self.gaps.push(Gap::new(
                "which files were mapped where",
                "the core has no NT_FILE note: kernels before 3.7 and some tools write none",
            ));
        }
    }
}

/// The kernel parts arguments by spaces, and ends with one.
fn command(arguments: &[u8]) -> Option<String> {
    command_line(arguments.trim_ascii_end())
}

struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    content: &'a [u8],
}

impl<'a> Note<'a> {
    /// The first note, and what stands behind it; none when it is not whole.
    fn first(layout: Layout, bytes: &'a [u8]) -> Option<(Note<'a>, &'a [u8])> {
        const HEADER: usize = 12;
        let name_size = layout.int(bytes, 0)? as usize;
        let size = layout.int(bytes, 4)? as usize;
        let kind = layout.int(bytes, 8)?;
        // Cores pad to four bytes, 64-bit ones too, whatever the specification says.
        let content = HEADER.checked_add(name_size.checked_next_multiple_of(4)?)?;
        let end = content.checked_add(size)?;
        let note = Note {
            name: until_nul(bytes.get(HEADER..HEADER.checked_add(name_size)?)?),
            kind,
            content: bytes.get(content..end)?,
        };
        let next = end.checked_next_multiple_of(4)?.min(bytes.len());
        Some((note, &bytes[next..]))
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// `struct elf_prstatus`: numbers of the signal and the process, times, then the registers.
fn thread(headers: &Headers, content: &[u8]) -> Option<Thread> {
    let layout = headers.layout;
    let (pid, registers) = if layout.wide { (32, 112) } else { (24, 72) };
    let tid = layout.int(content, pid)?;
    let register = |index: usize| layout.word(content, registers + index * layout.word_bytes());
    let stack_pointer = stack_register(headers.machine).and_then(register).map(Address);
    let has_base = headers.machine == X86_64 && layout.wide;
    let thread_pointer = register(FS_BASE).filter(|_| has_base).map(Address);
    let registers = (0..register_count(headers)).map_while(register).collect();
    Some(Thread { tid, stack_pointer, registers, thread_pointer, ..Thread::default() })
}

/// `e_machine` of 64-bit x86, and where its `user_regs_struct` has the start of thread-local storage.
const X86_64: u16 = 62;
const FS_BASE: usize = 21;

/// How many general registers a thread of this machine has. Source: `user_regs_struct`, `pt_regs` of each architecture.
fn register_count(headers: &Headers) -> usize {
    match headers.machine {
        3 => 17,
        // Programs with addresses of 32 bits (x32) have the same ones, but not of 32 bits: they are not read.
        X86_64 | 22 if headers.layout.wide => 27,
        40 => 18,
        183 => 34,
        20 | 21 => 48,
        243 => 32,
        258 => 45,
        _ => 0,
    }
}

/// Which of the registers is the stack pointer. Source: `user_regs_struct`, `pt_regs` of each architecture.
fn stack_register(machine: u16) -> Option<usize> {
    Some(match machine {
        3 => 15,
        62 => 19,
        40 => 13,
        183 => 31,
        // The program status word of two words, then sixteen registers.
        22 => 17,
        20 | 21 => 1,
        243 => 2,
        258 => 3,
        _ => return None,
    })
}

fn auxv(layout: Layout, content: &[u8]) -> Auxv {
    let mut auxv = Auxv::default();
    let step = layout.word_bytes();
    for at in (0..content.len()).step_by(2 * step) {
        let (Some(key), Some(value)) = (layout.word(content, at), layout.word(content, at + step)) else {
            break;
        };
        let value = Some(Address(value)).filter(|address| address.0 != 0);
        match key {
            9 => auxv.entry = value,
            25 | 31 => auxv.in_stack = value.or(auxv.in_stack),
            33 => auxv.vdso = value,
            _ => {}
        }
    }
    auxv
}

/// `NT_FILE`: a count, the unit of offsets, a triple a mapping, then the names. `false` when it is not whole.
fn files(layout: Layout, content: &[u8], into: &mut Vec<MappedFile>) -> bool {
    let step = layout.word_bytes();
    let (Some(count), Some(unit)) = (layout.word(content, 0), layout.word(content, step)) else {
        return false;
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let Some(names) = count.checked_mul(3 * step).and_then(|size| size.checked_add(2 * step)) else {
        return false;
    };
    let Some(mut names) = content.get(names..) else { return false };
    let mut last: Option<(&[u8], Arc<str>)> = None;
    for index in 0..count {
        let number = |place| layout.word(content, (2 + 3 * index + place) * step).unwrap_or_default();
        let raw = until_nul(names);
        if raw.len() == names.len() {
            return false;
        }
        names = &names[raw.len() + 1..];
        let name = match &last {
            Some((same, name)) if *same == raw => name.clone(),
            _ => Arc::from(printable(raw)),
        };
        last = Some((raw, name.clone()));
        if let Some(range) = Range::new(Address(number(0)), Address(number(1))) {
            into.push(MappedFile { range, offset: number(2).saturating_mul(unit), name });
        }
    }
    true
}

/// `siginfo_t`: for faults, an address follows.
fn event(layout: Layout, content: &[u8]) -> Option<Event> {
    let number = layout.int(content, 0)?;
    let at = if layout.wide { 16 } else { 12 };
    // Sent by a process, or raised by the kernel without an address: other things stand in its place then.
    let code = layout.int(content, 8)?.cast_signed();
    let is_fault = matches!(number, 4 | 5 | 7 | 8 | 11) && code > 0 && code < 0x80;
    let address = layout.word(content, at).filter(|_| is_fault).map(Address);
    (number != 0).then(|| Event { name: signal(number), thread: None, address })
}

fn signal(number: u32) -> String {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let named = (number as usize).checked_sub(1).and_then(|index| NAMES.get(index));
    named.map_or_else(|| format!("signal {number}"), |&name| name.to_owned())
}
