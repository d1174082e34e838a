use std::io::Write;

use residue_analysis::accounting::{Area, Group, Machine, Rows, Table, View};
use residue_model::{Bytes, Footprint, Process, SystemMemory};
use serde::Serialize;

use super::{Target, write};
use crate::Result;

#[derive(Serialize)]
struct Processes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "processes")]
    rows: Option<Vec<ProcessRow<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<GroupRow<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mappings: Option<Vec<GroupRow<'a>>>,
    totals: GroupRow<'a>,
    more: usize,
    system: &'a SystemMemory,
}

#[derive(Serialize)]
struct ProcessRow<'a> {
    #[serde(flatten)]
    process: &'a Process,
    res_minus_shr: Option<Bytes>,
}

impl<'a> From<&'a Process> for ProcessRow<'a> {
    fn from(process: &'a Process) -> ProcessRow<'a> {
        ProcessRow { process, res_minus_shr: process.footprint.res_minus_shr() }
    }
}

#[derive(Serialize)]
struct GroupRow<'a> {
    #[serde(flatten)]
    group: &'a Group,
    res_minus_shr: Option<Bytes>,
    average_pss: Option<Bytes>,
}

impl<'a> From<&'a Group> for GroupRow<'a> {
    fn from(group: &'a Group) -> GroupRow<'a> {
        GroupRow { group, res_minus_shr: group.footprint.res_minus_shr(), average_pss: group.average_pss() }
    }
}

/// Writes `residue.ps/1` of processes, users or mappings.
///
/// # Errors
/// When the output cannot be written.
pub fn processes(out: &mut impl Write, target: Target<'_>, table: &Table) -> Result<()> {
    let groups = |view: View| match &table.rows {
        Rows::Groups(groups) if table.view == view => Some(groups.iter().map(GroupRow::from).collect()),
        _ => None,
    };
    let rows = match &table.rows {
        Rows::Processes(processes) => Some(processes.iter().map(ProcessRow::from).collect()),
        Rows::Groups(_) => None,
    };
    let body = Processes {
        rows,
        users: groups(View::User),
        mappings: groups(View::Mapping),
        totals: (&table.total).into(),
        more: table.more,
        system: &table.system,
    };
    write(out, "residue.ps/1", target, &table.gaps, body)
}

#[derive(Serialize)]
struct MachineBody<'a> {
    areas: &'a [Area],
    system: &'a SystemMemory,
    totals: MachineTotals<'a>,
}

#[derive(Serialize)]
struct MachineTotals<'a> {
    #[serde(flatten)]
    footprint: &'a Footprint,
    res_minus_shr: Option<Bytes>,
}

/// Writes `residue.ps/1` of the machine.
///
/// # Errors
/// When the output cannot be written.
pub fn machine(out: &mut impl Write, target: Target<'_>, machine: &Machine) -> Result<()> {
    let totals =
        MachineTotals { footprint: &machine.processes, res_minus_shr: machine.processes.res_minus_shr() };
    let body = MachineBody { areas: &machine.areas, system: &machine.memory, totals };
    write(out, "residue.ps/1", target, &machine.gaps, body)
}
