//! The recorder that runs inside a program.
//!
//! It takes nothing from the program's heap, holds no lock that the program can hold, opens no file that stays open, and
//! patches no code: the program's calls of its allocator go through here, and what they were is written to memory that
//! `residue record` shares.
//!
//! For Linux on x86-64; elsewhere there is nothing in it.

#![cfg_attr(not(test), no_std)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "the hooks use all of it"))]

mod clock;
mod elf;
mod ending;
mod guard;
#[cfg(feature = "hooks")]
mod hooks;
mod names;
mod process;
mod real;
mod recorder;
mod ring;
mod sampling;
pub mod segment;
mod session;
mod shared;
mod sys;
mod threads;
mod tls;
pub mod unwind;
mod weak;

/// Nothing here panics; if it did, there would be nobody to tell.
#[cfg(feature = "hooks")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: ends the program here.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
