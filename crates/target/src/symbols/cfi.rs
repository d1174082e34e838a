use std::ops::ControlFlow;

use gimli::{
    BaseAddresses, EhFrame, EndianSlice, LittleEndian, UnwindContext, UnwindSection, UnwindTableRow,
};
use residue_model::{Address, Memory, Range};

use super::layout::Layout;
use crate::image::number;

/// Where a module says how to leave each of its functions: `.eh_frame`, and the sorted index in front of it.
///
/// Source: Linux Standard Base, "Exception Frames"; System V ABI, AMD64 supplement, 3.7.
#[derive(Debug)]
pub(super) struct Cfi {
    /// Where each function begins and its entry stands, both counted from the start of the index.
    index: Vec<(i32, i32)>,
    index_start: u64,
    frames: Vec<u8>,
    frames_start: u64,
}

pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Row = UnwindTableRow<usize>;

/// No program has more of it.
const MOST: u64 = 128 * 1024 * 1024;
/// No function needs more to say how to leave it; a stranger's may take forever to read.
const LONGEST: usize = 1024 * 1024;
const X86_64: u16 = 62;

impl Cfi {
    /// Reads both from memory, which is to show what stands in files too.
    pub(super) fn read(layout: &Layout, bias: u64, memory: &dyn Memory) -> Option<Cfi> {
        if layout.machine != X86_64 || !layout.is_wide {
            return None;
        }
        let index_at = layout.unwind?.range(bias);
        let index_start = index_at.start.0;
        let (frames_start, index) = index(index_start, &read(index_at, memory))?;
        let holds = |range: &Range| range.contains(Address(frames_start));
        let load = layout.loads.iter().map(|load| load.range(bias)).find(holds)?;
        // What stands behind the last entry is not read: in one segment with it may be all constants, or all code.
        let last = index_start.wrapping_add_signed(index.iter().map(|(_, entry)| i64::from(*entry)).max()?);
        let mut size = [0; 4];
        memory.read(Address(last), &mut size);
        let end = last.saturating_add(4).saturating_add(u64::from(u32::from_le_bytes(size)));
        let end = Address(end).min(load.end);
        let frames = read(Range { start: Address(frames_start), end }, memory);
        Some(Cfi { index, index_start, frames, frames_start })
    }

    /// How registers were saved at an address, and whether the kernel called this code to deliver a signal.
    pub(super) fn row(&self, address: u64) -> Option<(Row, bool)> {
        let distance = i32::try_from(address.wrapping_sub(self.index_start).cast_signed()).ok()?;
        let behind = self.index.partition_point(|(start, _)| *start <= distance);
        let (_, entry) = self.index[..behind].last()?;
        let at = self.index_start.wrapping_add_signed(i64::from(*entry)).checked_sub(self.frames_start)?;
        let section = self.section();
        let bases = BaseAddresses::default().set_eh_frame(self.frames_start);
        let at = usize::try_from(at).ok().filter(|&at| at < self.frames.len())?;
        let entry = section.fde_from_offset(&bases, at.into(), EhFrame::cie_from_offset).ok()?;
        if !entry.contains(address) || entry.entry_len().max(entry.cie().entry_len()) > LONGEST {
            return None;
        }
        let mut context = UnwindContext::new();
        let row = entry.unwind_info_for_address(&section, &bases, &mut context, address).ok()?.clone();
        Some((row, entry.is_signal_trampoline()))
    }

    pub(super) fn section(&self) -> EhFrame<Bytes<'_>> {
        let mut section = EhFrame::new(&self.frames, LittleEndian);
        section.set_address_size(8);
        section
    }
}

/// Where `.eh_frame` stands, and the index, in the one form that every linker writes. Read here since gimli 0.34 takes
/// the order of its entries on trust.
fn index(start: u64, bytes: &[u8]) -> Option<(u64, Vec<(i32, i32)>)> {
    // Version 1; a distance from here; a count; pairs of distances from the start.
    const FORM: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
    if bytes.get(..4)? != FORM {
        return None;
    }
    let int = |at| number(bytes, at, 4, false).and_then(|number| u32::try_from(number).ok());
    let frames = start.wrapping_add(4).wrapping_add_signed(i64::from(int(4)?.cast_signed()));
    let count = usize::try_from(int(8)?).ok()?;
    let pairs = bytes.get(12..)?.chunks_exact(8).take(count);
    let signed = |half: &[u8]| i32::from_le_bytes([half[0], half[1], half[2], half[3]]);
    Some((frames, pairs.map(|pair| (signed(&pair[..4]), signed(&pair[4..]))).collect()))
}

/// What can be read in a row from the start of a range on.
fn read(range: Range, memory: &dyn Memory) -> Vec<u8> {
    let end = Address(range.end.0.min(range.start.0.saturating_add(MOST)));
    let (mut bytes, mut at) = (Vec::new(), range.start);
    if end <= at {
        return bytes;
    }
    let _ = memory.walk(Range { start: range.start, end }, &mut Vec::new(), &mut |start, piece| {
        if start != at {
            return ControlFlow::Break(());
        }
        bytes.extend_from_slice(piece);
        at = Address(start.0 + piece.len() as u64);
        ControlFlow::Continue(())
    });
    bytes
}
