//! The recording file: a [`Start`], then one zstd frame with sections, each a [`Section`] and its rows.
//!
//! All numbers are little-endian and stand without gaps. The rows of a section stand side by side, so that like packs with
//! like: first the first bytes of all of them, then their second bytes, and so on. A section whose kind is not known is skipped; one that is missing
//! has no rows.

mod row;
mod rows;

pub use row::Row;
pub use rows::{
    AgeRow, CodeRow, GapRow, LostRow, MarkRow, MarkSumsRow, ModuleRow, NodeRow, PlaceRow, PointRow,
    ProgramRow, Section, StackRow, Start, TextRow, TotalRow, TotalsRow, WordRow,
};

/// How a file begins. The first byte is no text, and the last one is changed by whoever converts line ends.
pub const MAGIC: [u8; 8] = *b"\x93RESREC\n";
/// The form of the rows. A reader refuses a newer one.
pub const VERSION: u32 = 1;
/// A number that is not known, in a column of 32 bits.
pub const NONE: u32 = u32::MAX;
/// A number that is not known, in a column of 64 bits.
pub const UNKNOWN: u64 = u64::MAX;

/// The kinds of [`Section`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SectionKind {
    /// The bytes of all texts: UTF-8.
    Bytes = 1,
    /// [`TextRow`]s: where each text stands among them.
    Texts = 2,
    /// One [`ProgramRow`].
    Program = 3,
    /// [`WordRow`]s: the texts of the command line.
    Command = 4,
    /// [`WordRow`]s: what is known of the system.
    System = 5,
    /// [`ModuleRow`]s.
    Modules = 6,
    /// [`CodeRow`]s.
    Codes = 7,
    /// [`PlaceRow`]s, code after code.
    Places = 8,
    /// [`NodeRow`]s.
    Nodes = 9,
    /// [`StackRow`]s.
    Stacks = 10,
    /// [`WordRow`]s: the histograms of sizes and of lifetimes, stack after stack.
    Counts = 11,
    /// [`AgeRow`]s, stack after stack.
    Ages = 12,
    /// [`PointRow`]s, stack after stack.
    Points = 13,
    /// [`TotalRow`]s: the timeline.
    Timeline = 14,
    /// [`MarkRow`]s.
    Marks = 15,
    /// [`MarkSumsRow`]s, mark after mark.
    MarkSums = 16,
    /// One [`TotalsRow`].
    Totals = 17,
    /// [`GapRow`]s.
    Gaps = 18,
    /// [`LostRow`]s, where somebody looked: one a stack, in the order of these.
    Lost = 19,
}
