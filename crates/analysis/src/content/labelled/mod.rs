//! Samples of known content, and the score of [`Content::of`](super::Content::of) on them.

mod binary;
pub(super) mod compiled;
mod text;

use residue_model::{Address, Protection, Range, Region};

use super::{Content, Layout};

/// Bytes, what they are, and the words of which process.
struct Sample {
    content: Content,
    name: &'static str,
    bits: u8,
    bytes: Vec<u8>,
}

fn sample(content: Content, name: &'static str, bytes: impl Into<Vec<u8>>) -> Sample {
    Sample { content, name, bits: 64, bytes: bytes.into() }
}

/// A process with heaps where Linux and Windows put them; the one of 32 bits has used most of its space.
fn layout(bits: u8) -> Layout {
    let region = |start, end| Region {
        range: Range { start: Address(start), end: Address(end) },
        protection: Protection::from_letters(b"rw-p").expect("four letters"),
        ..Region::default()
    };
    let regions = match bits {
        32 => vec![region(0x1_0000, 0x7ffe_0000)],
        _ => vec![region(0x5555_0000_0000, 0x5555_1000_0000), region(0x7f12_0000_0000, 0x7f12_4000_0000)],
    };
    Layout::of(&regions, bits, false)
}

/// 95 of 100 are named right, as they are, behind an allocator's header, and with zeros behind them.
#[test]
fn most_samples_are_named_right() {
    let samples: Vec<Sample> = text::samples().into_iter().chain(binary::samples()).collect();
    let (mut right, mut wrong) = (0, Vec::new());
    for sample in &samples {
        let layout = layout(sample.bits);
        let header = [&[0x21, 0, 2, 0, 0, 0, 0, 0, 0x31, 4, 0, 0, 0, 0, 0, 0][..], &sample.bytes].concat();
        let mut padded = sample.bytes.clone();
        padded.resize(sample.bytes.len() * 2, 0);
        for (form, bytes) in
            [("as it is", &sample.bytes), ("behind a header", &header), ("with a zero tail", &padded)]
        {
            match Content::of(bytes, &layout) {
                content if content == sample.content => right += 1,
                content => wrong.push(format!("{} {form}: {content:?}", sample.name)),
            }
        }
    }
    let all = samples.len() * 3;
    assert!(samples.len() >= 60, "{}", samples.len());
    assert!(right * 100 >= all * 95, "{right} of {all} are right; wrong are {wrong:#?}");
}
