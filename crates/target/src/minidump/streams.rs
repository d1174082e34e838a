use minidump::system_info::{Cpu, Os as DumpOs, PointerWidth};
use minidump::{
    Endian, Error as DumpError, Minidump as Streamed, MinidumpContext, MinidumpException,
    MinidumpMemoryInfoList, MinidumpMiscInfo, MinidumpModuleList, MinidumpStream, MinidumpSystemInfo,
    MinidumpThreadList, MinidumpThreadNames, MinidumpUnloadedModuleList, Module as _,
};
use residue_model::{
    Address, Event, Gap, Machine, Module, Os, Pages, Process, ProcessId, Range, Region, Thread,
};

use super::memory;
use crate::image::Segment;
use crate::procfs::{maps, printable};
use crate::{Error, ErrorKind, Result};

/// What the streams of a minidump say.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) process: Process,
    pub(super) machine: Machine,
    pub(super) bits: u8,
    pub(super) threads: Vec<Thread>,
    pub(super) modules: Vec<Module>,
    pub(super) event: Option<Event>,
    /// `MemoryInfoListStream`: what `VirtualQuery` said of every range.
    pub(super) queried: Option<Vec<Queried>>,
    /// `LinuxMaps`: `/proc/PID/maps` as it was.
    pub(super) mapped: Option<Vec<Region>>,
}

/// One range that is not free, as `VirtualQuery` described it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queried {
    pub(super) range: Range,
    pub(super) allocation_base: Address,
    pub(super) pages: Pages,
}

impl Streams {
    pub(super) fn is_windows(&self) -> bool {
        self.machine.os == Os::Windows
    }

    /// Whether this is the 64-bit process that carries a 32-bit program.
    pub(super) fn carries_32_bits(&self) -> bool {
        let is_wow64 =
            |module: &Module| module.file_name().eq_ignore_ascii_case("wow64.dll") && !module.unloaded;
        self.bits == 32 || self.modules.iter().any(is_wow64)
    }
}

/// Where streams stand in the file.
pub(super) struct Directory<'a> {
    pub(super) file: &'a [u8],
    entries: Vec<(u32, usize, usize)>,
    big_endian: bool,
}

impl<'a> Directory<'a> {
    /// A stream, as much of it as the file holds.
    pub(super) fn stream(&self, kind: u32) -> Option<&'a [u8]> {
        let &(_, start, size) = self.entries.iter().find(|(known, ..)| *known == kind)?;
        self.file.get(start..start.saturating_add(size).min(self.file.len()))
    }

    /// A number of up to eight bytes; none behind the end.
    pub(super) fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let raw = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big_endian { raw.iter().fold(0, add) } else { raw.iter().rev().fold(0, add) })
    }
}

/// Reads every stream that is known and whole; what is not becomes a gap.
pub(super) fn read(path: &str, file: &[u8], gaps: &mut Vec<Gap>) -> Result<(Streams, Vec<Segment>)> {
    let dump = Streamed::read(file).map_err(|error| {
        Error::new(ErrorKind::Syntax, format!("{path} is no usable minidump: {error}"))
            .help("was it cut off when it was copied? Compare its size with the original")
    })?;
    let directory = Directory {
        file,
        entries: dump
            .all_streams()
            .map(|entry| (entry.stream_type, entry.location.rva as usize, entry.location.data_size as usize))
            .collect(),
        big_endian: dump.endian == Endian::Big,
    };
    let held = memory::held(&directory, gaps);
    let mut streams = Streams { bits: 64, ..Streams::default() };
    let mut reader = Reader { dump: &dump, gaps };
    let system: Option<MinidumpSystemInfo> = reader.stream("the operating system and processor");
    let misc: Option<MinidumpMiscInfo> = dump.get_stream().ok();
    if let Some(system) = &system {
        describe(system, &mut streams);
    }
    streams.machine.big_endian = directory.big_endian;
    streams.modules = reader.modules();
    streams.threads = reader.threads(system.as_ref(), misc.as_ref());
    streams.event = reader.event(system.as_ref());
    streams.queried = reader.queried();
    streams.mapped = directory.stream(LINUX_MAPS).and_then(|text| reader.mapped(text));
    streams.process = process(&streams, misc.as_ref(), &directory);
    if held.is_empty() {
        gaps.push(Gap::new("all memory", "the dump holds none"));
    }
    Ok((streams, held))
}

