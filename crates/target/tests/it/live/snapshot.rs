use std::env;

use procfs::Current;
use procfs::process::MemoryMap;
use residue_model::{AddressSpace, Bytes, Counter, ProcessId, Region, Source};
use residue_target::Care;
use residue_target::ErrorKind;
use residue_target::live::linux::snapshot;
use residue_testkit::Program;

use super::{agreed, counter, exactly, oracle, pid, proc_dir, told};

/// Where a region stands, and its counters in order.
type Facts = ((u64, u64), Vec<(Counter, u64)>);

fn of_region(region: &Region) -> Facts {
    let counters = Counter::ALL.iter().filter_map(|&kind| Some((kind, counter(region, kind)?)));
    ((region.range.start.0, region.range.end.0), counters.collect())
}

fn of_oracle(map: &MemoryMap) -> Facts {
    let known = map.extension.map.iter();
    let mut counters: Vec<(Counter, u64)> =
        known.filter_map(|(key, &bytes)| Some((Counter::from_key(key.as_bytes())?, bytes))).collect();
    counters.sort_by_key(|&(counter, _)| counter as u8);
    (map.address, counters)
}

#[test]
fn a_snapshot_is_what_the_oracle_sees() {
    let layout = Program::build("layout").spawn(&[]);

    let known = || oracle(pid(&layout)).iter().map(of_oracle).collect::<Vec<Facts>>();
    let read = || exactly(pid(&layout)).regions.iter().map(of_region).collect::<Vec<Facts>>();
    agreed(known, read, |known, read| known == read);

    let snapshot = exactly(pid(&layout));
    assert_eq!(
        (snapshot.source, snapshot.process.maps),
        (Source::Smaps, Some(snapshot.regions.len() as u64))
    );
}

#[test]
fn what_a_program_made_is_found_with_its_size_and_what_was_touched() {
    let layout = Program::build("layout").spawn(&[]);
    let snapshot = exactly(pid(&layout));

    for name in ["anon_64k", "anon_256k", "anon_8m", "reserved", "committed", "jit", "lazyfree", "locked"] {
        let region = told(&snapshot, &layout, name);
        assert_eq!(region.size().0, layout.number(&format!("{name}_bytes")), "{name}");
        let touched = layout.number(&format!("{name}_touched"));
        assert_eq!(counter(region, Counter::Rss), Some(touched), "{name}");
        assert_eq!(region.counters.uss(), Some(Bytes(touched)), "{name}");
    }
    let locked = told(&snapshot, &layout, "locked");
    assert_eq!(counter(locked, Counter::Locked), Some(32_768 * layout.number("locked_works")));
}

#[test]
fn a_system_v_segment_knows_its_creator() {
    let layout = Program::build("layout").spawn(&[]);
    let snapshot = exactly(pid(&layout));

    let segment = told(&snapshot, &layout, "sysv").segment.clone().expect("it is in this namespace");

    assert_eq!((segment.id, segment.size), (layout.number("sysv_id"), Bytes::mib(1)));
    assert_eq!((segment.attached, segment.creator), (1, layout.pid()));
}

#[test]
fn odd_and_deleted_files_keep_their_names() {
    let layout = Program::build("layout").spawn(&[]);
    let snapshot = exactly(pid(&layout));

    let odd = told(&snapshot, &layout, "odd").name().to_owned();
    assert!(odd.ends_with(r"/a b\012c\xff.dat"), "{odd}");
    let gone = told(&snapshot, &layout, "deleted");
    assert_eq!((gone.name().as_bytes(), gone.deleted), (layout.bytes("deleted_path").as_slice(), true));
}

