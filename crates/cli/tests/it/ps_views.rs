//! `ps --by user`, `mapping` and `system`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use residue_testkit::Program;
use serde_json::Value;

use crate::harness::crowd::{Crowd, KIB, MIB};
use crate::harness::stranger::Stranger;
use crate::harness::{close, document, number, oracle, row_of, rows, text};

/// A crowd that nobody runs. It ends with its stdin.
struct Foreign(Child);

impl Foreign {
    fn start(stranger: &Stranger, mark: &str) -> Foreign {
        let path = Program::build("crowd").flag("-static").path().expect("it builds");
        let copy = stranger.folder_file("crowd");
        std::fs::copy(path, &copy).expect("it can be copied");
        let mut command = stranger.command(&[&copy, "count=2", mark]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("setpriv starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        output.read_line(&mut line).expect("it speaks");
        assert!(line.starts_with("ready"), "{line:?}");
        Foreign(child)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn users_hold_the_sum_of_their_processes() {
    let stranger = Stranger::new();
    let crowd = Crowd::of("users", 3);
    let mark = format!("mark=foreign-{}", std::process::id());
    let _foreign = Foreign::start(&stranger, &mark);
    let both = format!("process=({}|{mark})$", crowd.pattern().trim_end_matches('$'));

    let users = document(&["ps", "--by", "user", "--filter", &both]);

    let users = rows(&users, "users");
    assert_eq!(users.len(), 2, "{users:#?}");
    let processes = document(&["ps", "--filter", &both]);
    for (user, count) in [("root", 4), ("nobody", 3)] {
        let row = row_of(users, "name", user);
        assert_eq!(number(row, "processes"), count);
        let own = rows(&processes, "processes").iter().filter(|process| process["user"] == user);
        let uss: u64 = own.map(|process| number(process, "uss")).sum();
        assert_eq!(number(row, "uss"), uss);
    }
    let by_user = document(&["ps", "--filter", &both, "--filter", "user=nobody"]);
    assert_eq!(rows(&by_user, "processes").len(), 3);
}

/// One file mapped by many is one row: its pss is what the machine pays for it, once.
#[test]
fn a_mapping_is_one_row_over_all_its_processes() {
    let crowd = Crowd::of("mappings", 7);

    let document = document(&["ps", "--by", "mapping", "--filter", &crowd.filter()]);

    let shared = row_of(rows(&document, "mappings"), "name", "/dev/zero");
    assert_eq!(number(shared, "processes"), 8);
    assert_eq!(number(shared, "regions"), 8);
    assert_eq!(number(shared, "vss"), 8 * 8 * MIB);
    assert_eq!(number(shared, "rss"), 8 * 8 * MIB);
    assert_eq!(number(shared, "pss"), 8 * MIB);
    assert_eq!(number(shared, "uss"), 0);
    assert_eq!(number(shared, "average_pss"), MIB);
}

#[test]
fn kinds_of_memory_without_a_file_have_names() {
    let crowd = Crowd::of("kinds", 2);

    let document = document(&["ps", "--by", "mapping", "--filter", &crowd.filter()]);

    let mappings = rows(&document, "mappings");
    assert_eq!(number(row_of(mappings, "name", "[stack]"), "processes"), 3);
    let anonymous = row_of(mappings, "name", "[anon]");
    // Two children with 2 MiB each; the parent has no more than a table of pids.
    close("anonymous", number(anonymous, "uss"), 4 * MIB, 512 * KIB);
    let sum: u64 = mappings.iter().map(|row| number(row, "pss")).sum();
    close("sum of the rows", sum, number(&document["totals"], "pss"), KIB);
}

/// smem asks the same of the same processes and names its rows likewise.
#[test]
fn mappings_are_those_of_smem() {
    let crowd = Crowd::of("smem_maps", 4);
    let base = ["-m", "-H", "-c", "pss pids count map", "-P", &crowd.pattern()];
    let smem = oracle::tool("smem", &base);
    let truth = smem
        .lines()
        .find(|line| line.trim_end().ends_with("/dev/zero"))
        .expect("smem sees the shared memory");
    let truth: Vec<u64> = truth.split_whitespace().take(3).map(|word| word.parse().expect("KiB")).collect();

    let document = document(&["ps", "--by", "mapping", "--filter", &crowd.filter()]);

    let shared = row_of(rows(&document, "mappings"), "name", "/dev/zero");
    // smem rounds the pss of each process down to KiB.
    close("pss", number(shared, "pss"), truth[0] * KIB, 5 * KIB);
    assert_eq!([number(shared, "processes"), number(shared, "regions")], truth[1..]);
}

fn used(areas: &[Value], key: &str) -> u64 {
    number(row_of(areas, "key", key), "used")
}

/// Every byte of the machine belongs to exactly one area.
#[test]
fn areas_add_up_to_the_machine() {
    let document = document(&["ps", "--by", "system"]);

    let areas = rows(&document, "areas");
    let total = oracle::meminfo("MemTotal");
    assert_eq!(used(areas, "kernel") + used(areas, "user") + used(areas, "free"), total);
    assert_eq!(number(&document["system"], "total"), total);
    assert_eq!(number(&document["system"], "swap_total"), oracle::meminfo("SwapTotal"));
    for area in areas {
        assert_eq!(number(area, "cache") + number(area, "noncache"), number(area, "used"), "{area}");
    }
    let installed = number(&document["system"], "installed");
    assert_eq!(used(areas, "firmware") + used(areas, "kernel_image") + total, installed);
}

/// The machine moves while two tools look at it one after the other, so ours has to lie between two looks of smem,
/// give or take what a few programs take in between.
#[test]
fn areas_are_those_of_smem() {
    let slack = 64 * MIB;
    let fits = || {
        let before = oracle::smem_system();
        let document = document(&["ps", "--by", "system"]);
        let after = oracle::smem_system();
        let areas = rows(&document, "areas");
        let places = [("kernel", 2), ("user", 3), ("free", 4)];
        let outside = places.iter().find_map(|&(key, place)| {
            let row = row_of(areas, "key", key);
            let ours = ["used", "cache", "noncache"].map(|column| number(row, column));
            let (low, high) = (before[place], after[place]);
            let between = |i: usize| {
                (low[i].min(high[i]).saturating_sub(slack)..=low[i].max(high[i]) + slack).contains(&ours[i])
            };
            (!(0..3).all(between)).then(|| format!("{key}: {ours:?}, smem {low:?} then {high:?}"))
        });
        outside.map_or(Ok(()), Err)
    };

    let looks: Vec<_> = (0..20).map(|_| fits()).take_while(Result::is_err).collect();

    assert!(looks.len() < 20, "{looks:#?}");
}

#[test]
fn the_machine_shows_res_minus_shr_beside_rss() {
    let table = text(&["ps", "--by", "system"]);
    let document = document(&["ps", "--by", "system"]);

    for words in ["firmware", "kernel", "user", "free", "rss", "res-shr"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let totals = &document["totals"];
    let expected = number(totals, "rss") - number(totals, "file") - number(totals, "shmem");
    assert_eq!(number(totals, "res_minus_shr"), expected);
}
