//! Modules and threads: one that is damaged must not cost the others.

use minidump::system_info::{Cpu, Os};
use minidump::{Endian, MinidumpContext, MinidumpMiscInfo, MinidumpRawContext, MinidumpSystemInfo};
use residue_model::{Address, Gap, Module, Range, Thread};

use super::directory::{Directory, Stream};
use crate::procfs::printable;

const THREADS: u32 = 3;
const MODULES: u32 = 4;

/// The programs and libraries that were loaded.
///
/// Source: `MINIDUMP_MODULE`, `VS_FIXEDFILEINFO`.
pub(super) fn modules(directory: &Directory<'_>, gaps: &mut Vec<Gap>) -> Vec<Module> {
    const SIZE: usize = 108;
    let Some(list) = list(directory, MODULES, "programs and libraries", gaps) else { return Vec::new() };
    let (entries, missing) = directory.entries(list, SIZE);
    let modules: Vec<Module> = entries.filter_map(|entry| module(directory, entry)).collect();
    lost("modules", missing, gaps);
    modules
}

fn module(directory: &Directory<'_>, entry: &[u8]) -> Option<Module> {
    const FIXED_INFO: usize = 24;
    const SIGNATURE: u32 = 0xfeef_04bd;
    let base = directory.number(entry, 0, 8)?;
    let size = directory.number(entry, 8, 4)?;
    let name = directory.size(entry, 20).and_then(|at| directory.text(at)).unwrap_or_default();
    let is_versioned = directory.int(entry, FIXED_INFO) == Some(SIGNATURE);
    let parts = [FIXED_INFO + 8, FIXED_INFO + 12].map(|at| directory.int(entry, at).unwrap_or_default());
    let version = is_versioned.then(|| {
        let [high, low] = parts;
        format!("{}.{}.{}.{}", high >> 16, high & 0xffff, low >> 16, low & 0xffff)
    });
    named(base, size, &name, version, false)
}

/// A module, if it has any size and ends inside the address space.
pub(super) fn named(
    base: u64,
    size: u64,
    name: &str,
    version: Option<String>,
    unloaded: bool,
) -> Option<Module> {
    let range = Range { start: Address(base), end: Address(base.checked_add(size)?) };
    let name = printable(name.as_bytes()).into();
    (size > 0).then_some(Module { range, name, version, unloaded })
}

/// The threads, without their names.
///
/// Source: `MINIDUMP_THREAD`.
pub(super) fn threads(
    directory: &Directory<'_>,
    system: Option<&MinidumpSystemInfo>,
    misc: Option<&MinidumpMiscInfo>,
    gaps: &mut Vec<Gap>,
) -> Vec<Thread> {
    const SIZE: usize = 48;
    let Some(list) = list(directory, THREADS, "threads", gaps) else { return Vec::new() };
    let (entries, missing) = directory.entries(list, SIZE);
    let mut threads: Vec<Thread> = Vec::new();
    let is_linux = matches!(platform(system).0, Os::Linux | Os::Android);
    for entry in entries {
        let context = system.and_then(|system| context(directory, entry, system, misc));
        threads.push(Thread {
            tid: directory.int(entry, 0).unwrap_or_default(),
            is_main: threads.is_empty(),
            stack_pointer: context.as_ref().map(|context| Address(context.get_stack_pointer())),
            registers: context.filter(|_| is_linux).map(|context| registers(&context)).unwrap_or_default(),
            control_block: directory.number(entry, 16, 8).filter(|&teb| teb != 0).map(Address),
            ..Thread::default()
        });
    }
    lost("threads", missing, gaps);
    threads
}

fn context(
    directory: &Directory<'_>,
    entry: &[u8],
    system: &MinidumpSystemInfo,
    misc: Option<&MinidumpMiscInfo>,
) -> Option<MinidumpContext> {
    let (size, start) = (directory.size(entry, 40)?, directory.size(entry, 44)?);
    let raw = directory.bytes(start, size)?;
    let order = if directory.big_endian { Endian::Big } else { Endian::Little };
    MinidumpContext::read(raw, order, system, misc).ok()
}

/// The registers in the order that a Linux core has them; what a context does not hold (segments, the number of a system
/// call) is left out where it comes last, and 0 elsewhere.
fn registers(context: &MinidumpContext) -> Vec<u64> {
    match &context.raw {
        MinidumpRawContext::Amd64(raw) => vec![
            raw.r15,
            raw.r14,
            raw.r13,
            raw.r12,
            raw.rbp,
            raw.rbx,
            raw.r11,
            raw.r10,
            raw.r9,
            raw.r8,
            raw.rax,
            raw.rcx,
            raw.rdx,
            raw.rsi,
            raw.rdi,
            0,
            raw.rip,
            raw.cs.into(),
            raw.eflags.into(),
            raw.rsp,
        ],
        MinidumpRawContext::X86(raw) => {
            let first = [raw.ebx, raw.ecx, raw.edx, raw.esi, raw.edi, raw.ebp, raw.eax];
            let segments = [raw.ds, raw.es, raw.fs, raw.gs];
            let rest = [0, raw.eip, raw.cs, raw.eflags, raw.esp];
            first.into_iter().chain(segments).chain(rest).map(u64::from).collect()
        }
        MinidumpRawContext::Arm(raw) => raw.iregs.iter().map(|&value| value.into()).collect(),
        // The rest have them in the order of their numbers, in both.
        _ => context.registers().map(|(_, value)| value).collect(),
    }
}

/// What the system is called by whoever names exceptions.
pub(super) fn platform(system: Option<&MinidumpSystemInfo>) -> (Os, Cpu) {
    system.map_or((Os::Unknown(0), Cpu::Unknown(0)), |system| (system.os, system.cpu))
}

fn list<'a>(directory: &Directory<'a>, kind: u32, what: &str, gaps: &mut Vec<Gap>) -> Option<&'a [u8]> {
    let why = match directory.stream(kind) {
        Stream::Whole(list) => return Some(list),
        Stream::Absent => "the dump has no stream for them",
        Stream::Outside => "their stream reaches beyond the end of the dump: it was cut off or damaged",
    };
    gaps.push(Gap::new(what, why));
    None
}

fn lost(what: &str, missing: u64, gaps: &mut Vec<Gap>) {
    if missing > 0 {
        gaps.push(Gap::new(
            format!("{missing} {what} that the dump counts"),
            "their list is shorter than its own count: it was cut off or damaged",
        ));
    }
}
