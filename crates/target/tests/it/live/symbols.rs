//! Names for the addresses that a program tells of itself: while it runs, in a container, and from its cores.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use residue_model::{
    Address, Bytes, Dump, Memory, NoMemory, Pieces, ProcessId, Protection, Range, Region, Snapshot, Visit,
};
use residue_target::live::linux::{DumpOptions, Process, ProcessMemory, dump, layout};
use residue_target::symbols::{Frame, Modules, Symbol, SymbolKind, WithFiles};
use residue_target::{Care, Target, open_dump};
use residue_testkit::{Facts, Program};
use tempfile::TempDir;

use super::dump::CoreFile;
use super::proc_dir;

/// A program that was started by the test itself: from a folder of its own, or within another root.
struct Started {
    child: Child,
    facts: Facts,
}

impl Started {
    fn by(command: &mut Command) -> Started {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("it was asked for");
        BufReader::new(output).read_line(&mut line).expect("it tells when it is ready");
        let facts = Facts::of(line.trim_end());
        assert_eq!(facts.word(), "ready", "{command:?}");
        Started { child, facts }
    }

    fn pid(&self) -> ProcessId {
        ProcessId(self.child.id())
    }

    fn at(&self, name: &str) -> Address {
        Address(self.facts.number(name))
    }

    fn snapshot(&self) -> Snapshot {
        layout(&proc_dir(), self.pid()).expect("it runs")
    }

    fn memory(&self) -> ProcessMemory {
        ProcessMemory::open(&proc_dir(), self.pid()).expect("we may read our children")
    }

    fn modules(&self) -> Modules {
        Modules::of(&self.snapshot(), &self.memory())
    }

