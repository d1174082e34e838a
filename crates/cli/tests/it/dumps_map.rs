//! `map` of a dump: the address space as the process had it, and as WinDbg lists it.

use std::collections::BTreeMap;

use residue_testkit::Running;
use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::dumped::{Dumped, fixture};
use crate::harness::{address, document, number, residue, row_of, rows, text, word};

/// A core of a process with one of each kind of region.
fn layout() -> Dumped {
    Dumped::of("layout", &[])
}

/// The region that holds an address.
#[track_caller]
fn at(map: &Value, place: u64) -> &Value {
    let holds = |region: &&Value| (address(region, "start")..address(region, "end")).contains(&place);
    rows(map, "regions").iter().find(holds).unwrap_or_else(|| panic!("no region holds {place:#x}"))
}

/// Where the program says that something begins, and how large it is.
fn told(program: &Running, fact: &str) -> (u64, u64) {
    (program.number(fact), program.number(&format!("{fact}_bytes")))
}

/// What a region is of: neither protection nor counters, which a core does not tell.
fn identity(region: &Value) -> (u64, &str, &str) {
    (number(region, "size"), word(region, "usage"), word(region, "name"))
}

/// A core keeps what the process was made of. Regions of files are compared by what they are for: of a file without
/// changes a core may save its first page only.
#[test]
fn a_core_has_the_regions_of_its_process() {
    let dumped = layout();

    let [live, core] = dumped.documents("map", &[]);

    for region in rows(&live, "regions") {
        let start = address(region, "start");
        let other = at(&core, start);
        assert_eq!(address(other, "start"), start, "{region}");
        let usage = word(region, "usage");
        let is_own = usage.starts_with("anonymous") || usage.contains("stack");
        if is_own || ["heap", "arena", "guard", "reserved", "data", "bss", "text"].contains(&usage) {
            assert_eq!(identity(other), identity(region));
            assert_eq!(other["state"], region["state"], "{region}");
            assert_eq!(other["allocation_base"], region["allocation_base"], "{region}");
            assert_eq!(other["threads"], region["threads"], "{region}");
        }
    }
}

#[test]
fn every_kind_of_memory_is_recognised_in_a_core() {
    let dumped = layout();

    let map = document(&["map", &dumped.core]);

    let program = &dumped.program;
    for (fact, usage) in [
        ("heap", "heap"),
        ("anon_64k", "anonymous_under_128k"),
        ("anon_256k", "anonymous_128k_to_1m"),
        ("anon_8m", "anonymous_1m_to_64m"),
        ("reserved", "reserved"),
        ("jit", "jit"),
        ("worker0_stack", "thread_stack"),
        ("custom_stack", "thread_stack"),
        ("sysv", "sysv_shm"),
        ("shm", "posix_shm"),
        ("memfd", "memfd"),
        ("shared", "shared_anonymous"),
        ("deleted", "mapped_file"),
    ] {
        let region = at(&map, program.number(fact));
        assert_eq!((address(region, "start"), number(region, "size")), told(program, fact), "{fact}");
        assert_eq!(word(region, "usage"), usage, "{fact}");
    }
    for (fact, usage) in [
        ("arena_block", "arena"),
        ("heap_block", "heap"),
        ("stack_here", "main_stack"),
        ("text_here", "text"),
        ("data_here", "data"),
        ("vdso", "vdso"),
    ] {
        assert_eq!(word(at(&map, program.number(fact)), "usage"), usage, "{fact}");
    }
    for thread in ["worker0", "worker1", "worker2", "custom", "arena_thread"] {
        let stack = at(&map, program.number(&format!("{thread}_stack")));
        assert_eq!(stack["threads"], json!([program.number(&format!("{thread}_tid"))]), "{thread}");
    }
}

/// The kernel maps a file once: that a core saved its first page only does not make two regions of it.
#[test]
fn a_file_of_which_only_a_part_was_saved_is_one_region() {
    let dumped = layout();

    let [live, core] = dumped.documents("map", &[]);

    let of = |map: &Value| {
        let mut names: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for region in rows(map, "regions").iter().filter(|region| word(region, "name").starts_with('/')) {
            let place = (address(region, "start"), number(region, "size"));
            names.entry(word(region, "name").to_owned()).or_default().push(place);
        }
        names
    };
    assert_eq!(of(&core), of(&live));
}

