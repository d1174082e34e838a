//! Pointers into a block that mean its start, in the terms of memcheck.
//!
//! Source: Valgrind's manual, "Memcheck: Memory leak detection", `--leak-check-heuristics`. A block may be up to 15 bytes
//! larger than what was asked for, which memcheck knows exactly and we do not.

use residue_model::{Address, Pieces, Range};

use crate::constants::holds;

/// Which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "four independent switches, as memcheck has them")]
pub struct Heuristics {
    /// A pointer behind the length, capacity and reference count of an old `std::string`.
    pub stdstring: bool,
    /// A pointer behind a first word that is the size of the rest.
    pub length64: bool,
    /// A pointer behind a first word that is the number of elements of `new[]`.
    pub newarray: bool,
    /// A pointer to a later part of an object, where both parts begin with a pointer to a table of functions.
    pub multipleinheritance: bool,
    /// A pointer to an object of Python, behind the words that its collector of cycles has in front. Ours: memcheck has
    /// none like it.
    pub python: bool,
}

impl Heuristics {
    /// All of them, as memcheck has it where nothing is said of its own.
    pub const ALL: Heuristics = Heuristics {
        stdstring: true,
        length64: true,
        newarray: true,
        multipleinheritance: true,
        python: true,
    };

    /// None of them.
    pub const NONE: Heuristics = Heuristics {
        stdstring: false,
        length64: false,
        newarray: false,
        multipleinheritance: false,
        python: false,
    };

    /// Reads memcheck's way to write them: `all`, `none`, or names parted by commas.
    pub fn parse(text: &str) -> Option<Heuristics> {
        let mut chosen = Heuristics::NONE;
        for word in text.split(',') {
            match word.trim() {
                "all" => chosen = Heuristics::ALL,
                "none" => chosen = Heuristics::NONE,
                "stdstring" => chosen.stdstring = true,
                "length64" => chosen.length64 = true,
                "newarray" => chosen.newarray = true,
                "multipleinheritance" => chosen.multipleinheritance = true,
                "python" => chosen.python = true,
                _ => return None,
            }
        }
        Some(chosen)
    }

    /// Whether a pointer to `offset` bytes behind the start of a block means that start.
    pub(super) fn mean_start(self, pieces: &Pieces<'_>, tables: &[Range], block: Range, offset: u64) -> bool {
        let word = |at: u64| pieces.word(Address(block.start.0 + at));
        let size = block.size().0;
        let first = word(0).unwrap_or_default();
        if self.stdstring && offset == 24 {
            let capacity = word(8).unwrap_or_default();
            if first <= capacity
                && capacity.checked_add(25).is_some_and(|whole| whole <= size)
                && size - 24 <= capacity + 16
            {
                return true;
            }
        }
        if offset == 8 && size > 8 {
            let rest = size - 8;
            // The size that was asked for may be up to 15 bytes less.
            if self.length64 && first <= rest && rest - first < 16 {
                return true;
            }
            if self.newarray && first > 0 && first <= rest && rest % first < 16 {
                return true;
            }
        }
        if self.python && PYTHON_FRONTS.contains(&offset) && is_python(pieces, block.start.0 + offset) {
            return true;
        }
        let is_table = |at: u64| word(at).is_some_and(|word| word % 8 == 0 && holds(tables, Address(word)));
        self.multipleinheritance && offset.is_multiple_of(8) && offset > 0 && is_table(0) && is_table(offset)
    }
}

/// What stands in front of an object: two words of the collector, and since 3.11 two more for attributes.
const PYTHON_FRONTS: [u64; 2] = [16, 32];

/// Whether an object of Python stands at an address: it has a count, and a type whose type's type is `type`, the only
/// one that is its own. Source: `Include/object.h`, `Include/internal/pycore_gc.h`.
fn is_python(pieces: &Pieces<'_>, object: u64) -> bool {
    let kind_of =
        |at: u64| pieces.word(Address(at.wrapping_add(8))).filter(|kind| *kind != 0 && kind % 8 == 0);
    let references = pieces.word(Address(object)).unwrap_or_default();
    let Some(meta) = kind_of(object).and_then(kind_of) else { return false };
    references > 0 && references < 1 << 33 && kind_of(meta).is_some_and(|root| kind_of(root) == Some(root))
}
