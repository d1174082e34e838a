//! `map`: every kind of region of a process of which everything is known.

use residue_testkit::{Program, Running};
use serde_json::{Value, json};

use crate::harness::{address, document, number, rows, word};

/// A process that has one of each, and what Residue says of it.
struct Stage {
    layout: Running,
    map: Value,
}

impl Stage {
    fn new() -> Stage {
        let layout = Program::build("layout").spawn(&[]);
        let map = document(&["map", &layout.pid().to_string()]);
        Stage { layout, map }
    }

    /// The region that holds an address which the program told.
    #[track_caller]
    fn holds(&self, fact: &str) -> &Value {
        self.at(self.layout.number(fact))
    }

    #[track_caller]
    fn at(&self, place: u64) -> &Value {
        rows(&self.map, "regions")
            .iter()
            .find(|region| (address(region, "start")..address(region, "end")).contains(&place))
            .unwrap_or_else(|| panic!("no region holds {place:#x}"))
    }

    /// The region that begins where the program said, checked for its size, use and kind.
    #[track_caller]
    fn is(&self, fact: &str, usage: &str, backing: &str) -> &Value {
        let region = self.holds(fact);
        assert_eq!(address(region, "start"), self.layout.number(fact), "{fact}");
        assert_eq!(number(region, "size"), self.layout.number(&format!("{fact}_bytes")), "{fact}");
        assert_eq!((word(region, "usage"), word(region, "type")), (usage, backing), "{fact}");
        region
    }
}

#[test]
fn anonymous_memory_is_told_by_size() {
    let stage = Stage::new();

    stage.is("anon_64k", "anonymous_under_128k", "private_anonymous");
    stage.is("anon_256k", "anonymous_128k_to_1m", "private_anonymous");
    stage.is("committed", "anonymous_1m_to_64m", "private_anonymous");
    let touched = stage.is("anon_8m", "anonymous_1m_to_64m", "private_anonymous");
    assert_eq!(number(touched, "rss"), 3 << 20, "only what was touched is resident");
    assert_eq!(touched["state"], "mapped");
}

/// Address space without access costs no memory: to call it anonymous memory would be an alarm for nothing.
#[test]
fn reserved_address_space_is_no_memory() {
    let stage = Stage::new();

    let reserved = stage.is("reserved", "reserved", "private_anonymous");

    assert_eq!((word(reserved, "state"), word(reserved, "protection")), ("reserved", "---p"));
    assert_eq!(number(reserved, "rss"), 0);
}

#[test]
fn the_main_heap_is_the_brk_heap() {
    let stage = Stage::new();

    let heap = stage.is("heap", "heap", "private_anonymous");

    assert_eq!(heap["name"], "[heap]");
    assert!(number(heap, "rss") >= 3 << 20);
    assert_eq!(stage.holds("heap_block"), heap);
}

/// An arena is a reservation of 64 MiB of which the lower part is committed: both parts are one thing.
#[test]
fn an_arena_is_both_its_parts() {
    let stage = Stage::new();
    let base = stage.layout.number("arena");

    let committed = stage.holds("arena_block");
    let rest = stage.at(base + (64 << 20) - 1);

    assert_eq!(address(committed, "start"), base);
    assert_eq!((word(committed, "usage"), word(committed, "state")), ("arena", "mapped"));
    assert_eq!((word(rest, "usage"), word(rest, "state")), ("arena", "reserved"));
    for part in [committed, rest] {
        assert_eq!(address(part, "allocation_base"), base);
    }
    assert_eq!(address(rest, "end"), base + (64 << 20));
}

#[test]
fn each_thread_stack_names_its_thread_and_has_its_guard() {
    let stage = Stage::new();

    for thread in ["worker0", "worker1", "worker2", "custom", "arena_thread"] {
        let stack = stage.is(&format!("{thread}_stack"), "thread_stack", "private_anonymous");
        assert_eq!(stack["threads"], json!([stage.layout.number(&format!("{thread}_tid"))]), "{thread}");
        let guard = stage.at(address(stack, "start") - 1);
        assert_eq!((word(guard, "usage"), word(guard, "protection")), ("guard", "---p"), "{thread}");
        assert_eq!(number(guard, "size"), stage.layout.number(&format!("{thread}_guard_bytes")));
    }
    let of =
        |usage: &str| rows(&stage.map, "regions").iter().filter(|region| region["usage"] == usage).count();
    assert_eq!((of("thread_stack"), of("guard"), of("main_stack")), (5, 5, 1), "and nothing else is a stack");
}

#[test]
fn the_main_stack_is_no_thread_stack() {
    let stage = Stage::new();

    let stack = stage.holds("stack_here");

    assert_eq!((word(stack, "usage"), word(stack, "name")), ("main_stack", "[stack]"));
}

#[test]
fn a_module_has_text_constants_data_and_bss() {
    let stage = Stage::new();

    let text = stage.holds("text_here");
    assert_eq!((word(text, "usage"), word(text, "protection")), ("text", "r-xp"));
    assert!(word(text, "name").ends_with("/layout"), "{text}");
    let data = stage.holds("data_here");
    assert_eq!((word(data, "usage"), word(data, "type")), ("data", "private_file"));
    let bss = stage.holds("bss_here");
    assert_eq!(word(bss, "usage"), if bss == data { "data" } else { "bss" });
    let base = address(text, "allocation_base");
    assert_eq!(address(data, "allocation_base"), base, "segments of one module belong together");
    let first = stage.at(base);
    assert_eq!((word(first, "usage"), word(first, "name")), ("rodata", word(text, "name")));
    // The last page of a block of 64 KiB of zeros lies behind what the file fills.
    let zeros = stage.at(stage.layout.number("bss_here") + 60 * 1024);
    assert_eq!((word(zeros, "usage"), word(zeros, "type")), ("bss", "private_anonymous"));
    let libc = rows(&stage.map, "regions").iter().filter(|region| word(region, "name").contains("libc.so"));
    let usages: Vec<&str> = libc.map(|region| word(region, "usage")).collect();
    assert_eq!(usages.iter().filter(|&&usage| usage == "text").count(), 1, "{usages:?}");
    assert!(usages.contains(&"data") && usages.contains(&"rodata"), "{usages:?}");
}

