use std::env;
use std::fs;
use std::process;

use residue_testkit::{Facts, Libc, Program};

/// The number in the last line of `text` that begins with `word`.
fn last_number(text: &str, word: &str) -> u64 {
    let line = text.lines().rev().find_map(|line| line.trim().strip_prefix(word));
    let line = line.unwrap_or_else(|| panic!("no line begins with {word:?} in {text}"));
    let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

/// What the program knows is a part of what its C library counts, which has blocks and headers besides.
fn assert_plausible(facts: &Facts, run: &str) {
    let counted = facts.number("uordblks") + facts.number("hblkhd");
    assert!(facts.number("live_bytes") + 8 * facts.number("live") <= counted, "{run}: {facts:?}");
    assert_eq!(facts.number("arena"), facts.number("uordblks") + facts.number("fordblks"), "{run}");
}

/// Three accounts of one heap must agree, or one of them was written before the heap stood still.
#[test]
fn a_fuzzed_heap_is_the_same_in_each_account() {
    for libc in Libc::UNPACKED {
        let base = env::temp_dir().join(format!("residue-heapfuzz-{}-{libc:?}", process::id()));
        let (xml, stats) = (base.with_extension("xml"), base.with_extension("txt"));
        let arguments = [
            "threads=3",
            "ended=2",
            &format!("xml={}", xml.display()),
            &format!("stats={}", stats.display()),
        ];
        let mut program = Program::build("heapfuzz").libc(libc).spawn(&arguments);

        for more in ["", "more 20000"] {
            let facts = if more.is_empty() { program.facts().clone() } else { program.ask(more) };
            let run = format!("{libc:?} {}", facts.word());
            assert_plausible(&facts, &run);
            let text = fs::read_to_string(&xml).expect("malloc_info wrote");
            assert_eq!(last_number(&text, "<system type=\"current\""), facts.number("arena"), "{run}");
            let text = fs::read_to_string(&stats).expect("malloc_stats wrote");
            let mapped = facts.number("hblkhd");
            assert_eq!(last_number(&text, "system bytes"), facts.number("arena") + mapped, "{run}");
            assert_eq!(last_number(&text, "in use bytes"), facts.number("uordblks") + mapped, "{run}");
        }
        fs::remove_file(xml).and_then(|()| fs::remove_file(stats)).expect("they are ours");
    }
}

#[test]
fn one_seed_makes_one_heap() {
    let run = |seed: &str| Program::build("heapfuzz").spawn(&[seed]).facts().clone();

    assert_eq!(run("seed=7"), run("seed=7"));
    assert_ne!(run("seed=7").number("live_bytes"), run("seed=8").number("live_bytes"));
}

/// A tunable that the C library does not know is passed over in silence.
#[test]
fn tunables_reach_the_fuzzed_heap() {
    let run = |tunables: &str| {
        Program::build("heapfuzz").env("GLIBC_TUNABLES", tunables).spawn(&["threads=4"]).facts().clone()
    };
    let plain = run("glibc.malloc.check=0");

    let mapped = run("glibc.malloc.mmap_threshold=16384");
    assert!(mapped.number("hblks") > 100 + plain.number("hblks"), "{mapped:?}");
    let uncached = run("glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0");
    assert_eq!((uncached.number("smblks"), uncached.number("fsmblks")), (0, 0), "{uncached:?}");
}
