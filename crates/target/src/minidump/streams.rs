use minidump::system_info::{Cpu, Os as DumpOs, PointerWidth};
use minidump::{
    Endian, Error as DumpError, Minidump as Streamed, MinidumpException, MinidumpMemoryInfoList,
    MinidumpMiscInfo, MinidumpStream, MinidumpSystemInfo, MinidumpThreadNames, MinidumpUnloadedModuleList,
    Module as _,
};
use residue_model::{
    Address, Event, Gap, Machine, Module, Os, Pages, Process, ProcessId, Range, Region, Thread,
};

use super::directory::Directory;
use super::lists::{modules, named, platform, threads};
use super::memory;
use crate::image::Segment;
use crate::procfs::{maps, printable};
use crate::windows::Queried;
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

impl Streams {
    pub(super) fn is_windows(&self) -> bool {
        self.machine.os == Os::Windows
    }
}

/// Reads every stream that is known and whole; what is not becomes a gap.
pub(super) fn read(path: &str, file: &[u8], gaps: &mut Vec<Gap>) -> Result<(Streams, Vec<Segment>)> {
    let dump = Streamed::read(file).map_err(|error| {
        Error::new(ErrorKind::Syntax, format!("{path} is no usable minidump: {error}"))
            .help("was it cut off when it was copied? Compare its size with the original")
    })?;
    let directory = Directory::read(file, dump.endian == Endian::Big);
    let held = memory::held(&directory, gaps);
    // Until the dump says otherwise, nothing is known of its machine.
    let machine = Machine { os: Os::Other, ..Machine::default() };
    let mut streams = Streams { bits: 64, machine, ..Streams::default() };
    let mut reader = Reader { dump: &dump, gaps };
    let system: Option<MinidumpSystemInfo> = reader.stream("the operating system and processor");
    let misc: Option<MinidumpMiscInfo> = dump.get_stream().ok();
    if let Some(system) = &system {
        describe(system, &mut streams);
    }
    streams.machine.big_endian = directory.big_endian;
    streams.modules = modules(&directory, reader.gaps);
    streams.modules.extend(reader.unloaded());
    streams.threads = threads(&directory, system.as_ref(), misc.as_ref(), reader.gaps);
    reader.name(&mut streams.threads);
    streams.event = reader.event(system.as_ref());
    streams.queried = reader.queried();
    streams.mapped = directory.streams(LINUX_MAPS).next().and_then(|text| reader.mapped(text));
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

    fn unloaded(&mut self) -> Vec<Module> {
        let list: Option<MinidumpUnloadedModuleList> = self.optional("libraries that were unloaded");
        let modules = list.iter().flat_map(MinidumpUnloadedModuleList::iter);
        modules
            .filter_map(|module| named(module.base_address(), module.size(), &module.name, None, true))
            .collect()
    }

    fn name(&mut self, threads: &mut [Thread]) {
        let Some(names) = self.optional::<MinidumpThreadNames>("names of threads") else { return };
        for thread in threads {
            if let Some(name) = names.get_name(thread.tid) {
                thread.name = printable(name.as_bytes());
            }
        }
    }

    fn event(&mut self, system: Option<&MinidumpSystemInfo>) -> Option<Event> {
        let exception: MinidumpException<'_> = self.optional("the exception")?;
        let (os, cpu) = platform(system);
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
                resident: None,
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
            (0, 0) => pack.strip_prefix("Linux ").map(str::to_owned).unwrap_or(pack),
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
    let command = directory.streams(LINUX_CMD_LINE).next().and_then(crate::census::command);
    Process {
        pid: ProcessId(pid.unwrap_or_default()),
        name: program.unwrap_or_default(),
        command,
        ..Process::default()
    }
}

/// `Pid:` of `/proc/PID/status`, which comes along in dumps of Linux processes.
fn linux_pid(directory: &Directory<'_>) -> Option<u32> {
    let status = directory.streams(LINUX_PROC_STATUS).next()?;
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Pid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}