    fn dump(&self, folder: &Path) -> PathBuf {
        let path = folder.join("core");
        let options = DumpOptions { force: true, ..DumpOptions::default() };
        dump(&proc_dir(), self.pid(), &options, &path, &mut |_| {}).expect("our children can be dumped");
        path
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

/// A copy under a path of its own, so that a test can delete or replace it.
fn copied(flags: &[&str], folder: &Path) -> PathBuf {
    let program = flags.iter().fold(Program::build("named"), |program, flag| program.flag(flag));
    let path = folder.join("named");
    let _ = fs::remove_file(&path);
    // By a process of its own: a test beside us that forks would hold the file open for writing, and none may run then.
    let done = Command::new("cp").args([&program.path().expect("it compiles"), &path]).status();
    assert!(done.is_ok_and(|status| status.success()), "there is room");
    path
}

fn opened(core: &Path) -> Box<dyn Target> {
    let path = core.to_str().expect("a plain path");
    open_dump(path, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn symbol(modules: &Modules, address: Address) -> Symbol {
    modules.symbol_at(address).unwrap_or_else(|| panic!("{address} is in no module: {:?}", modules.gaps()))
}

fn shown(modules: &Modules, address: Address) -> String {
    symbol(modules, address).to_string()
}

/// What the program told of itself has its names.
fn is_named(modules: &Modules, program: &Started) {
    let at = |name| shown(modules, program.at(name));
    assert_eq!(at("g_cache_at"), "g_cache+0x8 in named");
    assert_eq!(at("hidden_count_at"), "hidden_count in named");
    assert_eq!(at("spare_at"), "spare+0x64 in named");
    assert_eq!(at("g_words_at"), "g_words in named");
    assert_eq!(at("parse_request_at"), "parse_request+0x1 in named");
    assert!(modules.symbol_at(program.at("heap_at")).is_none());
    let cache = symbol(modules, program.at("g_cache_at"));
    assert_eq!((cache.kind, cache.size, cache.is_exact()), (SymbolKind::Object, Some(Bytes(64)), true));
    assert_eq!(symbol(modules, program.at("parse_request_at")).kind, SymbolKind::Function);
    assert_eq!(modules.find("named", "spare"), [Address(program.at("spare_at").0 - 100)]);
}

#[test]
fn variables_and_functions_of_a_running_program_have_names() {
    let folder = folder();
    let program = Started::by(&mut Command::new(copied(&[], folder.path())));
    let modules = program.modules();
    is_named(&modules, &program);
    assert_eq!(modules.gaps(), []);
    let malloc = symbol(&modules, program.at("malloc_at"));
    assert_eq!((malloc.name.as_str(), malloc.offset), ("malloc", Bytes(0)));
    assert!(malloc.module.starts_with("libc"), "{malloc}");
    let names: Vec<&str> = modules.list().map(residue_model::Module::file_name).collect();
    assert!(names.contains(&"named") && names.contains(&"[vdso]"), "{names:?}");
}

#[test]
fn without_symbols_the_section_is_named() {
    let folder = folder();
    let program = Started::by(&mut Command::new(copied(&["-s"], folder.path())));
    let modules = program.modules();
    let of = |name| {
        let symbol = symbol(&modules, program.at(name));
        assert!(!symbol.is_exact());
        (symbol.name, symbol.kind)
    };
    assert_eq!(of("g_cache_at"), (".data".to_owned(), SymbolKind::Section));
    assert_eq!(of("spare_at"), (".bss".to_owned(), SymbolKind::Section));
    assert_eq!(of("g_words_at"), (".rodata".to_owned(), SymbolKind::Section));
    assert_eq!(of("parse_request_at"), (".text".to_owned(), SymbolKind::Section));
}

/// What runs in a container has paths that mean nothing outside, or something else.
#[test]
fn a_program_in_a_container_is_read_through_its_own_root() {
    const ENTER: &str = "mount -t tmpfs none \"$0\" && cp \"$1\" \"$0/named\" && mkdir \"$0/old\" && cd \"$0\" && \
                         pivot_root . old && exec /named";
    let (outside, root) = (folder(), folder());
    let path = copied(&["-static"], outside.path());
    // Who is not root is it in a user namespace of his own.
    let program = Started::by(
        Command::new("unshare").args(["-r", "-m", "sh", "-c", ENTER]).arg(root.path()).arg(&path),
    );
    let snapshot = program.snapshot();
    assert!(snapshot.regions.iter().any(|region| region.name() == "/named"));
    assert!(!Path::new("/named").exists());
    fs::remove_file(&path).expect("it is there");
    is_named(&program.modules(), &program);
}

/// A process whose first pages say that its program headers stand elsewhere, as BOLT leaves them.
struct Moved<'a>(&'a dyn Memory, Address);

impl Memory for Moved<'_> {
    fn walk(&self, range: Range, window: &mut Vec<u8>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        const HEADERS_AT: std::ops::Range<usize> = 32..40;
        self.0.walk(range, window, &mut |at, piece| {
            if at != self.1 || piece.len() < HEADERS_AT.end {
                return visit(at, piece);
            }
            let mut piece = piece.to_vec();
            piece[HEADERS_AT].copy_from_slice(&(80_u64 << 20).to_le_bytes());
            visit(at, &piece)
        })
    }
}

#[test]
fn headers_that_stand_elsewhere_are_taken_from_the_file() {
    let folder = folder();
    let program = Started::by(&mut Command::new(copied(&[], folder.path())));
    let snapshot = program.snapshot();
    let first =
        snapshot.regions.iter().find(|region| region.name().ends_with("/named")).expect("it is mapped");
    let modules = Modules::of(&snapshot, &Moved(&program.memory(), first.range.start));
    is_named(&modules, &program);
}

/// `perf` and debuggers map programs to read them: nothing of that is loaded, whatever stands around it.
#[test]
fn a_program_that_is_only_mapped_to_be_read_is_no_module() {
    let folder = folder();
    let path = copied(&[], folder.path());
    let bytes = fs::read(&path).expect("it is there");
    let at = 0x7000_0000;
    let region = Region {
        range: Range { start: Address(at), end: Address(at + bytes.len().next_multiple_of(4096) as u64) },
        protection: Protection { read: true, ..Protection::default() },
        name: path.to_str().map(Into::into),
        inode: 1,
        ..Region::default()
    };
    let around = |start| Region {
        range: Range { start, end: Address(start.0 + (1 << 20)) },
        protection: Protection { read: true, write: true, ..Protection::default() },
        ..Region::default()
    };
    let snapshot = Snapshot {
        regions: vec![region.clone(), around(region.range.end)],
        dump: Some(Dump::default()),
        ..Snapshot::default()
    };
    let modules = Modules::of(&snapshot, &Pieces(vec![(Address(at), &bytes)]));
    assert_eq!((modules.list().count(), modules.gaps()), (0, &[][..]));
}

#[test]
fn a_deleted_file_is_read_where_the_kernel_keeps_it_or_a_gap_says_that_it_is_not() {
    let folder = folder();
    let path = copied(&[], folder.path());
    let program = Started::by(&mut Command::new(&path));
    fs::remove_file(&path).expect("it is there");
    let snapshot = program.snapshot();
    let region = snapshot.regions.iter().find(|region| region.deleted).expect("the kernel says so");
    let (start, end) = (region.range.start.0, region.range.end.0);
    let kept = fs::File::open(format!("/proc/{}/map_files/{start:x}-{end:x}", program.pid()));
    let modules = program.modules();
    if kept.is_ok() {
        is_named(&modules, &program);
    } else {
        let gap = &modules.gaps()[0];
        assert!(gap.what.contains("/named") && gap.why.contains("run as root"), "{gap:?}");
        assert_eq!(symbol(&modules, program.at("g_cache_at")).kind, SymbolKind::Module);
    }
}

#[test]
fn a_core_has_names_as_long_as_its_files_are_here() {
    let folder = folder();
    let path = copied(&[], folder.path());
    let program = Started::by(&mut Command::new(&path));
    let prefix = folder.path().join("gdb");
    let gcore = Command::new("gcore").arg("-o").arg(prefix).arg(program.pid().to_string()).output();
    let gcore = gcore.expect("gdb is installed");
    assert!(gcore.status.success(), "{}", String::from_utf8_lossy(&gcore.stderr));
    let by_gdb = folder.path().join(format!("gdb.{}", program.pid()));
    for core in [program.dump(folder.path()), by_gdb] {
        let target = opened(&core);
        let snapshot = target.snapshot().expect("a dump does not change");
        let modules = Modules::of(&snapshot, target.memory().expect("a dump has memory"));
        is_named(&modules, &program);
        assert!(shown(&modules, program.at("malloc_at")).starts_with("malloc in libc"));
        assert_eq!(modules.gaps(), [], "{}", core.display());
    }
    fs::remove_file(&path).expect("it is there");
    let target = opened(&folder.path().join("core"));
    let modules = Modules::of(&target.snapshot().expect("as before"), target.memory().expect("as before"));
    let gap = modules.gaps().iter().find(|gap| gap.what.contains("/named")).expect("what is missing is said");
    assert!(gap.why.contains("is not here"), "{gap:?}");
}

/// A name of another build would be worse than none. Each pair differs in what the loader sees of it, or only in the ID.
#[test]
fn a_file_of_another_build_is_not_used() {
    const ID: &str = "-Wl,--build-id=0x00112233445566778899";
    const OTHER_ID: &str = "-Wl,--build-id=0x00112233445566778898";
    const NO_ID: &str = "-Wl,--build-id=none";
    let pairs: [(&[&str], &[&str], &str); 3] = [
        (&[ID], &[OTHER_ID], "build ID is another"),
        (&[], &["-static"], "program headers"),
        (&[NO_ID], &[NO_ID, "-O3", "-DOTHER"], "another"),
    ];
    for (first, second, why) in pairs {
        let folder = folder();
        let program = Started::by(&mut Command::new(copied(first, folder.path())));
        let core = program.dump(folder.path());
        copied(second, folder.path());
        let target = opened(&core);
        let memory = target.memory().expect("a dump has memory");
        let modules = Modules::of(&target.snapshot().expect("a dump does not change"), memory);
        let gap = modules.gaps().iter().find(|gap| gap.what.contains("/named")).expect("it is said");
        assert!(gap.why.contains("of another build") && gap.why.contains(why), "{gap:?}");
        let cache = symbol(&modules, program.at("g_cache_at"));
        assert_eq!((cache.kind, &*cache.module), (SymbolKind::Module, "named"));

        let files = WithFiles { memory, modules: &modules };
        assert_eq!(files.read(program.at("parse_request_at"), &mut [0; 16]), 0, "bytes of another build");
    }
}

#[test]
fn code_and_constants_that_a_core_left_out_come_from_the_file_and_variables_never_do() {
    let folder = folder();
    let program = Started::by(&mut Command::new(copied(&[], folder.path())));
    let target = opened(&program.dump(folder.path()));
    let memory = target.memory().expect("a dump has memory");
    let modules = Modules::of(&target.snapshot().expect("a dump does not change"), memory);
    let files = WithFiles { memory, modules: &modules };
    for name in ["parse_request_at", "malloc_at", "g_words_at"] {
        let (mut known, mut read) = ([0; 8192], [0; 8192]);
        let length = program.memory().read(program.at(name), &mut known);
        assert!(length >= 32);
        assert_eq!(memory.read(program.at(name), &mut read), 0, "{name} is in the core");
        assert!(files.read(program.at(name), &mut read) >= length.min(64));
        let same = known.iter().zip(&read).take_while(|(known, read)| known == read).count();
        assert!(same >= length.min(64), "{name}: {same} bytes of {length}");
        let end = Address(program.at(name).0 + 64);
        let (mut walked, range) = (Vec::new(), Range { start: program.at(name), end });
        let _ = files.walk(range, &mut Vec::new(), &mut |_, piece| {
            walked.extend_from_slice(piece);
            ControlFlow::Continue(())
        });
        assert_eq!(walked, known[..64]);
    }
    let only_files = WithFiles { memory: &NoMemory, modules: &modules };
    assert_eq!(only_files.read(program.at("g_words_at"), &mut [0; 16]), 16);
    assert_eq!(only_files.read(program.at("g_cache_at"), &mut [0; 16]), 0);
    assert_eq!(only_files.read(program.at("hidden_count_at"), &mut [0; 16]), 0);
}

/// The frames that hold the marks which the program told, by name.
fn holding<'a>(frames: &'a [Frame], program: &Started, name: &str) -> &'a str {
    let mark = program.at(name);
    let frame = frames.iter().find(|frame| frame.stack.contains(mark));
    let frame = frame.unwrap_or_else(|| panic!("{name} {mark} is in no frame of {frames:#?}"));
    &frame.symbol.as_ref().expect("it has a name").name
}

