use infer::{app, archive, audio, font, image, video};

use super::Content;
use super::tally::Tally;

/// The class of a file format that begins here, or right behind a short header of an allocator.
pub(super) fn recognise(bytes: &[u8]) -> Option<Content> {
    // Headers of glibc are 8 or 16 bytes, of Windows' large blocks 32 or 64, of .NET arrays 12, 16 or 24.
    [0, 8, 12, 16, 24, 32, 64].into_iter().filter_map(|offset| bytes.get(offset..)).find_map(format)
}

/// Random bytes: compressed where a zlib header says so, otherwise of unknown origin.
pub(super) fn packed(bytes: &[u8], tally: &Tally) -> Option<Content> {
    if !tally.looks_random() {
        return None;
    }
    let is_zlib = bytes[0] == 0x78 && u16::from_be_bytes([bytes[0], bytes[1]]).is_multiple_of(31);
    Some(if is_zlib { Content::Compressed } else { Content::Encrypted })
}

/// Only formats that four bytes or a checked field tell: `infer` takes two bytes for enough (`BM`, `MZ`, `BC`), which
/// is right for files and wrong in memory, where every number begins somewhere.
fn format(bytes: &[u8]) -> Option<Content> {
    FORMATS.iter().find(|(_, is)| is(bytes)).map(|(content, _)| *content)
}

type Check = fn(&[u8]) -> bool;

const FORMATS: &[(Content, Check)] = &[
    (Content::Image, image::is_png),
    (Content::Image, image::is_jpeg),
    (Content::Image, |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")),
    (Content::Image, |bytes| bytes.starts_with(b"RIFF") && image::is_webp(bytes)),
    (Content::Image, is_bitmap),
    (Content::Image, is_icon),
    (Content::Image, image::is_tiff),
    (Content::Image, image::is_jpeg2000),
    (Content::Image, image::is_psd),
    (Content::Image, image::is_heif),
    (Content::Image, image::is_avif),
    (Content::Document, |bytes| bytes.starts_with(b"%PDF-")),
    (Content::Document, |bytes| bytes.starts_with(b"%!PS-")),
    (Content::Document, archive::is_rtf),
    (Content::Document, archive::is_msi),
    (Content::Document, is_office),
    (Content::Executable, app::is_elf),
    (Content::Executable, is_portable_executable),
    (Content::Executable, app::is_mach),
    (Content::Executable, app::is_java),
    (Content::Executable, app::is_wasm),
    (Content::Executable, app::is_dex),
    (Content::Archive, |bytes| archive::is_zip(bytes) && bytes.len() > 30),
    (Content::Archive, archive::is_tar),
    (Content::Archive, archive::is_rar),
    (Content::Archive, archive::is_7z),
    (Content::Archive, archive::is_ar),
    (Content::Archive, archive::is_cab),
    (Content::Archive, archive::is_rpm),
    (Content::Compressed, |bytes| archive::is_gz(bytes) && bytes.get(3).is_some_and(|flags| *flags < 0x20)),
    (Content::Compressed, |bytes| bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])),
    (Content::Compressed, |bytes| bytes.starts_with(&[0x04, 0x22, 0x4d, 0x18])),
    (Content::Compressed, archive::is_xz),
    (Content::Compressed, |bytes| archive::is_bz2(bytes) && bytes.get(4..7) == Some(b"1AY")),
    (Content::Compressed, archive::is_lz),
    (Content::Database, |bytes| bytes.starts_with(b"SQLite format 3\0")),
    (Content::Font, is_true_type),
    (Content::Font, font::is_otf),
    (Content::Font, |bytes| bytes.starts_with(b"wOFF") || bytes.starts_with(b"wOF2")),
    (Content::Media, audio::is_wav),
    (Content::Media, |bytes| bytes.starts_with(b"OggS\0")),
    (Content::Media, |bytes| bytes.starts_with(b"fLaC\0")),
    (Content::Media, |bytes| bytes.starts_with(b"ID3") && bytes.get(3).is_some_and(|version| *version < 5)),
    (Content::Media, |bytes| bytes.starts_with(b"MThd\0")),
    (Content::Media, audio::is_aiff),
    (Content::Media, |bytes| bytes.get(4..8) == Some(b"ftyp")),
    (Content::Media, video::is_avi),
    (Content::Media, |bytes| bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3])),
    (Content::Media, video::is_flv),
];

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// `BITMAPFILEHEADER`: nothing in the reserved field, and a second header of a size that exists.
fn is_bitmap(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM")
        && u32_at(bytes, 6) == Some(0)
        && u32_at(bytes, 14).is_some_and(|size| [12, 40, 52, 56, 64, 108, 124].contains(&size))
}

