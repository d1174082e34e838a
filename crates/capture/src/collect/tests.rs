//! Segments made by hand: what a recorder would write, without a program.

mod course;
mod peak;
mod rings;
mod written;
