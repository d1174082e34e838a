//! Walks the heaps of allocators: memory in, blocks and gaps out.
//!
//! A walker gets an [`Image`] of a target, tells its allocator by structure and gives a [`Heap`](residue_model::Heap):
//! arenas, blocks, the allocator's own figures, and identities that prove the walk. The same walker serves a live process,
//! a core, a minidump and an image made for a test. How to add one: `docs/adding-an-allocator.md`.
//!
//! It does not know who points where, nor what a leak is.

mod glibc;
mod image;
mod jemalloc;
mod mallocng;
mod pymalloc;
mod recognise;
mod walker;

pub use glibc::Glibc;
pub use image::Image;
pub use jemalloc::Jemalloc;
pub use mallocng::Mallocng;
pub use pymalloc::Pymalloc;
pub use walker::{HeapWalker, Walked, walk};