/// `ICONDIR`: the first image begins right behind the directory.
fn is_icon(bytes: &[u8]) -> bool {
    let Some(count) = u16_at(bytes, 4) else { return false };
    image::is_ico(bytes)
        && (1..=64).contains(&count)
        && u32_at(bytes, 18).is_some_and(|offset| offset == 6 + 16 * u32::from(count))
}

/// The first part of an office document is always one of these.
fn is_office(bytes: &[u8]) -> bool {
    let names: [&[u8]; 4] = [b"[Content_Types].xml", b"_rels/.rels", b"docProps", b"mimetypeapplication/"];
    bytes.starts_with(b"PK\x03\x04")
        && bytes.get(30..).is_some_and(|name| names.iter().any(|known| name.starts_with(known)))
}

/// The field at 0x3c leads to a second signature.
fn is_portable_executable(bytes: &[u8]) -> bool {
    let offset = u32_at(bytes, 0x3c).and_then(|offset| usize::try_from(offset).ok());
    bytes.starts_with(b"MZ")
        && offset
            .is_some_and(|offset| bytes.get(offset..).is_some_and(|header| header.starts_with(b"PE\0\0")))
}

/// The table directory says twice how many tables there are.
fn is_true_type(bytes: &[u8]) -> bool {
    let field = |offset| u16_at(bytes, offset).map(u16::swap_bytes);
    let (Some(tables), Some(search)) = (field(4), field(6)) else { return false };
    font::is_ttf(bytes) && (4..64).contains(&tables) && search == 16 << tables.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Layout;
    use crate::content::tally::tests::noise;

    fn of(head: &[u8]) -> Content {
        Content::of(&[head, &noise(2000, 7)].concat(), &Layout::default())
    }

    #[test]
    fn formats_are_known_by_their_first_bytes_and_behind_a_header() {
        for (head, content) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Content::Image),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Content::Image),
            (b"GIF89a", Content::Image),
            (b"%PDF-1.7\n", Content::Document),
            (b"PK\x03\x04\x14\0\0\0\x08\0", Content::Archive),
            (b"\x1f\x8b\x08\0", Content::Compressed),
            (b"\x28\xb5\x2f\xfd", Content::Compressed),
            (b"\x7fELF\x02\x01\x01\0", Content::Executable),
            (b"OggS\0\x02", Content::Media),
            (b"SQLite format 3\0", Content::Database),
        ] {
            assert_eq!(of(head), content, "{head:?}");
            let behind = [&[0x31, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], head].concat();
            assert_eq!(of(&behind), content, "{head:?} behind a header");
        }
    }

    #[test]
    fn two_letters_are_no_format() {
        for head in [&b"BM"[..], b"MZ", b"BC", b"\xff\xfb", b"\0\0\x01\0", b"GIFT", b"\x1f\x9d", b"\x30\x82"]
        {
            assert_eq!(of(head), Content::Encrypted, "{head:?}");
        }
    }

    #[test]
    fn random_bytes_are_compressed_only_with_a_header_that_says_so() {
        assert_eq!(of(&[]), Content::Encrypted);
        assert_eq!(of(&[0x78, 0x9c]), Content::Compressed);
    }

    #[test]
    fn a_program_is_known_by_its_second_signature() {
        let mut bytes = [0; 0x80];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x80;
        assert_eq!(of(&[&bytes[..], b"PE\0\0"].concat()), Content::Executable);
    }
}
