//! The command from end to end: what a user types, and what comes out.
//!
//! Truth comes from outside: programs that tell what they hold, the kernel's own files, `ps`, `pmap` and `smem`. A tool
//! that is missing is a failure and no reason to skip: `cargo xtask setup` installs it.

#![cfg(any(target_os = "linux", windows))]
#![cfg_attr(windows, allow(dead_code, reason = "most of the harness is for the tests on Linux"))]

mod harness;

#[cfg(target_os = "linux")]
mod fragmenting;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
mod dump;
#[cfg(target_os = "linux")]
mod dumps_broken;
#[cfg(target_os = "linux")]
mod dumps_map;
#[cfg(target_os = "linux")]
mod dumps_triage;
#[cfg(target_os = "linux")]
mod gdb;
#[cfg(target_os = "linux")]
mod heap_hard_cases;
#[cfg(target_os = "linux")]
mod heap_identities;
#[cfg(target_os = "linux")]
mod heap_others;
#[cfg(target_os = "linux")]
mod help;
#[cfg(target_os = "linux")]
mod leaks_kinds;
#[cfg(target_os = "linux")]
mod leaks_questions;
#[cfg(target_os = "linux")]
mod map_diff;
#[cfg(target_os = "linux")]
mod map_giants;
#[cfg(target_os = "linux")]
mod map_layout;
#[cfg(target_os = "linux")]
mod map_oracles;
#[cfg(target_os = "linux")]
mod map_questions;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod page_map;
#[cfg(target_os = "linux")]
mod page_recorded;
#[cfg(target_os = "linux")]
mod page_triage;
#[cfg(target_os = "linux")]
mod permission;
#[cfg(target_os = "linux")]
mod ps_capture;
#[cfg(target_os = "linux")]
mod ps_charts;
#[cfg(target_os = "linux")]
mod ps_numbers;
#[cfg(target_os = "linux")]
mod ps_table;
#[cfg(target_os = "linux")]
mod ps_views;
#[cfg(target_os = "linux")]
mod read;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_edges;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_interrupted;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_others;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_processes;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_programs;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_threads;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_totals;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record_ways;
mod report;
#[cfg(target_os = "linux")]
mod schema;
#[cfg(target_os = "linux")]
mod search;
#[cfg(target_os = "linux")]
mod targets;
#[cfg(target_os = "linux")]
mod triage;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod watch_ends;
