//! Objects of `CPython`.
//!
//! Source: `Include/object.h` of `CPython` 3.7 to 3.13: a count of references, then the type; a type is an object itself, of a
//! type called `type` as good as always, and its fourth word is its name.

use residue_model::{Address, Memory, Pieces};

use super::text;

/// Immortal objects have a count of 2^32 - 1 or more since 3.12; nothing has many billions otherwise.
pub(super) fn may_count(references: u64) -> bool {
    references < 1 << 33
}

/// The name of the type that stands at an address, if one does.
///
/// Types can be written, so that they stand among the pieces; their names may be constants.
pub(super) fn type_name(pieces: &Pieces<'_>, memory: &dyn Memory, at: Address) -> Option<String> {
    const NAME: u64 = 24;
    let word = |at: u64| pieces.word(Address(at));
    let references = word(at.0)?;
    let kind = word(at.0.checked_add(8)?)?;
    if references == 0 || !may_count(references) || kind % 8 != 0 {
        return None;
    }
    let of_kind = word(kind.checked_add(8)?)?;
    // A type of types: `type` itself, whose type is itself, or what derives from it.
    let root = if of_kind == kind { kind } else { of_kind };
    if text(memory, word(root.checked_add(NAME)?)?)? != "type" {
        return None;
    }
    let name = text(memory, word(at.0.checked_add(NAME)?)?)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'<' | b'>');
    name.bytes().all(is_name).then_some(name)
}
