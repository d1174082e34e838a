//! Starts programs with the recorder inside, gathers what it tells, and keeps it in files.
//!
//! ```no_run
//! let plan = residue_capture::Plan { command: vec!["server".into()], ..Default::default() };
//! let recorded = residue_capture::record(&plan, &mut |_| {}, &|| 0, &mut |_| None)?;
//! let recording = residue_capture::file::open(&recorded.files[0].path)?;
//! # Ok::<(), residue_target::Error>(())
//! ```
//!
//! [`record`] is for Linux on x86-64; [`mod@file`] reads and writes recordings everywhere.
//!
//! The `collector` looks after processes and time, `collect` adds up what events say. What it does not know: names of
//! functions, and whether what lives is a leak.

pub mod file;
mod plan;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod clock;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod collect;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod collector;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod futex;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod program;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod record;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod recorder;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod segment;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod session;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod shared;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod spawn;

pub use plan::{Lost, Plan, Progress, Recorded, RecordedFile, Top};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use record::record;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use spawn::Signals;
