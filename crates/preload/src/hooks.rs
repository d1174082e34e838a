//! The functions that take the place of the program's.
//!
//! Each begins with a few instructions that note where its caller stands, and goes on in Rust. What stands behind them
//! knows the caller's registers exactly, needs no frame pointers, and has no frame of ours in any stack.

mod heap;
mod start;

/// Defines a hook: a name for the program, and the function that it goes on in, which is given the caller's stack pointer
/// and `rbp` in the two registers behind its own arguments.
macro_rules! hook {
    ($name:ident, $frame:literal, $base:literal, $inner:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                concat!("mov ", $frame, ", rsp"),
                concat!("mov ", $base, ", rbp"),
                "jmp {inner}",
                inner = sym $inner,
            )
        }
    };
}

use hook;
