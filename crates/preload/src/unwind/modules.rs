//! The rows of the segment that say which images code was in.

use core::sync::atomic::Ordering::Relaxed;

use residue_recording::wire::ModuleRow;

use super::elf;
use super::objects::Object;
use crate::segment::Segment;
use crate::sys;

/// The number of an image's row, which is new when no row says just this. None when others hold on to the rows for long, or
/// there is no room.
///
/// A library that is loaded again at the same place is the same row; one that was built anew is another.
pub(super) fn number(segment: &Segment, object: &Object, path: &[u8]) -> Option<u16> {
    let build_id = elf::build_id(elf::segments(object.start), object.bias);
    let build_id = &build_id[..build_id.len().min(32)];
    let wanted = Wanted { object, path, build_id };
    wanted.find(segment).or_else(|| {
        let held = segment.lock()?;
        // Another thread may have been quicker.
        wanted.find(segment).or_else(|| {
            let path = held.add_text(wanted.path)?;
            held.add_module(|row| wanted.fill(row, path))
        })
    })
}

struct Wanted<'a> {
    object: &'a Object,
    /// Empty: whatever stands there.
    path: &'a [u8],
    build_id: &'a [u8],
}

impl Wanted<'_> {
    fn find(&self, segment: &Segment) -> Option<u16> {
        let at = segment.filled_modules().iter().rposition(|row| self.is(row, segment))?;
        u16::try_from(at + 1).ok()
    }

    fn is(&self, row: &ModuleRow, segment: &Segment) -> bool {
        row.bias.load(Relaxed) == self.object.bias
            && (self.is_image(row) || sys::is_bound() && self.is_part(row))
            && (self.path.is_empty() || self.has_path(row, segment))
    }

    fn is_image(&self, row: &ModuleRow) -> bool {
        row.start.load(Relaxed) == self.object.start
            && row.end.load(Relaxed) == self.object.end
            && row.build_id_length.load(Relaxed) as usize == self.build_id.len()
            && self.build_id.iter().zip(&row.build_id).all(|(byte, there)| *byte == there.load(Relaxed))
    }

    /// Of a program that has bound itself to few system calls nobody asks what can be read: its images' headers are not seen.
    fn is_part(&self, row: &ModuleRow) -> bool {
        row.start.load(Relaxed) <= self.object.start && self.object.end <= row.end.load(Relaxed)
    }

    fn has_path(&self, row: &ModuleRow, segment: &Segment) -> bool {
        let text = segment.text(row.path.load(Relaxed), row.path_length.load(Relaxed));
        text.len() == self.path.len()
            && self.path.iter().zip(text).all(|(byte, there)| *byte == there.load(Relaxed))
    }

    fn fill(&self, row: &ModuleRow, (path, path_length): (u32, u32)) {
        row.start.store(self.object.start, Relaxed);
        row.end.store(self.object.end, Relaxed);
        row.bias.store(self.object.bias, Relaxed);
        row.path.store(path, Relaxed);
        row.path_length.store(path_length, Relaxed);
        row.build_id_length.store(self.build_id.len() as u32, Relaxed);
        for (byte, place) in self.build_id.iter().zip(&row.build_id) {
            place.store(*byte, Relaxed);
        }
    }
}