/// Streams that Breakpad and Crashpad add for Linux processes.
const LINUX_PROC_STATUS: u32 = 0x4767_0004;
const LINUX_CMD_LINE: u32 = 0x4767_0006;
const LINUX_MAPS: u32 = 0x4767_0009;

struct Reader<'a, 'g> {
    dump: &'a Streamed<'a, &'a [u8]>,
    gaps: &'g mut Vec<Gap>,
}

impl<'a> Reader<'a, '_> {
    /// A stream that every dump should have.
    fn stream<S: MinidumpStream<'a>>(&mut self, what: &str) -> Option<S> {
        match self.dump.get_stream() {
            Ok(stream) => return Some(stream),
            Err(DumpError::StreamNotFound) => self.gaps.push(Gap::new(what, "the dump has no stream for it")),
            Err(error) => self.damaged(what, &error),
        }
        None
    }

    /// A stream that many dumps do without.
    fn optional<S: MinidumpStream<'a>>(&mut self, what: &str) -> Option<S> {
        match self.dump.get_stream() {
            Ok(stream) => return Some(stream),
            Err(DumpError::StreamNotFound) => {}
            Err(error) => self.damaged(what, &error),
        }
        None
    }

    fn damaged(&mut self, what: &str, error: &DumpError) {
        self.gaps.push(Gap::new(what, format!("its stream in the dump is damaged: {error}")));
    }

    fn modules(&mut self) -> Vec<Module> {
        let loaded: Option<MinidumpModuleList> = self.stream("programs and libraries");
        let unloaded: Option<MinidumpUnloadedModuleList> = self.optional("libraries that were unloaded");
        let mut modules: Vec<Module> = Vec::new();
        for module in loaded.iter().flat_map(MinidumpModuleList::iter) {
            let version = module.version().map(|version| printable(version.as_bytes()));
            modules.extend(named(module.base_address(), module.size(), &module.name, version, false));
        }
        for module in unloaded.iter().flat_map(MinidumpUnloadedModuleList::iter) {
            modules.extend(named(module.base_address(), module.size(), &module.name, None, true));
        }
        modules
    }

    fn threads(
        &mut self,
        system: Option<&MinidumpSystemInfo>,
        misc: Option<&MinidumpMiscInfo>,
    ) -> Vec<Thread> {
        let list: Option<MinidumpThreadList<'_>> = self.stream("threads");
        let names: Option<MinidumpThreadNames> = self.optional("names of threads");
        let mut threads = Vec::new();
        for thread in list.iter().flat_map(|list| &list.threads) {
            let tid = thread.raw.thread_id;
            let name = names.as_ref().and_then(|names| names.get_name(tid));
            let context = system.and_then(|system| thread.context(system, misc));
            threads.push(Thread {
                tid,
                is_main: threads.is_empty(),
                name: name.map(|name| printable(name.as_bytes())).unwrap_or_default(),
                stack_pointer: context.map(|context| Address(MinidumpContext::get_stack_pointer(&context))),
                control_block: Some(Address(thread.raw.teb)).filter(|teb| teb.0 != 0),
            });
        }
        threads
    }

    fn event(&mut self, system: Option<&MinidumpSystemInfo>) -> Option<Event> {
        let exception: MinidumpException<'_> = self.optional("the exception")?;
        let (os, cpu) =
            system.map_or((DumpOs::Unknown(0), Cpu::Unknown(0)), |system| (system.os, system.cpu));
        let reason = exception.get_crash_reason(os, cpu).to_string();
        Some(Event {
            name: printable(reason.as_bytes()),
            thread: Some(exception.get_crashing_thread_id()),
            address: Some(Address(exception.get_crash_address(os, cpu))),
        })
    }

    fn queried(&mut self) -> Option<Vec<Queried>> {
        let list: MinidumpMemoryInfoList<'_> = self.optional("the list of memory regions")?;
        let used = list.iter().map(|info| &info.raw).filter(|info| info.state != Pages::FREE);
        let query = |info: &minidump::format::MINIDUMP_MEMORY_INFO| {
            let end = info.base_address.saturating_add(info.region_size);
            Queried {
                range: Range { start: Address(info.base_address), end: Address(end) },
                allocation_base: Address(info.allocation_base),
                pages: Pages { state: info.state, kind: Some(info._type), protect: Some(info.protection) },
            }
        };
        Some(used.map(query).collect())
    }

    fn mapped(&mut self, text: &[u8]) -> Option<Vec<Region>> {
        let mut regions = Vec::new();
        if let Err(error) = maps::read(text, &mut regions) {
            self.gaps.push(Gap::new("some of the region list", format!("LinuxMaps of the dump: {error}")));
        }
        (!regions.is_empty()).then_some(regions)
    }
}

