//! glibc's malloc, from 2.17 to 2.43, of 64-bit processes.
//!
//! `locate` finds the arenas by their empty lists, `settings` what counts for all of them, `stretches` where the chunks of
//! an arena stand. `walk` goes from chunk to chunk, `bins` and `tcache` tell which of them are free though they look used,
//! and `mapped` finds what is mapped for itself, less what `doubt` takes out. `reading` has all of one arena, `figures`
//! counts everything twice, and `heap` is the order of all this.

mod bins;
mod cursor;
mod doubt;
mod figures;
mod heap;
mod layout;
mod locate;
mod mapped;
mod reading;
mod settings;
mod split;
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
