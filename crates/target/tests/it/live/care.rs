use std::fs::File;

use residue_model::{Bytes, Counter, Footprint, Source};
use residue_testkit::Program;

use super::{agreed, counter, exactly, gently, pid, told};

/// The pages of vvar and the like are in the page table, and in no count of `smaps`.
const A_FEW_PAGES: u64 = 16 * 4096;

fn near(a: Option<Bytes>, b: Option<Bytes>, slack: u64) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.0.abs_diff(b.0) <= slack)
}

#[test]
fn reading_gently_gives_the_same_sizes() {
    let layout = Program::build("layout").spawn(&[]);
    let totals = || {
        let Footprint { vss, rss, uss, .. } = exactly(pid(&layout)).process.footprint;
        (vss, rss, uss)
    };

    let gentle = || gently(pid(&layout)).process.footprint;
    let found = agreed(totals, gentle, |&(vss, rss, uss), found| {
        vss == found.vss && near(rss, found.rss, A_FEW_PAGES) && near(uss, found.uss, A_FEW_PAGES)
    });

    assert_eq!(found.swap_pss, None);
    assert_eq!(gently(pid(&layout)).source, Source::Pagemap);
}

#[test]
fn reading_gently_gives_pss_to_those_who_may_know_it() {
    let layout = Program::build("layout").spawn(&[]);
    let exact = || exactly(pid(&layout)).process.footprint.pss;

    let gentle = gently(pid(&layout));
    let gaps: Vec<&str> = gentle.gaps.iter().map(|gap| gap.what.as_str()).collect();
    if File::open("/proc/kpagecount").is_ok() {
        let two_percent = |pss: Option<Bytes>| pss.expect("smaps has it").0 / 50;
        let found = || gently(pid(&layout)).process.footprint.pss;
        agreed(exact, found, |&pss, &found| near(pss, found, two_percent(pss)));
        assert_eq!(gaps, ["dirty, lazily freed and huge pages"]);
    } else {
        assert_eq!(gentle.process.footprint.pss, None);
        assert_eq!(gaps, ["pss, dirty, lazily freed and huge pages"]);
    }
}

#[test]
fn reading_gently_counts_what_was_touched_and_not_what_was_reserved() {
    let layout = Program::build("layout").spawn(&[]);
    let gentle = gently(pid(&layout));

    for (name, touched) in
        [("anon_64k", 64 << 10), ("anon_8m", 3 << 20), ("reserved", 0), ("committed", 16 << 20)]
    {
        let region = told(&gentle, &layout, name);
        assert_eq!(counter(region, Counter::Rss), Some(touched), "{name}");
        assert_eq!(counter(region, Counter::Uss), Some(touched), "{name}");
        assert_eq!(counter(region, Counter::Swap), Some(0), "{name}");
    }
    let shared = told(&gentle, &layout, "shared");
    assert_eq!((counter(shared, Counter::Rss), shared.size()), (Some(640 << 10), Bytes::kib(640)));
}

/// What only `smaps` knows stays unknown, and is not zero.
#[test]
fn reading_gently_leaves_unknown_what_the_page_table_does_not_say() {
    let layout = Program::build("layout").spawn(&[]);
    let gentle = gently(pid(&layout));

    let lazy = told(&gentle, &layout, "lazyfree");
    for unknown in [Counter::LazyFree, Counter::PrivateDirty, Counter::AnonHugePages, Counter::Referenced] {
        assert_eq!(lazy.counters.get(unknown), None, "{unknown:?}");
    }
    assert_eq!(lazy.flags, None);
}

#[test]
fn many_small_regions_are_each_credited_with_their_own_pages() {
    let regions = Program::build("regions").spawn(&["count=1500", "pages=3"]);
    let gentle = gently(pid(&regions));

    let start = regions.number("start");
    let end = start + regions.number("bytes");
    let mine = gentle.regions.iter().filter(|region| (start..end).contains(&region.range.start.0));
    let sizes: Vec<Option<u64>> = mine.map(|region| counter(region, Counter::Rss)).collect();
    assert_eq!(sizes, vec![Some(3 * 4096); 1500]);
}
