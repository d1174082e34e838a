//! The functions that take the place of the program's.
//!
//! Each begins with a few instructions that note where its caller stands, and goes on in Rust. What stands behind them
//! knows the caller's registers exactly, needs no frame pointers, and has no frame of ours in any stack.

mod code;
pub mod cxx;
mod heap;
pub mod jemalloc;
mod marks;
mod pages;
mod start;

/// Defines a hook: a name for the program, and the function that it goes on in, which is given the caller's stack pointer
/// and `rbp` in the two registers behind its own arguments.
macro_rules! hook {
    ($name:ident, $frame:literal, $base:literal, $inner:path) => {
        $crate::hooks::hook!(#[unsafe(no_mangle)] $name, $frame, $base, $inner);
    };
    ($(#[$attribute:meta])? $name:ident, $frame:literal, $base:literal, $inner:path) => {
        #[unsafe(naked)]
        $(#[$attribute])?
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

/// Defines a function that goes on in the next definition of it with all arguments as they are; where a test of them says
/// that they are equal, another function looks at them before.
macro_rules! forward {
    ($name:ident, $real:path $(, look: ($test:literal) => $look:path)?) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                $(
                    $test,
                    "jne 2f",
                    $crate::hooks::aside!("{look}"),
                    "2:",
                )?
                "mov r11, qword ptr [rip + {real}]",
                "test r11, r11",
                "jz 3f",
                "jmp r11",
                "3:",
                $crate::hooks::aside!("{find}", "lea rdi, [rip + {real}]"),
                "mov r11, qword ptr [rip + {real}]",
                "jmp r11",
                real = sym $real,
                find = sym $crate::real::Real::find_target,
                $(look = sym $look,)?
            )
        }
    };
}

/// A call on the way that leaves all arguments of the function as they are.
macro_rules! aside {
    ($function:literal $(, $before:literal)?) => {
        concat!(
            "push rdi\npush rsi\npush rdx\npush rcx\npush r8\npush r9\npush rax\n",
            $($before, "\n",)?
            "call ", $function, "\n",
            "pop rax\npop r9\npop r8\npop rcx\npop rdx\npop rsi\npop rdi\n",
        )
    };
}

use {aside, forward, hook};