#[test]
fn every_thread_is_listed_and_shows_where_its_stack_is() {
    let layout = Program::build("layout").spawn(&[]);
    let snapshot = exactly(pid(&layout));

    assert_eq!(snapshot.threads.len() as u64, layout.number("threads"));
    for (key, name) in [("worker0", "worker-0"), ("custom", "custom"), ("arena_thread", "arena")] {
        let thread = snapshot
            .threads
            .iter()
            .find(|thread| u64::from(thread.tid) == layout.number(&format!("{key}_tid")));
        let thread = thread.unwrap_or_else(|| panic!("{key} is not listed"));
        assert_eq!(thread.name, name);
        let stack = told(&snapshot, &layout, &format!("{key}_stack"));
        assert!(thread.control_block.is_some_and(|list| stack.range.contains(list)), "{key}: {thread:?}");
    }
}

#[test]
fn many_regions_are_all_there() {
    let regions = Program::build("regions").spawn(&["count=5000"]);
    let snapshot = exactly(pid(&regions));

    let start = regions.number("start");
    let end = start + regions.number("bytes");
    let mine = snapshot.regions.iter().filter(|region| (start..end).contains(&region.range.start.0));
    let sizes: Vec<u64> = mine.map(|region| region.size().0).collect();
    assert_eq!(sizes, vec![regions.number("region_bytes"); 5000]);
}

/// Other tests allocate beside this one: only what none of them moves can be compared.
#[test]
fn we_ourselves_run_from_our_own_file() {
    let me = ProcessId(std::process::id());
    let exe = env::current_exe().expect("it runs").to_string_lossy().into_owned();
    let mine: Vec<(u64, u64)> = exactly(me)
        .regions
        .iter()
        .filter(|region| region.name() == exe)
        .map(|region| (region.range.start.0, region.range.end.0))
        .collect();
    let known = procfs::process::Process::myself().and_then(|me| me.maps()).expect("the oracle reads us");
    let oracle: Vec<(u64, u64)> = known
        .iter()
        .filter(|map| map.pathname == procfs::process::MMapPath::Path(exe.clone().into()))
        .map(|map| map.address)
        .collect();
    assert!(mine.len() >= 4, "{mine:?}");
    assert_eq!(mine, oracle);
}

#[test]
fn the_bounds_of_a_process_are_those_of_its_machine() {
    let layout = Program::build("layout").spawn(&[]);
    let snapshot = exactly(pid(&layout));

    let AddressSpace { bits, range } = snapshot.space;
    assert_eq!(bits, 64);
    assert!(
        snapshot
            .regions
            .iter()
            .filter(|region| region.name() != "[vsyscall]")
            .all(|region| { range.start <= region.range.start && region.range.end <= range.end })
    );
    let oracle = procfs::Meminfo::current().expect("the oracle reads the machine");
    assert_eq!(snapshot.system.total, Some(Bytes(oracle.mem_total)));
}

#[test]
fn who_does_not_exist_cannot_be_read() {
    // Beyond the largest number that the kernel gives: `PID_MAX_LIMIT` is 2²².
    let error = snapshot(&proc_dir(), ProcessId(1 << 22), Care::Exact).expect_err("nobody");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "there is no process 4194304")
    );
}

#[test]
fn a_zombie_has_no_memory_and_says_so() {
    let zombie = Program::build("zombie").spawn(&[]);
    let number = zombie.number("zombie");
    let dead = ProcessId(u32::try_from(number).expect("a pid"));

    for care in [Care::Exact, Care::Always] {
        let error = snapshot(&proc_dir(), dead, care).expect_err("it has ended");
        assert_eq!(error.kind(), ErrorKind::NoMemory);
        assert_eq!(error.to_string(), format!("process {number} (zombie) has ended: it is a zombie"));
        assert!(error.remedy().is_some_and(|help| help.contains(&format!("parent {}", zombie.pid()))));
    }
}

#[test]
fn a_kernel_thread_has_no_memory_and_says_so() {
    // kthreadd; in a pid namespace of its own a machine shows none.
    let stat = std::fs::read_to_string("/proc/2/stat").unwrap_or_default();
    if !stat.starts_with("2 (kthreadd)") {
        return;
    }
    let error = snapshot(&proc_dir(), ProcessId(2), Care::Exact).expect_err("it is the kernel's");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NoMemory, "process 2 (kthreadd) is a kernel thread")
    );
}
