use super::{region_at, victim};
use crate::harness::folder::Folder;
use crate::harness::{address, close, document, number, residue, row_of, rows, text, word};

/// Both sums are made of the same calls, one from inside and one from outside: they must be equal, but for what the
/// process itself did meanwhile.
#[test]
fn the_map_agrees_with_what_the_process_sees_of_itself() {
    let mut victim = victim();
    let before = victim.ask("query");

    let map = document(&["map", &victim.pid().to_string()]);

    let state = |key: &str| number(row_of(rows(&map["summary"], "by_state"), "key", key), "size");
    close("committed", state("MEM_COMMIT"), before.number("committed"), 64 << 10);
    close("reserved", state("MEM_RESERVE"), before.number("reserved"), 64 << 10);
    close("blocks", rows(&map, "regions").len() as u64, before.number("blocks"), 2);
    close("allocations", rows(&map, "allocations").len() as u64, before.number("allocations"), 1);
    close("the largest free range", number(&map["free"], "largest"), before.number("largest"), 1 << 20);
}

#[test]
fn every_kind_of_memory_is_told_by_its_use() {
    let victim = victim();
    let map = document(&["map", &victim.pid().to_string()]);

    let private = region_at(&map, victim.number("private"));
    assert_eq!(number(private, "size"), victim.number("private_bytes"));
    assert_eq!((word(private, "usage"), word(private, "type")), ("unknown", "MEM_PRIVATE"));
    assert_eq!(word(private, "protection"), "PAGE_READWRITE");
    let reserved = region_at(&map, victim.number("reserved"));
    assert_eq!(
        (word(reserved, "state"), number(reserved, "size")),
        ("MEM_RESERVE", victim.number("reserved_bytes"))
    );
    let guard = region_at(&map, victim.number("guard"));
    assert_eq!(word(guard, "protection"), "PAGE_READWRITE | PAGE_GUARD");
    let view = region_at(&map, victim.number("view"));
    assert_eq!(word(view, "usage"), "MappedFile");
    assert!(word(view, "name").ends_with("victim.exe"), "{view}");
    assert!(!word(view, "name").starts_with(r"\Device") && !word(view, "name").starts_with(r"\??"), "{view}");
    assert_eq!(word(region_at(&map, victim.number("heap")), "usage"), "Heap");
    let images = rows(&map, "regions").iter().filter(|region| region["usage"] == "Image");
    assert!(images.clone().any(|region| word(region, "name").ends_with("victim.exe")));
    assert!(images.clone().any(|region| word(region, "name").to_lowercase().ends_with("ntdll.dll")));
}

#[test]
fn a_thread_has_its_stack_with_its_guard() {
    let victim = victim();
    let map = document(&["map", &victim.pid().to_string()]);

    let is_its = |region: &&serde_json::Value| {
        region["threads"]
            .as_array()
            .is_some_and(|threads| threads.iter().any(|tid| tid == victim.number("thread")))
    };
    let stack: Vec<_> = rows(&map, "regions").iter().filter(is_its).collect();
    assert!(stack.iter().all(|region| region["usage"] == "Stack"), "{stack:?}");
    assert!(stack.iter().any(|region| word(region, "protection").contains("PAGE_GUARD")), "{stack:?}");
    let bases: Vec<u64> = stack.iter().map(|region| address(region, "allocation_base")).collect();
    assert!(!bases.is_empty() && bases.iter().all(|base| *base == bases[0]), "one reservation: {bases:x?}");
}

#[test]
fn tables_are_in_the_words_of_windows() {
    let victim = victim();
    let shown = text(&["map", &victim.pid().to_string()]);
    for words in [
        "Usage Summary",
        "RgnCount",
        "MEM_COMMIT",
        "PAGE_READWRITE",
        "MappedFile",
        "VirtualQueryEx",
        "commit ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    for of_linux in ["pss", "MADV_FREE", "smaps"] {
        assert!(!shown.contains(of_linux), "{of_linux}: {shown}");
    }
}

#[test]
fn a_later_map_tells_what_was_allocated_since() {
    let mut victim = victim();
    let pid = victim.pid().to_string();
    let folder = Folder::new();
    let before = folder.with("before.json", residue(&["map", &pid, "--json"]).good().out);
    victim.ask("leak 67108864");
    let grown = |_| {
        let diff = document(&["map", &pid, "--diff", &before]);
        rows(&diff, "by_usage")
            .iter()
            .any(|row| row["usage"] == "Heap" && row["committed"].as_i64() > Some(1 << 20))
    };
    assert!((0..40).any(grown), "the heap does not grow");
}
