//! Classes of C++, from the tables of functions that their objects begin with.
//!
//! Source: Itanium C++ ABI, "Virtual Table Layout" and "Run-Time Type Information": the word in front of the table is the
//! address of the type's description, whose second word is the address of its mangled name.

use residue_model::{Address, Memory, Range};

use super::{Names, text, word};
use crate::constants::holds;

pub(super) enum Table {
    Named(String),
    /// It looks like one, but nothing tells its name.
    Unnamed,
    None,
}

pub(super) fn at(memory: &dyn Memory, constants: &[Range], table: Address, names: Names<'_>) -> Table {
    if let Some(name) = described(memory, table, names).or_else(|| (names.class_at)(table)) {
        return Table::Named(name);
    }
    // In front of the functions: how far the part is from the start of the object, 0 for a whole one, and the description.
    let front = word(memory, table.0.wrapping_sub(16));
    let description = word(memory, table.0.wrapping_sub(8));
    let looks_right = front == Some(0)
        && description.is_some_and(|at| at % 8 == 0 && (at == 0 || holds(constants, Address(at))))
        && word(memory, table.0).is_some_and(|function| function != 0);
    if looks_right { Table::Unnamed } else { Table::None }
}

fn described(memory: &dyn Memory, table: Address, names: Names<'_>) -> Option<String> {
    let description = word(memory, table.0.checked_sub(8)?).filter(|at| at % 8 == 0 && *at != 0)?;
    let name = text(memory, word(memory, description.checked_add(8)?)?)?;
    // A star says that the name is not unique.
    let name = name.strip_prefix('*').unwrap_or(&name);
    let may_begin = |first: char| first.is_ascii_digit() || matches!(first, 'N' | 'S' | 'Z');
    if !name.starts_with(may_begin)
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
    {
        return None;
    }
    let mangled = format!("_ZTS{name}");
    let full = (names.demangle)(mangled.as_bytes());
    Some(full.strip_prefix("typeinfo name for ").map_or(full.clone(), str::to_owned))
        .filter(|full| *full != mangled)
}
