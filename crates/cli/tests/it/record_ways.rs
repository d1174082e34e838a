//! Every way to allocate: what is lost is found at the function and line that lost it, in the bytes that were asked for.

use residue_testkit::Program;

use crate::harness::recorded::{Case, sites_at};
use crate::harness::{number, rows};

#[track_caller]
fn assert_counted(program: &str, arguments: &[&str]) {
    Case::of(&Program::build(program), arguments).faithful().assert_told();
}

#[test]
fn the_ways_of_c_are_counted() {
    assert_counted("ways.c", &[]);
}

#[test]
fn the_ways_of_cpp_are_counted() {
    assert_counted("ways.cpp", &[]);
}

#[test]
fn the_ways_of_rust_are_counted() {
    assert_counted("ways.rs", &[]);
}

/// Who calls strdup, operator new or a container lost the block, and not what these call.
#[test]
fn a_site_is_named_by_who_called_the_library() {
    for (program, functions) in [
        ("ways.c", &["lose_strdup", "lose_malloc", "lose_posix_memalign"][..]),
        ("ways.cpp", &["lose_new", "lose_vector", "lose_string", "lose_map", "lose_unique"]),
        ("ways.rs", &["lose_box", "lose_vec", "lose_string", "lose_queue"]),
    ] {
        let report = Case::of(&Program::build(program), &[]).faithful().report();
        for function in functions {
            let sites = sites_at(&report, function, None);
            assert!(!sites.is_empty(), "{function}");
            for site in sites {
                let named = site["frames"][0]["function"].as_str().unwrap_or_default();
                assert!(named.contains(function), "{function} is called {named:?}: {site:#}");
            }
        }
    }
}

#[test]
fn what_is_refused_leaves_the_block_as_it_was() {
    assert_counted("oddities", &["case=refused"]);
}

#[test]
fn blocks_of_no_bytes_are_blocks() {
    assert_counted("oddities", &["case=nothing"]);
}

#[test]
fn more_than_four_gibibytes_are_counted() {
    assert_counted("oddities", &["case=large"]);
}

#[test]
fn large_alignments_are_kept() {
    assert_counted("oddities", &["case=aligned"]);
}

#[test]
fn mappings_are_counted_by_what_stands_of_them() {
    assert_counted("mappings", &[]);
}

// --- how programs end ----------------------------------------------------------------------------------------------

#[test]
fn nothing_is_lost_however_a_program_ends() {
    for how in
        ["return", "exit", "_exit", "quick_exit", "abort", "kill", "segv", "trap", "stack", "main_thread"]
    {
        let recorded = Case::of(&Program::build("endings"), &[&format!("how={how}")]).faithful();
        let report = recorded.assert_told();
        let sites = rows(&report, "sites").iter();
        let blocks: u64 = sites.map(|site| number(site, "live_blocks")).sum();
        assert_eq!(blocks, number(&report["totals"], "live_blocks"), "{how}");
    }
}