fn registers(core: &Path) -> Vec<u64> {
    let core = CoreFile::open(core);
    let (_, status) = core.notes.iter().find(|(kind, _)| *kind == 1).expect("it has a thread");
    let words = status[112..112 + 27 * 8].chunks_exact(8);
    words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
}

/// Without frame pointers, through libc and through a signal's handler.
#[test]
fn the_stack_of_a_stopped_thread_is_followed_to_main() {
    for by_signal in [false, true] {
        let folder = folder();
        let path = copied(&["-O2", "-fomit-frame-pointer"], folder.path());
        let program = Started::by(Command::new(path).arg(format!("signal={}", u8::from(by_signal))));
        let core = program.dump(folder.path());
        let target = opened(&core);
        let snapshot = target.snapshot().expect("a dump does not change");
        let live = program.memory();
        let of_core = target.memory().expect("a dump has memory");
        let runs: [(&dyn Memory, Snapshot); 2] = [(of_core, snapshot), (&live, program.snapshot())];
        for (memory, snapshot) in runs {
            let modules = Modules::of(&snapshot, memory);
            let frames = modules.frames(&registers(&core), memory);
            let names: Vec<&str> = frames
                .iter()
                .filter_map(|frame| frame.symbol.as_ref().filter(|symbol| &*symbol.module == "named"))
                .map(|symbol| symbol.name.as_str())
                .filter(|name| !name.contains("hear") && !name.contains("dwell"))
                .collect();
            let known: &[&str] = if by_signal {
                &["at_rest", "parse_request", "on_signal", "serve", "main", "_start"]
            } else {
                &["at_rest", "parse_request", "serve", "main", "_start"]
            };
            assert_eq!(names, known, "{frames:#?}");
            assert_eq!(holding(&frames, &program, "innermost_at"), "at_rest");
            assert_eq!(holding(&frames, &program, "middle_at"), "parse_request");
            assert_eq!(holding(&frames, &program, "outermost_at"), "serve");
            if by_signal {
                assert_eq!(holding(&frames, &program, "handler_at"), "on_signal");
            }
            let inner = frames[0].symbol.as_ref().expect("it waits in libc");
            assert!(inner.module.starts_with("libc"), "{inner}");
        }
    }
}

