//! Programs whose memory is known, for the tests of Residue.
//!
//! Each stands as one file in C, C++ or Rust under `programs/`, is compiled where the tests run (for Windows with them),
//! says its own truth when it is ready, and ends when the test does.
//!
//! ```no_run
//! use residue_testkit::Program;
//!
//! let mut leaky = Program::build("leaky").spawn(&["mode=mmap", "rate=1000000"]);
//! assert_eq!(leaky.number("rate"), 1_000_000);
//! let lost = leaky.ask("count").number("leaked");
//! # let _ = lost;
//! ```
//!
//! It knows no more of Residue than its nouns, of which a [`Sketch`] makes a recording: a test that asked Residue for the
//! truth would prove nothing. What fails here panics, for the test that asked cannot go on.

#[cfg(windows)]
mod built;
#[cfg(not(windows))]
mod compiler;
mod facts;
#[cfg(not(windows))]
mod libc;
mod program;
mod running;
#[cfg(not(windows))]
mod shelf;
mod sketch;

pub use facts::Facts;
#[cfg(not(windows))]
pub use libc::Libc;
pub use program::Program;
pub use running::Running;
pub use sketch::Sketch;
