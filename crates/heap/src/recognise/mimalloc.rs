//! mimalloc 2, by its segments: each repeats its own address, mixed with a secret of the process.
//!
//! Segments begin at multiples of 32 MiB. Among the first words of each is `cookie`, the address xor the cookie of the
//! main heap, which stands in mimalloc's variables. Source: mimalloc 2.0 `include/mimalloc/types.h`, `mi_segment_t`.

use std::collections::HashMap;

use residue_model::{Address, Range, Recognised};

use crate::Image;

const SEGMENT: u64 = 32 << 20;
/// The cookie of a segment is one of so many words.
const WORDS: usize = 64;

/// mimalloc, if segments of it are there.
pub(super) fn find(image: &Image<'_>) -> Option<Recognised> {
    let segments = cookies(image);
    let (cookie, at) = segments.keys().find_map(|&cookie| Some((cookie, variable(image, cookie)?)))?;
    let holds = segments[&cookie].clone();
    let evidence = format!(
        "{} segments repeat their address with the secret that stands at {at}, the first at {}",
        holds.len(),
        holds.first()?.start
    );
    Some(Recognised { name: "mimalloc".to_owned(), version: None, evidence, walked: false, holds })
}

/// What the words of all that may be segments would say the secret is.
fn cookies(image: &Image<'_>) -> HashMap<u64, Vec<Range>> {
    let mut cookies: HashMap<u64, Vec<Range>> = HashMap::new();
    for (start, bytes) in image.anonymous().flat_map(|region| image.pieces.within(region.range)) {
        let end = start.0.saturating_add(bytes.len() as u64);
        let first = start.0.checked_next_multiple_of(SEGMENT).unwrap_or(end);
        for segment in (first..end).step_by(usize::try_from(SEGMENT).unwrap_or(usize::MAX)) {
            let words =
                bytes.get(usize::try_from(segment - start.0).unwrap_or(usize::MAX)..).unwrap_or_default();
            let words = words.chunks_exact(8).take(WORDS).filter_map(|word| word.try_into().ok());
            let range =
                Range { start: Address(segment), end: Address(end.min(segment.saturating_add(SEGMENT))) };
            for cookie in
                words.map(u64::from_le_bytes).map(|word| word ^ segment).filter(|&cookie| is_random(cookie))
            {
                let ranges = cookies.entry(cookie).or_default();
                if ranges.last() != Some(&range) {
                    ranges.push(range);
                }
            }
        }
    }
    cookies
}

/// Pointers and small numbers, mixed with an address, leave the highest bits clear, and -1 sets them all.
fn is_random(cookie: u64) -> bool {
    !matches!(cookie >> 48, 0 | 0xffff)
}

/// Where in the variables of a program or library a word stands.
fn variable(image: &Image<'_>, word: u64) -> Option<Address> {
    let files = image.regions.iter().filter(|region| region.protection.write && region.is_file());
    let pieces = files.flat_map(|region| image.pieces.within(region.range));
    pieces.into_iter().find_map(|(start, bytes)| {
        let index = bytes.chunks_exact(8).position(|bytes| bytes == word.to_le_bytes())?;
        Some(Address(start.0 + 8 * index as u64))
    })
}
