//! `ps`: its sizes are those that the kernel and other tools give for the same processes.

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::crowd::{Crowd, KIB};
use crate::harness::{close, document, number, oracle};

fn ask(crowd: &Crowd) -> Vec<Value> {
    crowd.rows_in(&document(&["ps", "--filter", &crowd.filter()]))
}

/// smem rounds each region down to KiB, so its pss may be lower by a KiB a region; it counts the kernel's own page at
/// the end of the address space into vss. The rest must be equal to the byte.
#[test]
fn sizes_are_those_of_smem() {
    let crowd = Crowd::of("smem", 5);

    let ours = ask(&crowd);

    let smem = oracle::smem(&["-P", &crowd.pattern()]);
    for row in ours {
        let pid = u32::try_from(number(&row, "pid")).expect("a pid");
        let truth = &smem[&pid];
        assert_eq!(number(&row, "uss"), truth.uss);
        assert_eq!(number(&row, "rss"), truth.rss);
        assert_eq!(number(&row, "swap"), truth.swap);
        close("pss", number(&row, "pss"), truth.pss, number(&row, "maps") * KIB);
        close("vss", number(&row, "vss"), truth.vss, 4 * KIB);
        // 2 MiB of its own, and a sixth of 8 MiB that the parent shares too: no other number would do.
        close("uss of a child", number(&row, "uss"), 2 << 20, 256 * KIB);
        close("shared part", number(&row, "pss") - number(&row, "uss"), (8 << 20) / 6, 256 * KIB);
    }
}

/// The kernel sums a whole process itself and rounds once: nothing may differ but pages that the vdso shares with
/// every process of the machine.
#[test]
fn sizes_are_those_of_smaps_rollup() {
    let crowd = Crowd::of("rollup", 3);

    for row in ask(&crowd) {
        let process = oracle::process(u32::try_from(number(&row, "pid")).expect("a pid"));
        let rollup = process.smaps_rollup().expect("smaps_rollup can be read");
        let sum = &rollup.memory_map_rollup.0[0].extension.map;
        assert_eq!(number(&row, "rss"), sum["Rss"]);
        assert_eq!(number(&row, "uss"), sum["Private_Clean"] + sum["Private_Dirty"]);
        assert_eq!(number(&row, "swap"), sum["Swap"]);
        assert_eq!(number(&row, "swap_pss"), sum["SwapPss"]);
        close("pss", number(&row, "pss"), sum["Pss"], 4 * KIB);
    }
}

#[test]
fn counts_and_sizes_are_those_of_ps() {
    let crowd = Crowd::of("procps", 2);

    for row in ask(&crowd) {
        let pid = number(&row, "pid").to_string();
        let columns = "vsz=,rss=,maj_flt=,min_flt=,nlwp=,uid=,user=";
        let truth = oracle::tool("ps", &["-o", columns, "-p", &pid]);
        let truth: Vec<&str> = truth.split_whitespace().collect();
        let count = |place: usize| truth[place].parse::<u64>().expect("ps prints numbers");
        assert_eq!(number(&row, "vss"), count(0) * KIB);
        assert_eq!(number(&row, "rss"), count(1) * KIB);
        assert_eq!(number(&row, "majflt"), count(2));
        assert_eq!(number(&row, "minflt"), count(3));
        assert_eq!(number(&row, "threads"), count(4));
        assert_eq!(number(&row, "uid"), count(5));
        assert_eq!(row["user"], truth[6]);
    }
}

/// What `top` users subtract by hand, RES minus SHR, is the private anonymous part of the resident set. The kernel
/// counts the parts on each processor apart and may be 64 pages behind for each kind.
#[test]
fn res_minus_shr_is_the_anonymous_part() {
    let crowd = Crowd::of("anonymous", 2);

    for row in ask(&crowd) {
        let pid = u32::try_from(number(&row, "pid")).expect("a pid");
        let truth = oracle::status(pid, "RssAnon");
        assert!(truth > 2 << 20);
        close("res_minus_shr", number(&row, "res_minus_shr"), truth, 512 * KIB);
        assert_eq!(number(&row, "anon"), truth);
        assert_eq!(number(&row, "file"), oracle::status(pid, "RssFile"));
        assert_eq!(number(&row, "shmem"), oracle::status(pid, "RssShmem"));
    }
}

/// A process with threads, files and shared memory of each kind: what a crowd of simple ones would not show.
#[test]
fn threads_regions_and_scores_are_counted() {
    let layout = Program::build("layout").spawn(&[]);
    let pid = layout.pid();

    let document = document(&["ps", "--filter", &format!("pid={pid}")]);

    let row = &document["processes"][0];
    assert_eq!(document["processes"].as_array().map(Vec::len), Some(1), "a pid is one process");
    assert_eq!(number(row, "pid"), u64::from(pid));
    assert_eq!(row["name"], "layout");
    assert_eq!(number(row, "threads"), layout.number("threads"));
    assert_eq!(number(row, "maps"), oracle::smaps(pid).0.len() as u64);
    let score = std::fs::read_to_string(format!("/proc/{pid}/oom_score")).expect("it runs");
    assert_eq!(row["oom_score"].to_string(), score.trim());
}
