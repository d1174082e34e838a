use std::ops::ControlFlow;

use gimli::{
    BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, UnwindContext, UnwindSection,
    UnwindTableRow,
};
use residue_model::{Address, Memory, Range};

use super::layout::Layout;

/// Where a module says how to leave each of its functions: `.eh_frame`, and the sorted index in front of it.
///
/// Source: Linux Standard Base, "Exception Frames"; System V ABI, AMD64 supplement, 3.7.
#[derive(Debug)]
pub(super) struct Cfi {
    index: Vec<u8>,
    frames: Vec<u8>,
    bases: BaseAddresses,
}

pub(super) type Bytes<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Row = UnwindTableRow<usize>;

/// No program has more of it.
const MOST: u64 = 128 * 1024 * 1024;
const X86_64: u16 = 62;

impl Cfi {
    /// Reads both from memory, which is to show what stands in files too.
    pub(super) fn read(layout: &Layout, bias: u64, memory: &dyn Memory) -> Option<Cfi> {
        if layout.machine != X86_64 || !layout.is_wide {
            return None;
        }
        let index_at = layout.unwind?.range(bias);
        let index = read(index_at, memory);
        let bases = BaseAddresses::default().set_eh_frame_hdr(index_at.start.0);
        let header = EhFrameHdr::new(&index, LittleEndian).parse(&bases, 8).ok()?;
        let frames_start = Address(header.eh_frame_ptr().direct().ok()?);
        let holds = |range: &Range| range.contains(frames_start);
        let load = layout.loads.iter().map(|load| load.range(bias)).find(holds)?;
        let frames = read(Range { start: frames_start, end: load.end }, memory);
        Some(Cfi { index, frames, bases: bases.set_eh_frame(frames_start.0) })
    }

    /// How registers were saved at an address, and whether the kernel called this code to deliver a signal.
    pub(super) fn row(&self, address: u64) -> Option<(Row, bool)> {
        let section = self.section();
        let header = EhFrameHdr::new(&self.index, LittleEndian).parse(&self.bases, 8).ok()?;
        let entry = header
            .table()?
            .fde_for_address(&section, &self.bases, address, |section, bases, offset| {
                section.cie_from_offset(bases, offset)
            })
            .ok()?;
        let mut context = UnwindContext::new();
        let row = entry.unwind_info_for_address(&section, &self.bases, &mut context, address).ok()?.clone();
        Some((row, entry.is_signal_trampoline()))
    }

    pub(super) fn section(&self) -> EhFrame<Bytes<'_>> {
        let mut section = EhFrame::new(&self.frames, LittleEndian);
        section.set_address_size(8);
        section
    }
}

/// What can be read in a row from the start of a range on.
fn read(range: Range, memory: &dyn Memory) -> Vec<u8> {
    let end = Address(range.end.0.min(range.start.0.saturating_add(MOST)));
    let (mut bytes, mut at) = (Vec::new(), range.start);
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
