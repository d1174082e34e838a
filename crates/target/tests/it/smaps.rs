use proptest::prelude::*;
use residue_model::{Bytes, Counter, CounterSum, Counters, Region};
use residue_target::procfs::{maps, smaps};

use crate::fixtures;

fn read(name: &str) -> (Vec<Region>, Vec<String>) {
    let mut regions = Vec::new();
    let unknown = smaps::read(fixtures::read(name).as_slice(), &mut regions)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    (regions, unknown)
}

fn fails(name: &str) -> String {
    smaps::read(fixtures::read(name).as_slice(), &mut Vec::new()).expect_err(name).to_string()
}

/// Sums in KiB: `rss`, `pss`, `uss`, `anonymous`.
fn sums(regions: &[Region]) -> [Option<u64>; 4] {
    let mut sum = CounterSum::default();
    for region in regions {
        sum.add(&region.counters);
    }
    let sum = sum.total();
    [sum.get(Counter::Rss), sum.get(Counter::Pss), sum.uss(), sum.get(Counter::Anonymous)]
        .map(|size| size.map(|size| size.0 / 1024))
}

/// Which of the counters that came with time a file holds.
fn has(regions: &[Region], counter: Counter) -> bool {
    regions.iter().all(|region| region.counters.get(counter).is_some())
}

/// The numbers were summed with awk.
#[test]
fn sizes_of_real_programs_are_read_to_the_page() {
    for (program, regions, [rss, pss, uss, anonymous]) in [
        ("bash", 9, [836, 231, 176, 176]),
        ("chromium", 7, [88_136, 36_520, 14_020, 808]),
        ("i386", 7, [688, 280, 32, 16]),
        ("layout", 10, [6096, 6096, 6096, 3120]),
        ("python", 8, [5036, 5036, 5036, 1460]),
        ("redis", 4, [1184, 658, 132, 132]),
    ] {
        let (found, unknown) = read(&format!("smaps/linux-6.18-{program}"));
        assert_eq!(found.len(), regions, "{program}");
        assert_eq!(sums(&found), [rss, pss, uss, anonymous].map(Some), "{program}");
        assert_eq!(unknown, Vec::<String>::new(), "{program}: this kernel's fields are all known");
    }
}

#[test]
fn every_kernel_gives_the_same_sums_in_its_own_order() {
    for kernel in
        ["linux-3.2-constructed", "linux-4.4-constructed", "linux-5.10-constructed", "future-constructed"]
    {
        let (regions, _) = read(&format!("smaps/{kernel}"));
        assert_eq!(sums(&regions), [836, 231, 176, 176].map(Some), "{kernel}");
    }
}

#[test]
fn fields_of_later_kernels_stay_unknown_before_them() {
    use Counter::{Ksm, LazyFree, PrivateHugetlb, PssDirty, ShmemPmdMapped, Swap, SwapPss};
    for (kernel, known, absent) in [
        ("linux-3.2-constructed", vec![Swap], vec![SwapPss, PrivateHugetlb, LazyFree, PssDirty, Ksm]),
        (
            "linux-4.4-constructed",
            vec![SwapPss, PrivateHugetlb],
            vec![LazyFree, ShmemPmdMapped, PssDirty, Ksm],
        ),
        ("linux-5.10-constructed", vec![LazyFree, ShmemPmdMapped], vec![PssDirty, Ksm]),
        ("linux-6.18-bash", vec![PssDirty, Ksm], vec![]),
    ] {
        let (regions, _) = read(&format!("smaps/{kernel}"));
        assert!(known.iter().all(|&counter| has(&regions, counter)), "{kernel}");
        for region in &regions {
            assert!(absent.iter().all(|&counter| region.counters.get(counter).is_none()), "{kernel}");
        }
    }
}

/// `VmFlags` came with Linux 3.8.
#[test]
fn flags_are_unknown_where_the_kernel_prints_none() {
    let flags = |name: &str| read(name).0[1].flags.as_deref().map(str::to_owned);
    assert_eq!(flags("smaps/linux-3.2-constructed"), None);
    assert_eq!(flags("smaps/linux-4.4-constructed").as_deref(), Some("rd wr mr mw me ac"));
    assert_eq!(flags("smaps/future-constructed").as_deref(), Some("rd wr mr mw me ac zz"));
}

#[test]
fn fields_that_nobody_knows_yet_are_named_once() {
    let (_, unknown) = read("smaps/future-constructed");
    assert_eq!(unknown, ["Pss_Purple", "Folio_Order_Highest"]);
}

/// Linux 3.4 to 4.4 named the stacks of threads.
#[test]
fn an_older_kernels_name_for_a_thread_stack_is_kept() {
    let (regions, _) = read("smaps/linux-4.4-constructed");
    assert_eq!((regions[2].name(), regions[2].size()), ("[stack:813]", Bytes::kib(44)));
}

#[test]
fn what_was_given_back_and_what_is_shared_is_told_apart() {
    let (regions, _) = read("smaps/linux-6.18-chromium");
    let shared = &regions[3];
    assert_eq!(shared.name(), "/memfd:shared-memory-region");
    let kib = |counter| shared.counters.get(counter).map(|size: Bytes| size.0 / 1024);
    assert_eq!((kib(Counter::Rss), kib(Counter::Pss)), (Some(4), Some(2)));
    assert_eq!((kib(Counter::SharedDirty), kib(Counter::PrivateDirty)), (Some(4), Some(0)));
}

#[test]
fn damage_is_named_by_its_line() {
    assert_eq!(fails("smaps/damaged-number"), "line 5 of smaps: a field without its number");
    assert_eq!(fails("smaps/damaged-no-region"), "line 1 of smaps: a field without its number");
    assert_eq!(fails("smaps/damaged-no-colon"), "line 7 of smaps: a field without its number");
}

