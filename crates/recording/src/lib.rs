//! What a recorder inside a program and a collector outside of it agree on.
//!
//! A *session* is a folder in shared memory. In it stand the [`Control`] page, which the collector made and each recorder
//! maps, and a [`Segment`](wire::Header) for each program image that is recorded, which its recorder makes. A segment holds
//! all that the recorder says: [rings](wire::Ring) of [events](Event), one a thread, the [tree](wire::Node) of call stacks
//! that events refer to, and the [modules](wire::ModuleRow) that their code is in. It is memory that both map and that
//! outlives either: after a crash of the program all that it had said can still be read.
//!
//! What the collector makes of it is a recording [file](mod@file): sums in rows of plain numbers.
//!
//! Both sides are of one build (the collector carries the recorder inside), which [`wire::VERSION`] proves.
//!
//! No code here touches shared memory: it only says how it is laid out. Nothing allocates, and all is atomics and plain
//! numbers, of which every pattern of bits is valid: a recorder's program can write anything anywhere.

#![no_std]

pub mod file;
pub mod wire;

pub use wire::{Control, Event, Kind};
