//! Processes of Windows, under Wine or on Windows itself. What Wine does not tell must show as unknown, never as zero.

mod address_space;
mod contents;
mod counters;
mod growth;
mod refusals;
mod selfcheck;

use residue_testkit::{Program, Running};
use serde_json::Value;

use crate::harness::{address, rows};

fn victim() -> Running {
    Program::build("victim").spawn(&[])
}

/// The region of a map that holds an address.
#[track_caller]
fn region_at(map: &Value, at: u64) -> &Value {
    let holds = |region: &&Value| address(region, "start") <= at && at < address(region, "end");
    rows(map, "regions").iter().find(holds).unwrap_or_else(|| panic!("no region holds {at:#x}"))
}
