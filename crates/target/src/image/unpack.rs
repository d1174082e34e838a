use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use lz4_flex::frame::FrameDecoder;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Zstd,
    Xz,
    Gzip,
    Lz4,
}

impl Packing {
    /// Told from the first bytes.
    pub(crate) fn of(magic: &[u8]) -> Option<Packing> {
        Some(match magic {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x04, 0x22, 0x4d, 0x18, ..] => Packing::Lz4,
            _ => return None,
        })
    }

    /// The name of the format.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
            Packing::Gzip => "gzip",
            Packing::Lz4 => "lz4",
        }
    }
}

/// What was unpacked, and whether the end is missing.
pub(crate) struct Unpacked {
    pub(crate) file: File,
    pub(crate) broken: Option<io::Error>,
}

/// So much is unpacked at a time; pages of nothing but zeros are left out of the file.
const STEP: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// Unpacks into a temporary file that has no name, so nothing is left behind however we end. It is sparse: a core is
/// mostly zeros, and they cost no room.
///
/// `progress` is told how many bytes of the packed file have been read, of how many. A file that ends in the middle
/// gives what could be unpacked, with the error that ended it.
pub(crate) fn unpack(
    packed: &File,
    packing: Packing,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<Unpacked> {
    let length = packed.metadata()?.len();
    let mut read = 0;
    let counted = Counted {
        file: packed,
        read: &mut |more| {
            read += more;
            progress(read, length);
        },
    };
    let input = BufReader::with_capacity(STEP, counted);
    let mut unpacked: Box<dyn Read> = match packing {
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            // `zstd --long=31` packs cores best.
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
        Packing::Xz => Box::new(XzDecoder::new_multi_decoder(input)),
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Lz4 => Box::new(Frames(Some(FrameDecoder::new(input)))),
    };
    let mut file = tempfile::tempfile()?;
    let mut step = vec![0; STEP];
    let mut size = 0;
    let broken = loop {
        let (filled, end) = fill(&mut *unpacked, &mut step);
        write_sparse(&mut file, &step[..filled])?;
        size += filled as u64;
        match end {
            None => {}
            Some(Ok(())) => break None,
            Some(Err(error)) if size == 0 => return Err(error),
            Some(Err(error)) => break Some(error),
        }
    };
    file.set_len(size)?;
    Ok(Unpacked { file, broken })
}

/// Fills as much as there is; the second value tells how it ended, if it did.
fn fill(input: &mut dyn Read, into: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

fn write_sparse(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for page in bytes.chunks(PAGE) {
        if page.iter().all(|&byte| byte == 0) {
            file.seek_relative(i64::try_from(page.len()).expect("a page is small"))?;
        } else {
            file.write_all(page)?;
        }
    }
    Ok(())
}

/// Several frames of lz4, one behind the other, as `lz4` itself takes them.
struct Frames<R: BufRead>(Option<FrameDecoder<R>>);

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(frame) = &mut self.0 {
            let read = frame.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let mut rest = self.0.take().map(FrameDecoder::into_inner).expect("it was read just now");
            if !rest.fill_buf()?.is_empty() {
                self.0 = Some(FrameDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Tells how much has been read.
struct Counted<'a> {
    file: &'a File,
    read: &'a mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        (self.read)(read as u64);
        Ok(read)
    }
}
