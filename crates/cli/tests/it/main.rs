//! The command from end to end: what a user types, and what comes out.
//!
//! Truth comes from outside: programs that tell what they hold, the kernel's own files, `ps`, `pmap` and `smem`. A tool
//! that is missing is a failure and no reason to skip: `cargo xtask setup` installs it.

#![cfg(target_os = "linux")]

mod harness;

mod dump;
mod dumps_broken;
mod dumps_map;
mod dumps_triage;
mod help;
mod map_diff;
mod map_giants;
mod map_layout;
mod map_oracles;
mod map_questions;
mod names;
mod output;
mod page_map;
mod page_triage;
mod permission;
mod ps_capture;
mod ps_charts;
mod ps_numbers;
mod ps_table;
mod ps_views;
mod read;
mod schema;
mod search;
mod targets;
mod triage;
mod watch;
mod watch_ends;
