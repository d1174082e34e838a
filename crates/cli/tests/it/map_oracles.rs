//! `map`: its regions and sums against the kernel, `pmap` and plain arithmetic.

use procfs::process::MMapPath;
use residue_testkit::{Program, Running};
use serde_json::Value;

use crate::harness::crowd::{Crowd, KIB};
use crate::harness::{address, close, document, number, oracle, rows, word};

fn map(program: &Running) -> Value {
    document(&["map", &program.pid().to_string()])
}

fn sum(rows: &[Value], key: &str) -> u64 {
    rows.iter().map(|row| number(row, key)).sum()
}

#[test]
fn regions_are_those_of_smaps() {
    let layout = Program::build("layout").spawn(&[]);

    let map = map(&layout);

    let truth = oracle::smaps(layout.pid()).0;
    let regions = rows(&map, "regions");
    assert_eq!(regions.len(), truth.len());
    for (region, truth) in regions.iter().zip(&truth) {
        let counters = &truth.extension.map;
        assert_eq!((address(region, "start"), address(region, "end")), truth.address);
        assert_eq!((number(region, "offset"), number(region, "inode")), (truth.offset, truth.inode));
        for (key, field) in [
            ("rss", "Rss"),
            ("shared_clean", "Shared_Clean"),
            ("shared_dirty", "Shared_Dirty"),
            ("private_clean", "Private_Clean"),
            ("private_dirty", "Private_Dirty"),
            ("anonymous", "Anonymous"),
            ("lazy_free", "LazyFree"),
            ("anon_huge_pages", "AnonHugePages"),
            ("swap", "Swap"),
            ("swap_pss", "SwapPss"),
            ("locked", "Locked"),
            ("kernel_page_size", "KernelPageSize"),
        ] {
            // Which pages of libc are private to us changes while other programs start and end.
            let moves = matches!(truth.pathname, MMapPath::Path(_)) && key.contains('_');
            assert!(
                moves || number(region, key) == counters[field],
                "{key} of {region}, smaps: {counters:?}"
            );
        }
        assert_eq!(region["ksm"].is_null(), !counters.contains_key("KSM"), "absent is not zero");
        let uss = number(region, "private_clean") + number(region, "private_dirty");
        assert_eq!(number(region, "uss"), uss);
    }
}

/// `Pss_Dirty` is a part of `Pss` and comes after it: whoever reads by prefix takes the one for the other.
#[test]
fn pss_is_not_its_dirty_part() {
    let crowd = Crowd::of("dirty", 3);
    let pid = crowd.pids[0];

    let map = document(&["map", &pid.to_string()]);

    for (region, truth) in rows(&map, "regions").iter().zip(&oracle::smaps(pid).0) {
        let counters = &truth.extension.map;
        assert_eq!(number(region, "pss"), counters["Pss"], "{region}");
        assert_eq!(number(region, "pss_dirty"), counters["Pss_Dirty"], "{region}");
    }
    // A program that was compiled just now is still dirty in the page cache; libc is not.
    let layout = Program::build("layout").spawn(&[]);
    let map = document(&["map", &layout.pid().to_string(), "--filter", "usage=text,name=libc.so"]);
    let text = &rows(&map, "regions")[0];
    assert!(number(text, "pss") > 0 && number(text, "pss_dirty") == 0, "{text}");
}