#[test]
fn a_number_beyond_all_memory_saturates() {
    let (regions, _) = read("smaps/damaged-wide-numbers");
    assert_eq!(regions[0].counters.get(Counter::Rss), Some(Bytes(u64::MAX)));
    assert_eq!(regions[0].counters.get(Counter::Pss), Some(Bytes::kib(54)));
    assert_eq!(regions[1].counters.get(Counter::Rss), Some(Bytes::kib(36)));
}

/// The order of fields is learned from the regions before: one that breaks it must cost nothing.
#[test]
fn a_region_with_its_fields_out_of_order_is_read_like_any_other() {
    let (regions, unknown) = read("smaps/damaged-order");
    let rss: Vec<Option<Bytes>> = regions.iter().map(|region| region.counters.get(Counter::Rss)).collect();
    assert_eq!(rss, [None, Some(Bytes::kib(36)), Some(Bytes::kib(628)), Some(Bytes::kib(36))]);
    let pss: Vec<Option<Bytes>> = regions.iter().map(|region| region.counters.get(Counter::Pss)).collect();
    assert_eq!(pss, [54, 36, 54, 36].map(|kib| Some(Bytes::kib(kib))));
    assert_eq!(unknown, ["Xss"]);
}

/// A region as the kernel would print it.
#[derive(Clone, Debug)]
struct Drawn {
    start: u64,
    pages: u64,
    letters: String,
    offset: u64,
    device: (u32, u32),
    inode: u64,
    name: Vec<u8>,
    values: Vec<u64>,
}

const KEYS: [(&str, Counter); 6] = [
    ("Rss", Counter::Rss),
    ("Pss", Counter::Pss),
    ("Pss_Dirty", Counter::PssDirty),
    ("Private_Hugetlb", Counter::PrivateHugetlb),
    ("SwapPss", Counter::SwapPss),
    ("Locked", Counter::Locked),
];

impl Drawn {
    /// `show_vma_header_prefix` and `seq_pad` of the kernel: names begin in column 74, or after one space.
    fn header(&self) -> Vec<u8> {
        let end = self.start + self.pages * 4096;
        let (major, minor) = self.device;
        let mut line = format!(
            "{:08x}-{end:08x} {} {:08x} {major:02x}:{minor:02x} {} ",
            self.start, self.letters, self.offset, self.inode
        )
        .into_bytes();
        if !self.name.is_empty() {
            line.resize(line.len().max(73), b' ');
            line.extend_from_slice(&self.name);
        }
        line.push(b'\n');
        line
    }

    /// The fields whose bit is set in `printed`, as one kernel prints them for all regions.
    fn fields(&self, printed: u8) -> String {
        let line = |(index, (key, _)): (usize, &(&str, Counter))| {
            format!("{:<16}{:>8} kB\n", format!("{key}:"), self.values[index])
        };
        KEYS.iter().enumerate().filter(|(index, _)| printed >> index & 1 == 1).map(line).collect()
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let name = prop_oneof![
        Just(Vec::new()),
        Just(b"[heap]".to_vec()),
        Just(b"/dev/zero (deleted)".to_vec()),
        // A path as the kernel prints it: it may hold any byte but the end of a line.
        proptest::collection::vec(prop_oneof![1..10_u8, 11..=255_u8], 0..40).prop_map(|tail| [
            b"/",
            &tail[..]
        ]
        .concat()),
    ];
    (
        (0..1_u64 << 47, 1..1_u64 << 20, "[r-][w-][x-][ps]", 0..u64::MAX),
        (
            (0..256_u32, 0..256_u32),
            any::<u64>(),
            name,
            proptest::collection::vec(0..u64::MAX / 1024, KEYS.len()),
        ),
    )
        .prop_map(|((start, pages, letters, offset), (device, inode, name, values))| Drawn {
            start: start & !0xfff,
            pages,
            letters,
            offset,
            device,
            inode,
            name,
            values,
        })
}

proptest! {
    /// `maps` and the first line of each region of `smaps` are one format, whatever fields stand between.
    #[test]
    fn the_regions_of_smaps_are_those_of_maps(
        drawn in proptest::collection::vec(drawn(), 0..12),
        printed in 0..64_u8,
    ) {
        let mut lists = (Vec::new(), Vec::new());
        for region in &drawn {
            lists.0.extend(region.header());
            lists.1.extend(region.header());
            lists.1.extend(region.fields(printed).into_bytes());
        }
        let (mut plain, mut full) = (Vec::new(), Vec::new());
        maps::read(lists.0.as_slice(), &mut plain).expect("as the kernel prints it");
        let unknown = smaps::read(lists.1.as_slice(), &mut full).expect("as the kernel prints it");

        prop_assert!(unknown.is_empty());
        prop_assert_eq!(plain.len(), drawn.len());
        for ((region, drawn), plain) in full.iter_mut().zip(&drawn).zip(&plain) {
            for (index, &(_, counter)) in KEYS.iter().enumerate() {
                let expected = (printed >> index & 1 == 1).then(|| Bytes::kib(drawn.values[index]));
                prop_assert_eq!(region.counters.get(counter), expected);
            }
            region.counters = Counters::default();
            prop_assert_eq!(&*region, plain);
            prop_assert_eq!(plain.range.start.0, drawn.start);
            prop_assert_eq!(plain.size(), Bytes(drawn.pages * 4096));
            prop_assert_eq!((plain.offset.0, plain.inode, plain.device), (drawn.offset, drawn.inode, drawn.device));
            prop_assert_eq!(plain.protection.to_string(), drawn.letters.clone());
        }
    }
}