fn named(base: u64, size: u64, name: &str, version: Option<String>, unloaded: bool) -> Option<Module> {
    let range = Range { start: Address(base), end: Address(base.checked_add(size)?) };
    let name = printable(name.as_bytes()).into();
    (size > 0).then_some(Module { range, name, version, unloaded })
}

fn describe(system: &MinidumpSystemInfo, streams: &mut Streams) {
    let raw = &system.raw;
    let version = format!("{}.{}.{}", raw.major_version, raw.minor_version, raw.build_number);
    let pack = system.csd_version().map(|pack| printable(pack.trim().as_bytes())).unwrap_or_default();
    streams.machine = Machine {
        os: match system.os {
            DumpOs::Windows => Os::Windows,
            DumpOs::Linux | DumpOs::Android => Os::Linux,
            DumpOs::MacOs | DumpOs::Ios => Os::MacOs,
            _ => Os::Other,
        },
        // On Linux the text is all of `uname`, and the numbers are zeros.
        os_version: Some(match (raw.major_version, raw.minor_version) {
            (0, 0) => pack,
            _ => format!("{version} {pack}").trim_end().to_owned(),
        })
        .filter(|version| !version.is_empty()),
        cpu: Some(match system.cpu {
            Cpu::X86_64 => "x86-64".to_owned(),
            Cpu::Arm64 => "aarch64".to_owned(),
            Cpu::Unknown(number) => format!("unknown ({number})"),
            known => known.to_string(),
        }),
        big_endian: false,
    };
    streams.bits = if system.cpu.pointer_width() == PointerWidth::Bits32 { 32 } else { 64 };
}

fn process(streams: &Streams, misc: Option<&MinidumpMiscInfo>, directory: &Directory<'_>) -> Process {
    let pid = misc.and_then(|misc| misc.raw.process_id().copied()).or_else(|| linux_pid(directory));
    // The program is first in the list of every writer.
    let program = streams.modules.first().map(|module| module.file_name().to_owned());
    let command = directory.stream(LINUX_CMD_LINE).and_then(crate::census::command);
    Process {
        pid: ProcessId(pid.unwrap_or_default()),
        name: program.unwrap_or_default(),
        command,
        ..Process::default()
    }
}

/// `Pid:` of `/proc/PID/status`, which comes along in dumps of Linux processes.
fn linux_pid(directory: &Directory<'_>) -> Option<u32> {
    let status = directory.stream(LINUX_PROC_STATUS)?;
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Pid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}
