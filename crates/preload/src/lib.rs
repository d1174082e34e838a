//! The recorder that runs inside a program.
//!
//! It takes nothing from the program's heap, holds no lock that the program can hold, opens no file that stays open, and
//! patches no code: the program's calls of its allocator go through here, and what they were is written to memory that
//! `residue record` shares.

#![cfg_attr(not(test), no_std)]

pub mod segment;
pub mod unwind;

#[cfg(feature = "hooks")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