/// `pmap -X` prints a column for each field of smaps, under the field's own name.
#[test]
fn regions_are_those_of_pmap() {
    let crowd = Crowd::of("pmap", 2);
    let pid = crowd.pids[0].to_string();

    let map = document(&["map", &pid]);

    let pmap = oracle::tool("pmap", &["-X", &pid]);
    let mut lines = pmap.lines().skip(1);
    let columns: Vec<&str> = lines.next().expect("a heading").split_whitespace().collect();
    let place = |name: &str| columns.iter().position(|&column| column == name).expect("pmap has this column");
    let truth: Vec<Vec<&str>> = lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            words.len() >= columns.len() - 1 && words[0].bytes().all(|byte| byte.is_ascii_hexdigit())
        })
        .collect();
    assert_eq!(rows(&map, "regions").len(), truth.len());
    for (region, truth) in rows(&map, "regions").iter().zip(&truth) {
        let kib = |column: &str| truth[place(column)].parse::<u64>().expect("pmap prints KiB");
        assert_eq!(
            format!("{:x}", address(region, "start")),
            truth[place("Address")].trim_start_matches('0')
        );
        assert_eq!(number(region, "size"), kib("Size") * KIB);
        assert_eq!(number(region, "rss"), kib("Rss") * KIB);
        assert_eq!(number(region, "pss"), kib("Pss") * KIB);
        assert_eq!(number(region, "swap"), kib("Swap") * KIB);
        assert!(word(region, "protection").starts_with(&truth[place("Perm")][..3]));
    }
}

#[test]
fn every_way_of_summing_gives_the_same_whole() {
    let layout = Program::build("layout").spawn(&[]);

    let map = map(&layout);

    let (summary, regions) = (&map["summary"], rows(&map, "regions"));
    let total = &summary["total"];
    assert_eq!(number(total, "regions"), regions.len() as u64);
    for key in ["size", "rss", "pss", "uss", "swap"] {
        assert_eq!(number(total, key), sum(regions, key), "{key}");
    }
    for way in ["by_usage", "by_type", "by_state", "by_protection"] {
        let parts: Vec<Value> =
            rows(summary, way).iter().filter(|row| row["key"] != "free").cloned().collect();
        assert!(parts.len() >= 2, "{way}");
        for key in ["regions", "size", "rss", "pss", "uss", "swap"] {
            assert_eq!(sum(&parts, key), number(total, key), "{way} {key}");
        }
        let largest = parts.iter().map(|row| number(row, "largest")).max();
        assert_eq!(largest, Some(number(total, "largest")), "{way}");
        let share: f64 = parts.iter().map(|row| row["share_of_mapped"].as_f64().expect("a share")).sum();
        assert!((share - 1.0).abs() < 1e-9, "{way}: {share}");
    }
    for key in ["rss", "pss", "uss", "swap"] {
        assert_eq!(number(&map["footprint"], key), number(total, key), "{key}");
    }
}

#[test]
fn a_sum_is_that_of_its_regions() {
    let layout = Program::build("layout").spawn(&[]);

    let map = map(&layout);

    for (way, key) in
        [("by_usage", "usage"), ("by_type", "type"), ("by_state", "state"), ("by_protection", "protection")]
    {
        for row in rows(&map["summary"], way).iter().filter(|row| row["key"] != "free") {
            let of: Vec<Value> =
                rows(&map, "regions").iter().filter(|region| region[key] == row["key"]).cloned().collect();
            assert_eq!(number(row, "regions"), of.len() as u64, "{way} {row}");
            assert_eq!(number(row, "size"), sum(&of, "size"), "{way} {row}");
            assert_eq!(number(row, "rss"), sum(&of, "rss"), "{way} {row}");
        }
    }
}

/// Regions and holes are the whole address space, without a gap and without an overlap.
#[test]
fn regions_and_holes_fill_the_address_space() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid().to_string();

    let map = document(&["map", &pid, "--free", "1000"]);

    let (start, end) = (address(&map["address_space"], "start"), address(&map["address_space"], "end"));
    let inside = rows(&map, "regions").iter().filter(|region| address(region, "start") < end);
    let mut pieces: Vec<(u64, u64)> = inside
        .chain(rows(&map["free"], "top"))
        .map(|piece| (address(piece, "start"), address(piece, "end")))
        .collect();
    pieces.sort_unstable();
    assert_eq!((pieces[0].0, pieces[pieces.len() - 1].1), (start, end));
    for pair in pieces.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "{pair:#x?}");
    }
    let free = rows(&map["free"], "top");
    assert_eq!(number(&map["free"], "total"), sum(free, "size"));
    assert_eq!(number(&map["free"], "ranges"), free.len() as u64);
    assert_eq!(number(&map["free"], "largest"), number(&free[0], "size"));
    assert!(free.is_sorted_by_key(|range| std::cmp::Reverse(number(range, "size"))), "largest first");
    let state = crate::harness::row_of(rows(&map["summary"], "by_state"), "key", "free");
    assert_eq!(number(state, "size"), number(&map["free"], "total"));
}

