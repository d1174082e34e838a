//! Walkers against real memory: cores with a truth that the program itself wrote down.

mod core_file;
mod glibc;
mod glibc_between;
mod jemalloc;
mod mallocng;
mod pymalloc;