/// A file with a space, a newline and a byte that is not UTF-8 in its name is still one file with one name, and the
/// name cannot break a line.
#[test]
fn a_mapped_file_keeps_its_odd_name() {
    let stage = Stage::new();

    let odd = stage.is("odd", "mapped_file", "private_file");

    let name = word(odd, "name");
    assert!(name.ends_with(r"/a b\012c\xff.dat"), "{name}");
    assert_eq!(odd["deleted"], false);
    assert_eq!(number(odd, "rss"), 12 * 1024);
}

#[test]
fn a_deleted_file_is_marked_and_named_without_the_mark() {
    let stage = Stage::new();
    let path = String::from_utf8(stage.layout.bytes("deleted_path")).expect("a plain path");

    let deleted = stage.is("deleted", "mapped_file", "shared_file");

    assert_eq!((word(deleted, "name"), &deleted["deleted"]), (path.as_str(), &json!(true)));
}

/// What `ipcs -m -p` would say: without it nobody knows which program to ask.
#[test]
fn a_system_v_segment_is_told_by_the_kernels_list() {
    let stage = Stage::new();

    let region = stage.is("sysv", "sysv_shm", "shared_memory");

    let segment = &region["shared_segment"];
    assert_eq!(number(segment, "id"), stage.layout.number("sysv_id"));
    assert_eq!(number(segment, "size"), 1 << 20);
    assert_eq!(number(segment, "attached"), 1);
    assert_eq!(number(segment, "creator"), u64::from(stage.layout.pid()));
    assert_eq!(number(region, "rss"), 1 << 20);
}

#[test]
fn shared_memory_is_told_by_how_it_was_made() {
    let stage = Stage::new();

    let posix = stage.is("shm", "posix_shm", "shared_memory");
    assert!(word(posix, "name").ends_with(stage.layout.fact("shm_name")));
    assert_eq!(number(posix, "rss"), stage.layout.number("shm_touched"));
    let memfd = stage.is("memfd", "memfd", "shared_memory");
    assert!(word(memfd, "name").contains("residue layout"), "{memfd}");
    stage.is("shared", "shared_anonymous", "shared_memory");
}

#[test]
fn executable_memory_without_a_file_is_jit_code() {
    let stage = Stage::new();

    let code = stage.is("jit", "jit", "private_anonymous");

    assert_eq!(code["protection"], "r-xp");
}

#[test]
fn what_the_kernel_lends_is_no_memory_of_the_process() {
    let stage = Stage::new();

    let vdso = stage.holds("vdso");

    assert_eq!((word(vdso, "usage"), word(vdso, "type"), word(vdso, "name")), ("vdso", "special", "[vdso]"));
    let vvar = rows(&stage.map, "regions").iter().find(|region| word(region, "name") == "[vvar]");
    assert!(vvar.is_some_and(|region| region["usage"] == "vdso"));
}

/// `mlock` and names that a program gives its memory must not hide what the memory is.
#[test]
fn locked_and_named_memory_is_anonymous() {
    let stage = Stage::new();

    let locked = stage.is("locked", "anonymous_under_128k", "private_anonymous");
    if stage.layout.number("locked_works") == 1 {
        assert_eq!(number(locked, "locked"), 32 * 1024);
    }
    let named = stage.is("named", "anonymous_under_128k", "private_anonymous");
    if stage.layout.number("named_works") == 1 {
        assert!(word(named, "name").contains("layout cache"), "{named}");
    }
}

/// Memory given back with `MADV_FREE` still counts as resident: only this tells that it costs nothing.
#[test]
fn memory_given_back_is_reclaimable() {
    let stage = Stage::new();

    let lazy = stage.is("lazyfree", "anonymous_1m_to_64m", "private_anonymous");

    // Under memory pressure the kernel takes it at any time, and then it is not resident either.
    assert_eq!(number(lazy, "lazy_free"), number(lazy, "rss"));
    assert_eq!(number(&stage.map["reclaimable"], "lazy_free"), number(lazy, "lazy_free"));
    assert!(number(lazy, "lazy_free") > 0, "{lazy}");
    assert!(
        number(&stage.map["reclaimable"], "clean_file") > 100 * 1024,
        "libc is clean and can be read again"
    );
}

#[test]
fn the_process_is_described() {
    let stage = Stage::new();

    assert_eq!(stage.map["schema"], "residue.map/1");
    let target = &stage.map["target"];
    assert_eq!(
        (word(target, "kind"), word(target, "name"), word(target, "user")),
        ("process", "layout", "root")
    );
    assert_eq!(number(target, "pid"), u64::from(stage.layout.pid()));
    let lowest = std::fs::read_to_string("/proc/sys/vm/mmap_min_addr").expect("Linux");
    let lowest: u64 = lowest.trim().parse().expect("an address");
    let space = json!({"bits": 64, "start": format!("{lowest:#x}"), "end": "0x7ffffffff000"});
    assert_eq!(stage.map["address_space"], space);
    assert_eq!(stage.map["source"], "smaps");
    assert_eq!(stage.map["gaps"], json!([]));
}
