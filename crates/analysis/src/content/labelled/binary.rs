use super::compiled::{AARCH64, ARM, THUMB, X86, X86_64, bytes};
use super::{Content, Sample, sample};
use crate::content::tally::tests::noise;

pub(super) fn samples() -> Vec<Sample> {
    [words(), formats(), others()].into_iter().flatten().collect()
}

fn le64(words: impl Iterator<Item = u64>) -> Vec<u8> {
    words.flat_map(u64::to_le_bytes).collect()
}

fn le32(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}

fn wave(step: u32) -> f64 {
    12.0 + 8.0 * (f64::from(step) / 9.0).sin()
}

#[allow(clippy::cast_possible_truncation, reason = "a wave of small height")]
fn words() -> Vec<Sample> {
    let narrow = |content, name, bytes| Sample { bits: 32, ..sample(content, name, bytes) };
    let scattered = |index: u64| 0x7f12_0000_0010 + index.wrapping_mul(0x9e37_79b9) % 0x3000_0000 / 16 * 16;
    vec![
        sample(Content::Pointers, "to blocks", le64((0..128).map(scattered))),
        sample(
            Content::Pointers,
            "hash table, half empty",
            le64((0..256).map(|i| if i % 2 == 0 { scattered(i) } else { 0 })),
        ),
        sample(
            Content::Pointers,
            "to two heaps",
            le64((0..128).map(|i| if i % 3 == 0 { 0x5555_0000_2a40 + i * 96 } else { scattered(i) })),
        ),
        narrow(
            Content::Pointers,
            "of 32 bits",
            le32((0..256).map(|i: u32| 0x0380_1230 + i.wrapping_mul(0x9e37) % 0x50_0000 / 8 * 8)),
        ),
        sample(Content::Floats, "doubles", le64((0..128).map(|i| wave(i).to_bits()))),
        sample(Content::Floats, "singles", le32((0..256).map(|i| (wave(i) as f32).to_bits()))),
        narrow(
            Content::Floats,
            "round singles of 32 bits",
            le32((0..256_u16).map(|i| f32::from(i % 40).to_bits())),
        ),
        sample(
            Content::Floats,
            "doubles around zero",
            le64((0..128).map(|i| ((f64::from(i) - 64.0) * 0.013).to_bits())),
        ),
        sample(
            Content::Integers,
            "counters",
            le32((0..256).map(|i: u32| i.wrapping_mul(2_654_435_761) >> 22)),
        ),
        sample(Content::Integers, "sizes", le64((0..128).map(|i| i * 4096))),
        sample(
            Content::Integers,
            "signed",
            le32((0..256_i32).map(|i| ((i * 37) % 200 - 100).cast_unsigned())),
        ),
        sample(
            Content::Integers,
            "samples of 16 bits",
            (0..600).flat_map(|i| ((wave(i) * 40.0 - 400.0) as i16).to_le_bytes()).collect::<Vec<u8>>(),
        ),
        narrow(Content::Integers, "counters of 32 bits", le32((0..256).map(|i: u32| i * i % 977))),
    ]
}

fn formats() -> Vec<Sample> {
    let with = |head: &[u8]| [head, &noise(900, 77)].concat();
    let mut program = vec![0_u8; 0x100];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x80;
    program[0x80..0x84].copy_from_slice(b"PE\0\0");
    let bitmap =
        [&b"BM\x36\x0c\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\0\0\0\x20\0\0\0\x01\0\x18\0"[..], &[0x80; 400]]
            .concat();
    vec![
        sample(Content::Image, "png", with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")),
        sample(Content::Image, "jpeg", with(b"\xff\xd8\xff\xe0\0\x10JFIF\0")),
        sample(Content::Image, "bmp", bitmap),
        sample(Content::Archive, "zip", with(b"PK\x03\x04\x14\0\x08\0\x08\0stations.csv")),
        sample(Content::Document, "pdf", with(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")),
        sample(Content::Document, "docx", with(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xdf\xa4\xd2lZ\x01\0\0 \x05\0\0\x13\0\0\0[Content_Types].xml")),
        sample(Content::Compressed, "gzip", with(b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
        sample(Content::Compressed, "zstd", with(b"\x28\xb5\x2f\xfd\x24\x40")),
        sample(Content::Media, "mp4", with(b"\0\0\0\x20ftypisom\0\0\x02\0")),
        sample(Content::Media, "wave", with(b"RIFF\x24\x08\0\0WAVEfmt ")),
        sample(Content::Font, "woff2", with(b"wOF2\0\x01\0\0")),
        sample(Content::Database, "sqlite", with(b"SQLite format 3\0\x10\0\x01\x01")),
        sample(Content::Executable, "elf", with(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0")),
        sample(Content::Executable, "pe", program),
    ]
}

fn others() -> Vec<Sample> {
    let object =
        |i: u64| [0x5555_0010_2a48, i % 5, 0x7f12_0003_0000 + i * 112, 0x6e72_6542 ^ i << 40, i << 33 | 7, 0];
    vec![
        sample(Content::Code, "x86-64", bytes(X86_64)),
        sample(Content::Code, "x86", bytes(X86)),
        sample(Content::Code, "aarch64", bytes(AARCH64)),
        sample(Content::Code, "arm", bytes(ARM)),
        sample(Content::Code, "thumb", bytes(THUMB)),
        sample(Content::Encrypted, "random", noise(4096, 3)),
        sample(Content::Encrypted, "random, little of it", noise(400, 4)),
        sample(Content::Mixed, "objects", le64((0..64).flat_map(object))),
        sample(Content::Repeated, "fill of a debugger", vec![0xcd; 512]),
        sample(Content::Repeated, "fill of an allocator", [0xee, 0xfe, 0xee, 0xfe].repeat(200)),
        sample(
            Content::Unknown,
            "text in noise",
            [&noise(150, 5)[..], b"connection reset by peer", &noise(60, 6), &[7; 40]].concat(),
        ),
    ]
}
