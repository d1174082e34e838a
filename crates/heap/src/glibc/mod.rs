//! glibc's malloc, from 2.17 to 2.43, of 64-bit processes.
//!
//! `locate` finds the arenas by their empty lists, `settings` what counts for all of them, `stretches` where the chunks of
//! an arena stand; `walk` goes from chunk to chunk, `bins` and `tcache` tell which of them are free though they look used,
//! `mapped` finds what is mapped for itself, and `heap` puts it together and counts it twice.

mod bins;
mod cursor;
mod heap;
mod layout;
mod locate;
mod mapped;
mod settings;
mod stretches;
mod tcache;
mod walk;

use crate::{HeapWalker, Image, Walked};

/// Walks the heaps of glibc.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glibc;

impl HeapWalker for Glibc {
    fn walk(&self, image: &Image<'_>) -> Walked {
        let mut claimed = Vec::new();
        let rings = locate::rings(image);
        let heaps = rings.iter().map(|ring| heap::read(image, ring, &mut claimed)).collect();
        Walked { heaps, ..Walked::default() }
    }
}
