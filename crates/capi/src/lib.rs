//! The C ABI of Residue: `libresidue.so`, `residue.dll`, `residue.h`.
//!
//! A program watches itself or another and reports to whatever it reports to. The smallest that says something:
//!
//! ```c
//! #include <inttypes.h>
//! #include <stdio.h>
//! #include "residue.h"
//!
//! int main(void) {
//!     struct residue_process *self;
//!     struct residue_range hole;
//!     if (residue_open_self(NULL, &self) != RESIDUE_OK)
//!         return 1;
//!     if (residue_largest_free(self, &hole) == RESIDUE_OK)
//!         printf("%" PRIu64 " bytes in one piece\n", hole.size);
//!     residue_close(self);
//!     return 0;
//! }
//! ```
//!
//! - **Status.** Every call that can fail gives a `residue_status`: negative when it failed, and then
//!   `residue_last_error` tells why.
//! - **Sizes.** A struct with a `size` grows in later versions: its caller sets `size` to what it was compiled with. A
//!   struct without one never changes within [`RESIDUE_ABI_VERSION`](border::version::RESIDUE_ABI_VERSION).
//! - **Unknown is not zero.** What the system does not give is 0 with its bit of `present` clear.
//! - **Memory.** The caller owns every buffer and struct. The library owns handles, from open to close.
//! - **Threads.** A handle may be used by any number of threads: one call at a time works on it, others wait.
//! - **Unloading.** Close every handle first. On Linux a thread that called `residue_summary` or `residue_report_html`
//!   keeps the library loaded until it ends: the C library of the system waits for what a thread does at its end.
//! - **Cost.** Calls that are made thousands of times a second allocate nothing after open: each says so. A
//!   thread's first call may cost it a page for what the library remembers of threads.
//!
//! What it does not know: how memory is read or judged. That is the library's; here it only crosses a border, which no
//! panic does.

// A border to C is unsafe by nature: each block says what it relies on.
#![allow(unsafe_code)]
// Names are those that C reads.
#![allow(non_camel_case_types)]

// In the order of the header. Each uses those above it.
pub mod border;
pub mod shape;

pub mod handle;

pub mod calls;
