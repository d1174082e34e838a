use super::victim;
use crate::harness::{document, number, row_of, rows, text};

/// The list comes in one call and needs no right; a counter that nobody keeps is null.
#[test]
fn ps_lists_what_windows_counts() {
    let victim = victim();
    let list = document(&["ps"]);

    let rows = rows(&list, "processes");
    let row = rows.iter().find(|row| row["pid"] == victim.pid()).expect("it runs");
    assert_eq!(row["name"], "victim.exe");
    assert!(number(row, "commit") >= 8 << 20, "it has touched 8 MiB: {row}");
    assert!(number(row, "working_set") >= 8 << 20, "{row}");
    assert_eq!(row["rss"], row["working_set"]);
    assert!(row["pss"].is_null() && row["swap"].is_null(), "Windows tells neither: {row}");
    for counter in ["paged_pool", "nonpaged_pool", "private_working_set"] {
        assert!(row[counter].as_u64() != Some(0), "a zero that cannot be: {row}");
    }
    assert!(row["command"].as_str().is_some_and(|command| command.contains("victim")), "{row}");
    assert!(row["user"].as_str().is_some_and(|user| !user.is_empty()), "{row}");
}

#[test]
fn columns_and_totals_are_those_of_windows() {
    let victim = victim();
    let filter = format!("pid={}", victim.pid());
    let shown =
        text(&["ps", "--filter", &filter, "--columns", "pid,commit,working_set,handles,name", "--totals"]);
    assert!(shown.trim_start().starts_with("PID"), "{shown}");
    assert!(shown.contains("COMMIT") && shown.contains("victim.exe") && shown.contains("total"), "{shown}");
    let by_user = document(&["ps", "--by", "user"]);
    assert!(rows(&by_user, "users").iter().any(|user| number(user, "commit") > 0), "{by_user}");
}

/// The commit of a process that touched 8 MiB more is 8 MiB more: the counters are its own and not another's.
#[test]
fn a_map_tells_the_same_footprint_as_the_list() {
    let victim = victim();
    let pid = victim.pid().to_string();
    let map = document(&["map", &pid]);
    let list = document(&["ps", "--filter", &format!("pid={pid}")]);
    let row = row_of(rows(&list, "processes"), "name", "victim.exe");
    let commit = number(&map["footprint"], "commit");
    assert!(commit.abs_diff(number(row, "commit")) < 1 << 20, "{commit} and {row}");
}
