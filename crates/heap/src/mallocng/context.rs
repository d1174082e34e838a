//! `struct malloc_context`: where all of mallocng begins, found by its form.
//!
//! The first word is a secret of the process, and each page of metas repeats it, so that a word which equals the first
//! word of the page that another word seven further points to is as good as a name. Source: musl 1.2.1 to 1.2.6
//! `src/malloc/mallocng/meta.h`, as 64-bit programs have it.

use super::meta::{CLASSES, PAGE};

/// A page of metas: the secret, the next page, how many metas it has, and these.
pub(super) const AREA_HEADER: usize = 24;

/// Words of the context that decide whether it is one, at most.
pub(super) const HEAD: usize = 88;

/// The state of the allocator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Where it stands.
    pub(super) at: u64,
    /// How many bytes it takes.
    pub(super) size: u64,
    /// The word that proves a page of metas.
    pub(super) secret: u64,
    /// Metas never used, of the last page.
    pub(super) untouched: u64,
    /// The ring of metas that were given back.
    pub(super) returned: u64,
    /// The first page of metas.
    pub(super) first_area: u64,
    /// The last one.
    pub(super) last_area: u64,
    /// How many slots each class has, by mallocng's own count.
    pub(super) slots: [u64; CLASSES],
}

/// Where fields stand: on machines with pages of several sizes the context holds the size of a page too.
///
/// x86-64 has 4 KiB pages only and holds none; aarch64, riscv64, loongarch64 and powerpc64 do.
fn shifts(head: &[u8]) -> impl Iterator<Item = usize> {
    let fixed = word(head, 8).is_some_and(is_started);
    let sized = word(head, 8).is_some_and(|page| matches!(page, 4096 | 16384 | 65536))
        && word(head, 16).is_some_and(is_started);
    [(fixed, 0), (sized, 8)].into_iter().filter_map(|(holds, shift)| holds.then_some(shift))
}

fn is_started(word: u64) -> bool {
    word & u64::from(u32::MAX) == 1
}

/// The page of metas that should begin with the first word of `head`, if a context can begin there.
pub(super) fn first_area(head: &[u8]) -> Option<u64> {
    let secret = word(head, 0).filter(|&secret| secret != 0)?;
    let area = shifts(head).find_map(|shift| word(head, 56 + shift))?;
    (area != 0 && area.is_multiple_of(PAGE) && area != secret).then_some(area)
}

impl Context {
    /// Reads a context whose head has passed.
    pub(super) fn read(at: u64, bytes: &[u8]) -> Option<Context> {
        let shift = shifts(bytes).next()?;
        let field = |offset: usize| word(bytes, offset + shift);
        let mut slots = [0; CLASSES];
        for (class, slots) in slots.iter_mut().enumerate() {
            *slots = field(464 + 8 * class)?;
        }
        Some(Context {
            at,
            size: 928 + shift as u64,
            secret: word(bytes, 0)?,
            returned: field(16)?,
            untouched: field(32)?,
            first_area: field(56)?,
            last_area: field(64)?,
            slots,
        })
    }
}

/// The word at an offset.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 936;

    fn head(words: &[(usize, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        for &(offset, word) in words {
            bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn the_size_of_a_page_moves_all_that_follows() {
        let fixed = head(&[(0, 77), (8, 1 | 5 << 32), (56, 0x9000), (64, 0xa000), (464, 30)]);
        assert_eq!(first_area(&fixed), Some(0x9000));
        let sized = head(&[(0, 77), (8, 4096), (16, 1 | 5 << 32), (64, 0x9000), (72, 0xa000), (472, 30)]);
        assert_eq!(first_area(&sized), Some(0x9000));
        let (fixed, sized) = (Context::read(0, &fixed).unwrap(), Context::read(0, &sized).unwrap());
        assert_eq!((fixed.size, sized.size), (928, 936));
        assert_eq!((fixed.last_area, sized.last_area), (0xa000, 0xa000));
        assert_eq!((fixed.slots[0], sized.slots[0]), (30, 30));
    }

    #[test]
    fn what_was_never_started_is_no_context() {
        assert_eq!(first_area(&head(&[(0, 77), (8, 0), (56, 0x9000)])), None);
        assert_eq!(first_area(&head(&[(0, 0), (8, 1), (56, 0x9000)])), None);
        assert_eq!(first_area(&head(&[(0, 77), (8, 1), (56, 0x9010)])), None);
        assert_eq!(first_area(&[1; 20]), None);
    }
}