/// From registers that lead nowhere a frame or none is shown, and no harm done.
#[test]
fn nonsense_in_registers_ends_the_stack() {
    let folder = folder();
    let program = Started::by(&mut Command::new(copied(&[], folder.path())));
    let (modules, memory) = (program.modules(), program.memory());
    assert_eq!(modules.frames(&[], &memory), []);
    assert_eq!(modules.frames(&[0; 27], &memory), []);
    assert!(modules.frames(&[u64::MAX; 27], &memory).len() <= 1);
    let mut lost = [program.at("spare_at").0; 27];
    lost[16] = program.at("parse_request_at").0;
    assert!(modules.frames(&lost, &memory).len() <= 2);
}

/// `residue refs` looks at a process as any target.
#[test]
fn a_target_of_its_own_pid_is_named_too() {
    static MARK: u64 = 0x5eed;
    let target = Process::find(&std::process::id().to_string(), Care::Exact).expect("we run");
    let snapshot = target.layout().expect("we run");
    let modules = Modules::of(&snapshot, target.memory().expect("we may read ourselves"));
    let found = symbol(&modules, Address(std::ptr::from_ref(&MARK).addr() as u64));
    assert!(found.name.contains("a_target_of_its_own_pid_is_named_too::MARK"), "{found}");
}