#[test]
fn a_dump_is_described() {
    let dumped = layout();

    let map = document(&["map", &dumped.core]);

    let target = &map["target"];
    assert_eq!(
        (word(target, "kind"), word(target, "format"), word(target, "name")),
        ("dump", "elf_core", "layout")
    );
    assert_eq!(number(target, "pid"), u64::from(dumped.program.pid()));
    assert_eq!(word(target, "file"), dumped.core);
    assert_eq!(target["event"], json!(null), "nothing ended it");
    assert_eq!((word(&target["machine"], "os"), word(&target["machine"], "cpu")), ("linux", "x86-64"));
    assert_eq!(rows(target, "threads").len() as u64, dumped.program.number("threads"));
    assert_eq!(number(target, "size"), std::fs::metadata(&dumped.core).expect("it was written").len());
    assert_eq!(
        map["footprint"]["rss"],
        json!(null),
        "a core does not tell what was resident: unknown is not zero"
    );
}

#[test]
fn what_was_saved_and_what_is_in_it_stands_beside_each_region() {
    let dumped = Dumped::of("pages", &["count=40"]);

    let map = document(&["map", &dumped.core]);

    let (first, stride) = (dumped.program.number("first"), dumped.program.number("stride"));
    let (mut pages, mut zeros) = (0, 0);
    for block in (0..40).map(|index| first + index * stride) {
        let region = at(&map, block);
        assert_eq!((number(region, "size"), number(region, "saved")), (0x20000, 0x20000));
        assert_eq!(number(at(&map, block + 0x20000), "saved"), 0, "a guard holds nothing");
        match word(region, "content") {
            "html" => {
                pages += 1;
                assert!(word(region, "preview").starts_with("<!DOCTYPE html>"), "{region}");
            }
            "zero" => zeros += 1,
            _ => {}
        }
    }
    assert_eq!((pages, zeros), (dumped.program.number("pages"), dumped.program.number("zeros")));
    let said = text(&["map", &dumped.core]);
    for words in ["IN DUMP", "CONTENT", "<!DOCTYPE html>"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn regions_of_a_core_are_filtered_by_what_holds_for_them() {
    let dumped = Dumped::of("pages", &["count=40"]);

    for (filter, expected) in [
        ("size=0x20000", 40),
        ("usage=anonymous,size=128K", 40),
        ("Unk,size=0x20000", 0),
        ("MEM_COMMIT,MEM_PRIVATE,size=0x20000", 40),
        ("state=reserved,size=4K", 40),
        ("usage=anonymous|text,size=128K,protection=rw-p", 40),
        ("size=0x20000,protection=r--p", 0),
    ] {
        let map = document(&["map", &dumped.core, "--filter", filter]);
        assert_eq!(rows(&map, "regions").len(), expected, "{filter}");
    }
}

/// The numbers stand in the file: 430 busy entries of its `MemoryInfoListStream`, read here by hand once.
#[test]
fn a_minidump_is_summed_as_windbg_does() {
    let map = document(&["map", &tiny()]);

    assert_eq!(rows(&map, "regions").len(), 430);
    let sums = |key: &str| {
        let row = |row: &Value| (word(row, "key").to_owned(), (number(row, "regions"), number(row, "size")));
        rows(&map["summary"], key).iter().map(row).collect::<BTreeMap<_, _>>()
    };
    let states = sums("by_state");
    assert_eq!(states["MEM_COMMIT"], (363, 85_684_224));
    assert_eq!(states["MEM_RESERVE"], (67, 2_220_513_320_960));
    let types = sums("by_type");
    assert_eq!(types["MEM_PRIVATE"], (217, 21_515_931_648));
    assert_eq!(types["MEM_MAPPED"], (62, 2_199_051_390_976));
    assert_eq!(types["MEM_IMAGE"], (151, 31_682_560));
    let protections = sums("by_protection");
    assert_eq!(protections["PAGE_READWRITE"], (138, 1_257_472));
    assert_eq!(protections["PAGE_READWRITE | PAGE_GUARD"], (1, 12_288));
    assert_eq!(protections["PAGE_EXECUTE_READ"], (77, 20_545_536));
    let usages = sums("by_usage");
    for usage in ["Stack", "TEB", "Heap", "Image", "MappedFile", "unknown"] {
        assert!(usages.contains_key(usage), "{usage}: {usages:?}");
    }
    for sums in [&types, &usages, &protections] {
        assert_eq!(sums.values().map(|sum| sum.0).sum::<u64>(), 430, "{sums:?}");
        assert_eq!(sums.values().map(|sum| sum.1).sum::<u64>(), 85_684_224 + 2_220_513_320_960, "{sums:?}");
    }
}

/// A small program on Windows 11 with its one thread.
fn tiny() -> String {
    fixture("minidump/breakpad-tiny-exe-with-cet-xsave.dmp")
}

/// The thread's stack lies where its entry of the `ThreadListStream` says, and its reserve and guard belong to it.
#[test]
fn a_stack_of_windows_names_its_thread() {
    let map = document(&["map", &tiny()]);

    let stack: Vec<&Value> =
        rows(&map, "regions").iter().filter(|region| region["usage"] == "Stack").collect();
    let row = |region: &&Value| {
        (address(region, "start"), number(region, "size"), word(region, "state").to_owned())
    };
    assert_eq!(
        stack.iter().map(row).collect::<Vec<_>>(),
        [
            (0xcb_c820_0000, 0xf5000, "MEM_RESERVE".to_owned()),
            (0xcb_c82f_5000, 0x3000, "MEM_COMMIT".to_owned()),
            (0xcb_c82f_8000, 0x8000, "MEM_COMMIT".to_owned()),
        ]
    );
    assert!(stack.iter().all(|region| region["threads"] == json!([1468])), "{stack:?}");
    let teb = row_of(rows(&map, "regions"), "usage", "TEB");
    let block = 0xcb_c80b_9000;
    assert!((address(teb, "start")..address(teb, "end")).contains(&block), "{teb}");
}

/// What one types in WinDbg is understood as it stands.
#[test]
fn filters_of_windbg_are_taken_as_they_are() {
    let all = document(&["map", &tiny()]);
    let count =
        |holds: &dyn Fn(&Value) -> bool| rows(&all, "regions").iter().filter(|row| holds(row)).count();
    let has = |row: &Value, key: &str, value: &str| word(row, key) == value;

    for (argument, expected) in [
        ("-f:Unk,MEM_COMMIT", count(&|row| has(row, "usage", "unknown") && has(row, "state", "MEM_COMMIT"))),
        ("-f:MEM_RESERVE", 67),
        ("-f:MEM_IMAGE", 151),
        ("-f:PAGE_GUARD", 2),
        ("-f:Stack,PAGE_GUARD", 1),
        (
            "-f:image,page_execute_read",
            count(&|row| has(row, "usage", "Image") && has(row, "protection", "PAGE_EXECUTE_READ")),
        ),
        ("-f:FileMap", 62),
    ] {
        let found = document(&["map", &tiny(), argument]);
        assert!(expected > 0);
        assert_eq!(rows(&found, "regions").len(), expected, "{argument}");
        assert_eq!(found["filtered"], true);
    }
    let said = text(&["map", &tiny(), "-f:Stack,PAGE_GUARD", "--all"]);
    assert!(said.lines().any(|line| line.contains("cbc82f5000") && line.contains("PAGE_GUARD")), "{said}");
    residue(&["map", &tiny(), "-f:MEM_NONSENSE"]).ended(2).says(&["`MEM_NONSENSE`", "help: ", "MEM_COMMIT"]);
}

#[test]
fn a_minidump_is_described() {
    let map = document(&["map", &tiny()]);

    let target = &map["target"];
    assert_eq!((word(target, "format"), number(target, "pid")), ("minidump", 15444));
    assert_eq!((word(&target["machine"], "os"), word(&target["machine"], "cpu")), ("windows", "x86-64"));
    assert!(
        rows(target, "modules").iter().any(|module| word(module, "name").ends_with("tiny.exe")),
        "{target}"
    );
    assert_eq!(number(&rows(target, "threads")[0], "tid"), 1468);
}

#[test]
fn the_screen_says_what_windbg_calls_it() {
    let said = text(&["map", &tiny()]);

    for words in ["Usage Summary", "RgnCount", "MEM_FREE", "Largest Region by Usage", "<unknown>", "tiny.exe"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// What was reserved together is one allocation, with its blocks and guards.
#[test]
fn allocations_count_their_blocks_and_guards() {
    let map = document(&["map", &tiny()]);

    let allocations = rows(&map, "allocations");
    let of = |key: &str| allocations.iter().map(|row| number(row, key)).sum::<u64>();
    assert_eq!((of("blocks"), of("guards")), (430, 2));
    assert_eq!((of("committed"), of("reserved")), (85_684_224, 2_220_513_320_960));
    let stack = row_of(allocations, "base", "0xcbc8200000");
    assert_eq!((number(stack, "blocks"), number(stack, "guards")), (3, 1));
    assert_eq!((number(stack, "size"), number(stack, "reserved")), (1 << 20, 0xf5000));
    assert_eq!((word(stack, "usage"), &stack["threads"]), ("Stack", &json!([1468])));
    let said = text(&["map", &tiny(), "--allocations", "--all"]);
    let line = said.lines().find(|line| line.trim_start().starts_with("cbc8200000")).expect("the stack");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words.ends_with(&["3", "1", "Stack", "1468"]) || words.ends_with(&["3", "1", "Stack"]), "{line}");
}

/// The dump and the process that it is of differ in nothing that both know.
#[test]
fn a_core_does_not_differ_from_its_process() {
    let dumped = Dumped::of("equal_blocks", &["count=20"]);

    for (target, other) in [(&dumped.core, dumped.pid()), (&dumped.pid(), dumped.core.clone())] {
        let diff = document(&["map", target, "--diff", &other]);
        let changed: Vec<&Value> =
            rows(&diff, "regions").iter().filter(|row| word(row, "usage").starts_with("anonymous")).collect();
        assert!(changed.is_empty(), "{changed:#?}");
    }
}

#[test]
fn a_core_is_compared_with_what_came_later() {
    let before = Dumped::of("equal_blocks", &["count=20"]);
    let after = Dumped::of("equal_blocks", &["count=50"]);

    for target in after.targets() {
        let diff = document(&["map", &target, "--diff", &before.core]);
        let grown = row_of(rows(&diff, "by_usage"), "usage", "anonymous_128k_to_1m");
        assert_eq!(grown["regions"], 30, "{grown}");
        assert_eq!(grown["size"], 30 * 128 * 1024, "{grown}");
    }
}

#[test]
fn the_page_shows_a_dump() {
    let dumped = layout();
    let path = dumped.folder.file("map.html");
    residue(&["map", &dumped.core, "--html", &path]).good().says(&["wrote", &path]);

    let mut page = Page::open(&path);

    page.keep("map-core");
    let legend = page.texts("#legend button b");
    for usage in ["thread stacks", "allocator arenas", "System V shared memory", "JIT code", "text"] {
        assert!(legend.contains(&usage.to_owned()), "{usage}: {legend:?}");
    }
    let seen = page.text("document.body.innerText");
    assert!(seen.contains(&dumped.core), "{seen}");
    page.assert_quiet();
}

#[test]
fn the_page_shows_a_minidump() {
    let folder = crate::harness::folder::Folder::new();
    let path = folder.file("map.html");
    residue(&["map", &tiny(), "--html", &path]).good();

    let mut page = Page::open(&path);

    page.keep("map-minidump");
    let legend = page.texts("#legend button b");
    for usage in ["Stack", "TEB", "Heap", "Image", "MappedFile", "<unknown>"] {
        assert!(legend.contains(&usage.to_owned()), "{usage}: {legend:?}");
    }
    page.assert_quiet();
}
