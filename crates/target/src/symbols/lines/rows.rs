//! Which line a compiler made each instruction from.
//!
//! Source: DWARF 5, 6.2 "Line Number Information".

use gimli::{LineInstruction, LineProgramHeader, Unit};

use super::effort::Stop;
use super::elf::Slice;
use super::units::{Units, within};
use crate::procfs::printable;

/// A file, as the unit numbers it, and a line of it; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) file: u64,
    pub(super) line: u64,
}

/// The state of the machine whose program a line table is, as far as lines need it.
struct Machine {
    address: u64,
    row: Row,
}

/// A row of the table.
struct Step {
    address: u64,
    row: Row,
    is_end: bool,
}

/// The rows of the sorted addresses.
pub(super) fn rows<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    addresses: &[u64],
) -> Result<Vec<Option<Row>>, Stop> {
    let mut found = vec![None; addresses.len()];
    let mut at = 0;
    spans(units, unit, &mut |begin, end, row| {
        // Spans come in order for the most part: a search is needed where another sequence begins.
        if at > 0 && addresses[at - 1] >= begin || addresses.get(at).is_some_and(|&address| address < begin) {
            at = addresses.partition_point(|&address| address < begin);
        }
        while addresses.get(at).is_some_and(|&address| address < end) {
            found[at].get_or_insert(row);
            at += 1;
        }
    })?;
    Ok(found)
}

/// Those of the sorted addresses that a unit has lines for.
pub(super) fn covered<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    addresses: &[u64],
) -> Result<Vec<u64>, Stop> {
    let mut found = Vec::new();
    spans(units, unit, &mut |begin, end, _| found.extend(within(addresses, begin, end)))?;
    Ok(found)
}

/// Runs the program, and shows what stands between one row and the next.
fn spans<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    show: &mut dyn FnMut(u64, u64, Row),
) -> Result<(), Stop> {
    let Some(program) = &unit.line_program else { return Ok(()) };
    let header = program.header();
    let mut instructions = header.instructions();
    let mut machine = Machine::new();
    let mut before: Option<(u64, Row)> = None;
    // What was thrown away by the linker begins at 0, or at the very end.
    let mut is_kept = false;
    while let Some(instruction) = instructions.next_instruction(header)? {
        units.effort.spend(1)?;
        let Some(step) = machine.run(instruction, header) else { continue };
        match before {
            None => is_kept = step.address > 0,
            Some((begin, row)) if is_kept && begin < step.address => show(begin, step.address, row),
            Some(_) => {}
        }
        before = (!step.is_end).then_some((step.address, step.row));
        if step.is_end {
            machine = Machine::new();
        }
    }
    Ok(())
}

impl Machine {
    fn new() -> Machine {
        Machine { address: 0, row: Row { file: 1, line: 1 } }
    }

    fn run(
        &mut self,
        instruction: LineInstruction<Slice<'_>>,
        header: &LineProgramHeader<Slice<'_>>,
    ) -> Option<Step> {
        match instruction {
            LineInstruction::Special(code) => {
                let code = code.wrapping_sub(header.opcode_base());
                self.advance(u64::from(code / header.line_range()), header);
                let lines = i64::from(header.line_base()) + i64::from(code % header.line_range());
                self.row.line = self.row.line.wrapping_add_signed(lines);
                return Some(self.step(false));
            }
            LineInstruction::Copy => return Some(self.step(false)),
            LineInstruction::EndSequence => return Some(self.step(true)),
            LineInstruction::AdvancePc(by) => self.advance(by, header),
            LineInstruction::ConstAddPc => {
                let code = 255_u8.wrapping_sub(header.opcode_base());
                self.advance(u64::from(code / header.line_range()), header);
            }
            LineInstruction::FixedAddPc(by) => self.address = self.address.wrapping_add(u64::from(by)),
            LineInstruction::SetAddress(address) => self.address = address,
            LineInstruction::AdvanceLine(by) => self.row.line = self.row.line.wrapping_add_signed(by),
            LineInstruction::SetFile(file) => self.row.file = file,
            _ => {}
        }
        None
    }

    fn advance(&mut self, by: u64, header: &LineProgramHeader<Slice<'_>>) {
        let size = u64::from(header.minimum_instruction_length());
        self.address = self.address.wrapping_add(size.wrapping_mul(by));
    }

    fn step(&self, is_end: bool) -> Step {
        Step { address: self.address, row: self.row, is_end }
    }
}

/// The path of a file, as a unit numbers it: joined to its directory, and that to where the compiler ran.
pub(super) fn path<'a>(units: &Units<'a>, unit: &Unit<Slice<'a>>, number: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(number)?;
    let text = |value| units.dwarf.attr_string(unit, value).ok().map(|text| short(text.slice()));
    let name = text(file.path_name())?;
    // Number 0 is where the compiler ran.
    let directory = file.directory(header).filter(|_| file.directory_index() > 0);
    let directory = directory.and_then(text).unwrap_or_default();
    let compiled_in = unit.comp_dir.map(|text| short(text.slice())).unwrap_or_default();
    Some(printable(&joined(&joined(compiled_in, directory), name)))
}

/// Longer paths opens no system.
fn short(text: &[u8]) -> &[u8] {
    const LONGEST: usize = 4096;
    &text[..text.len().min(LONGEST)]
}

/// A path below a directory, unless it needs none.
fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let has_drive = matches!(path, [_, b':', b'/' | b'\\', ..]);
    match directory {
        [] => path.to_vec(),
        _ if has_drive || matches!(path, [] | [b'/' | b'\\', ..]) => {
            if path.is_empty() {
                directory.to_vec()
            } else {
                path.to_vec()
            }
        }
        [.., b'/'] => [directory, path].concat(),
        _ => [directory, b"/", path].concat(),
    }
}
