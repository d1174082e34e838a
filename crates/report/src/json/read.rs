use std::cell::RefCell;
use std::io::Write;
use std::ops::ControlFlow;

use residue_analysis::Text;
use residue_model::{Address, Bytes, Range, Snapshot};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::{Target, write};
use crate::Result;

#[derive(Serialize)]
struct ReadBody {
    #[serde(flatten)]
    range: Range,
    read: Bytes,
    missing: Bytes,
    pieces: Vec<Piece>,
}

#[derive(Serialize)]
struct Piece {
    address: Address,
    size: Bytes,
    hex: String,
}

/// Writes `residue.read/1`: the bytes that could be read, piece by piece; what is between them could not.
///
/// # Errors
/// When the output cannot be written.
pub fn read(
    out: &mut impl Write,
    snapshot: &Snapshot,
    range: Range,
    pieces: &[(Address, Vec<u8>)],
) -> Result<()> {
    let piece = |(address, bytes): &(Address, Vec<u8>)| Piece {
        address: *address,
        size: Bytes(bytes.len() as u64),
        hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(),
    };
    let pieces: Vec<Piece> = pieces.iter().map(piece).collect();
    let read = pieces.iter().map(|piece| piece.size).sum();
    let body = ReadBody { range, read, missing: range.size() - read, pieces };
    write(out, "residue.read/1", Target::of(snapshot), &snapshot.gaps, body)
}

/// A file that memory was written to.
#[derive(Clone, Debug, Serialize)]
pub struct Extracted {
    /// Its path.
    pub file: String,
    /// The memory that it holds.
    #[serde(flatten)]
    pub range: Range,
    /// How much of that could be read.
    pub read: Bytes,
    /// How much could not, and stands as zeros in the file.
    pub missing: Bytes,
}

#[derive(Serialize)]
struct ExtractedBody<'a> {
    files: &'a [Extracted],
    read: Bytes,
    missing: Bytes,
}

/// Writes `residue.read/1` of files that memory was written to.
///
/// # Errors
/// When the output cannot be written.
pub fn extracted(out: &mut impl Write, snapshot: &Snapshot, files: &[Extracted]) -> Result<()> {
    let body = ExtractedBody {
        files,
        read: files.iter().map(|file| file.read).sum(),
        missing: files.iter().map(|file| file.missing).sum(),
    };
    write(out, "residue.read/1", Target::of(snapshot), &snapshot.gaps, body)
}

/// Shows every text to whoever asks, until it breaks.
pub type Found<'a> = dyn FnMut(&mut dyn FnMut(&Text) -> ControlFlow<()>) + 'a;

/// Texts, one after the other as they are found: nobody keeps all of them.
struct Texts<'a, 'b>(RefCell<&'a mut Found<'b>>);

#[derive(Serialize)]
struct TextRow<'a> {
    address: Address,
    text: &'a str,
    utf16: bool,
}

#[derive(Serialize)]
struct TextsBody<'a, 'b> {
    texts: Texts<'a, 'b>,
}

impl Serialize for Texts<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        let mut failed = None;
        (self.0.borrow_mut())(&mut |text| {
            let row = TextRow { address: text.address, text: &text.text, utf16: text.utf16 };
            failed = rows.serialize_element(&row).err();
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match failed {
            Some(error) => Err(error),
            None => rows.end(),
        }
    }
}

/// Writes `residue.read/1` of the texts in memory.
///
/// # Errors
/// When the output cannot be written.
pub fn texts(out: &mut impl Write, snapshot: &Snapshot, found: &mut Found<'_>) -> Result<()> {
    let body = TextsBody { texts: Texts(RefCell::new(found)) };
    write(out, "residue.read/1", Target::of(snapshot), &snapshot.gaps, body)
}
