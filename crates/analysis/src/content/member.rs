use residue_model::{Address, Bytes, Memory, Range, Region};

use super::extract::Texts;
use super::region::look;
use super::{Content, Layout, preview};

/// What is read of a member: all of it when it is no larger than both.
const START: u64 = 48 << 10;
const MIDDLE: u64 = 16 << 10;
const PREVIEW: usize = 80;

/// What was seen of one member.
pub(super) struct Member {
    pub(super) start: Address,
    pub(super) content: Content,
    /// How much was read.
    pub(super) read: Bytes,
    /// How much of that is not zero, 0 to 1.
    pub(super) filled: f64,
    pub(super) preview: Option<String>,
    pub(super) texts: Texts,
}

impl Member {
    /// Looks at a region; `None` when nothing of it can be read.
    pub(super) fn of(
        region: &Region,
        memory: &dyn Memory,
        layout: &Layout,
        window: &mut Vec<u8>,
    ) -> Option<Member> {
        let mut seen = Seen::default();
        for part in parts(region.range) {
            look(memory, part, window, |bytes| seen.add(bytes, layout));
        }
        let content = seen.content?;
        Some(Member {
            start: region.range.start,
            content,
            read: Bytes(seen.read),
            filled: Bytes(seen.nonzero).share_of(Bytes(seen.read)),
            preview: seen.preview,
            texts: seen.texts,
        })
    }
}

#[derive(Default)]
struct Seen {
    content: Option<Content>,
    read: u64,
    nonzero: u64,
    preview: Option<String>,
    texts: Texts,
}

impl Seen {
    /// The start decides what a member holds, unless it is empty.
    fn add(&mut self, bytes: &[u8], layout: &Layout) {
        if self.content.is_none_or(|content| content == Content::Zero) {
            self.content = Some(Content::of(bytes, layout));
            self.preview = preview(bytes, PREVIEW);
        }
        self.read += bytes.len() as u64;
        self.nonzero += bytes.iter().filter(|&&byte| byte != 0).count() as u64;
        self.texts.add(bytes);
    }
}

fn parts(range: Range) -> impl Iterator<Item = Range> {
    let size = range.size().0;
    let all = size <= START + MIDDLE;
    let start = Range { end: Address(range.start.0 + if all { size } else { START }), ..range };
    let middle = range.start.0 + ((size / 2).max(START) & !0xfff);
    let middle = Range { start: Address(middle), end: Address(middle.saturating_add(MIDDLE)) }.overlap(range);
    [Some(start), middle.filter(|_| !all)].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_region_is_read_whole_and_a_large_one_in_two_places() {
        let of = |size: u64| {
            let range = Range { start: Address(0x1000), end: Address(0x1000 + size) };
            parts(range).map(|part| (part.start.0 - 0x1000, part.size().0)).collect::<Vec<_>>()
        };
        assert_eq!(of(0x1000), [(0, 0x1000)]);
        assert_eq!(of(0x1_0000), [(0, 0x1_0000)]);
        assert_eq!(of(0x1_1000), [(0, 0xc000), (0xc000, 0x4000)]);
        assert_eq!(of(0x2_0000), [(0, 0xc000), (0x1_0000, 0x4000)]);
    }
}
