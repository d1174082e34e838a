//! The library as C, Python and pkg-config meet it: programs are compiled against the header and the built library, run,
//! and believed only where the kernel says the same.

#![cfg(target_os = "linux")]

mod examples;
mod harness;
mod header;
mod hosts;
mod package;
