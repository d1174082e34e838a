use std::fmt::Write as _;
use std::io::Write;

use residue_model::{Address, Bytes, Range};

use super::Screen;
use crate::Result;
use crate::json::Extracted;
use crate::units::{count, size};

const LINE: usize = 16;

/// Writes memory as people read it: an address, sixteen bytes, the same as text. `??` stands where nothing can be read.
///
/// `pieces` are what could be read of `range`, in order of address.
///
/// # Errors
/// When the output cannot be written.
pub fn hex(out: &mut impl Write, screen: Screen, range: Range, pieces: &[(Address, Vec<u8>)]) -> Result<()> {
    let digits = if range.end.0 > 0xffff_ffff { 16 } else { 8 };
    let mut at = range.start.0 & !(LINE as u64 - 1);
    let mut skipped = false;
    while at < range.end.0 {
        let line = line(at, range, pieces);
        if line.iter().flatten().next().is_none() && at > range.start.0 && range.end.0 - at > LINE as u64 {
            // A long hole is one line: nobody reads a million question marks.
            if !std::mem::replace(&mut skipped, true) {
                writeln!(out, "{}", screen.faint("*  nothing can be read here"))?;
            }
            at = next(at, pieces).unwrap_or(range.end.0).max(at.saturating_add(LINE as u64));
            continue;
        }
        skipped = false;
        writeln!(out, "{at:0digits$x}  {}", text(&line, at, range))?;
        // The last line of the address space has none behind it.
        let Some(behind) = at.checked_add(LINE as u64) else { break };
        at = behind;
    }
    let read: usize = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
    let missing = range.size() - Bytes(read as u64);
    if missing > Bytes::ZERO {
        writeln!(
            out,
            "{}",
            screen.faint(&format!("{} of {} bytes cannot be read", missing.0, range.size().0))
        )?;
    }
    Ok(())
}

/// Writes which files memory was written to.
///
/// # Errors
/// When the output cannot be written.
pub fn extracted(out: &mut impl Write, screen: Screen, files: &[Extracted]) -> Result<()> {
    let read: Bytes = files.iter().map(|file| file.read).sum();
    let missing: Bytes = files.iter().map(|file| file.missing).sum();
    let what = match files {
        [file] => file.file.clone(),
        files => format!("{} files", count(files.len() as u64)),
    };
    writeln!(out, "wrote {what}: {} of memory", size(read))?;
    if missing > Bytes::ZERO {
        let line = format!("{} could not be read and stand as zeros", size(missing));
        writeln!(out, "{}", screen.doubtful(&line))?;
    }
    Ok(())
}

/// Where the line that holds the next readable byte begins.
fn next(at: u64, pieces: &[(Address, Vec<u8>)]) -> Option<u64> {
    let behind = at.saturating_add(LINE as u64);
    let first = pieces.partition_point(|(start, bytes)| start.0.saturating_add(bytes.len() as u64) <= behind);
    pieces.get(first).map(|(start, _)| start.0 & !(LINE as u64 - 1))
}

fn line(at: u64, range: Range, pieces: &[(Address, Vec<u8>)]) -> [Option<u8>; LINE] {
    let mut line = [None; LINE];
    for (offset, byte) in (0..).zip(&mut line) {
        let Some(address) = at.checked_add(offset) else { break };
        if !range.contains(Address(address)) {
            continue;
        }
        let behind = pieces.partition_point(|(start, _)| start.0 <= address);
        let piece = behind.checked_sub(1).map(|index| &pieces[index]);
        *byte = piece.and_then(|(start, bytes)| bytes.get(usize::try_from(address - start.0).ok()?).copied());
    }
    line
}

fn text(line: &[Option<u8>; LINE], at: u64, range: Range) -> String {
    let mut text = String::with_capacity(80);
    for (index, byte) in line.iter().enumerate() {
        let address = at.saturating_add(index as u64);
        if index == LINE / 2 {
            text.push(' ');
        }
        match byte {
            Some(byte) => write!(text, "{byte:02x} ").expect("a string takes everything"),
            None if range.contains(Address(address)) => text.push_str("?? "),
            None => text.push_str("   "),
        }
    }
    text.push(' ');
    for byte in line {
        text.push(match byte {
            Some(byte @ b' '..=b'~') => char::from(*byte),
            Some(_) => '.',
            None => ' ',
        });
    }
    text.trim_end().to_owned()
}