/// Read in small steps, the same process has the same pages: pss too, since root may count who shares them.
#[test]
fn gentle_reading_sees_the_same_pages() {
    let crowd = Crowd::of("gentle", 3);
    let pid = crowd.pids[0].to_string();

    let exact = document(&["map", &pid, "--exact"]);
    let gentle = document(&["map", &pid, "--gentle"]);

    assert_eq!((word(&exact, "source"), word(&gentle, "source")), ("smaps", "pagemap"));
    for key in ["vss", "rss", "uss", "swap"] {
        close(key, number(&gentle["footprint"], key), number(&exact["footprint"], key), 4 * 4 * KIB);
    }
    close("pss", number(&gentle["footprint"], "pss"), number(&exact["footprint"], "pss"), 64 * KIB);
    for (gentle, exact) in rows(&gentle, "regions").iter().zip(rows(&exact, "regions")) {
        assert_eq!(gentle["start"], exact["start"]);
        if exact["type"] == "private_anonymous" {
            assert_eq!(gentle["uss"], exact["uss"], "{exact}");
        }
        assert_eq!(gentle["pss_dirty"], Value::Null, "what the page table does not tell is unknown");
    }
    let gaps = rows(&gentle, "gaps");
    assert!(gaps.iter().any(|gap| word(gap, "why").contains("--exact")), "{gaps:?}");
}

/// A size over the threshold is read gently without being asked, and `ps` says of whom.
#[test]
fn large_processes_are_read_gently() {
    let crowd = Crowd::with("large", 1, &["private_kib=40960"]);
    let pid = crowd.pids[0].to_string();

    let large = document(&["map", &pid, "--gentle-above", "32M"]);
    let small = document(&["map", &pid, "--gentle-above", "1G"]);
    let table = document(&["ps", "--filter", &format!("pid={pid}"), "--gentle-above", "32M"]);

    assert_eq!((word(&large, "source"), word(&small, "source")), ("pagemap", "smaps"));
    assert_eq!(large["footprint"]["uss"], small["footprint"]["uss"]);
    assert_eq!(table["processes"][0]["uss"], small["footprint"]["uss"]);
    assert!(rows(&table, "gaps").iter().any(|gap| word(gap, "what").contains(&pid)), "{}", table["gaps"]);
}

/// Memory that was only ever read is the kernel's one page of zeros: it costs nothing, and the kernel does not count it
/// as resident. A reader of the page table sees a page there and has to know better.
#[test]
fn pages_of_zeros_are_not_resident() {
    let script = "import mmap, sys\n\
        m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
        m.madvise(15)\n\
        for at in range(0, 64 << 20, 4096): m[at]\n\
        print('ready', flush=True)\n\
        sys.stdin.read()\n";
    let mut python = std::process::Command::new("/usr/bin/python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    let output = python.stdout.take().expect("stdout was asked for");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("it speaks");
    let pid = python.id().to_string();
    let condition = "usage=anonymous,min-size=64M";

    let exact = document(&["map", &pid, "--exact", "--filter", condition]);
    let gentle = document(&["map", &pid, "--gentle", "--filter", condition]);
    drop(python.stdin.take());
    python.wait().expect("it ends");

    let of = |map: &Value| number(&rows(map, "regions")[0], "rss");
    assert!(of(&exact) < 1 << 20, "the kernel does not count them");
    close("rss", of(&gentle), of(&exact), 64 * KIB);
}
