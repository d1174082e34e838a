//! Residue as a library: open a target, look, conclude, show.
//!
//! ```no_run
//! use std::time::Duration;
//! use residue::{Interrupt, Options, Plan};
//!
//! let plan = Plan { span: Some(Duration::from_secs(30)), ..Plan::default() };
//! let target = residue::open("redis-server", &Options::default(), &mut |_, _| {})?;
//! let diagnosis = residue::triage(&*target, &plan, &Interrupt::never(), |_| {})?;
//! residue::report::terminal::triage(&mut std::io::stdout(), Default::default(), &diagnosis)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`pipeline`] is the whole flow on one screen. Reading is `residue-target`'s, concluding `residue-analysis`'s, showing
//! `residue-report`'s; here they meet.

#[cfg(any(target_os = "linux", windows))]
mod dump;
#[cfg(not(any(target_os = "linux", windows)))]
mod elsewhere;
mod error;
mod examination;
mod extract;
mod heaps;
mod interrupt;
#[cfg(any(target_os = "linux", windows))]
mod live;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod lost;
mod named;
pub mod pipeline;
mod plan;
#[cfg(any(target_os = "linux", windows))]
mod ps;
mod record;
#[cfg(any(target_os = "linux", windows))]
mod sampling;
mod search;
#[cfg(windows)]
mod selfcheck;
mod sources;
mod understood;

#[cfg(any(target_os = "linux", windows))]
pub use dump::dump;
/// The system that this runs on.
pub const HERE: model::Os = if cfg!(windows) { model::Os::Windows } else { model::Os::Linux };

pub use error::{Error, Result};
pub use examination::{Examination, HeapProgress};
pub use extract::extract;
pub use heaps::{LeakPlan, blocks_of, heaps, leaks, refs};
pub use interrupt::{Interrupt, Interrupter};
#[cfg(any(target_os = "linux", windows))]
pub use live::watch;
pub use pipeline::{Options, diff, map, map_for, open, triage};
pub use plan::{Plan, Progress};
#[cfg(target_os = "linux")]
pub use ps::save;
#[cfg(any(target_os = "linux", windows))]
pub use ps::{Origin, Query, Request, areas, table};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use record::record;
pub use record::{recording, write_recording};
pub use residue_analysis as analysis;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use residue_capture::Signals;
pub use residue_capture::{Plan as RecordPlan, Progress as RecordProgress, Recorded, RecordedFile, Top};
pub use residue_model as model;
pub use residue_report as report;
pub use residue_target::Care;
pub use residue_target::held;
#[cfg(any(target_os = "linux", windows))]
pub use residue_target::live::host::{DumpOptions, Probe};
#[cfg(windows)]
pub use residue_target::live::host::{HeapSums, own_heaps};
#[cfg(any(target_os = "linux", windows))]
pub use residue_target::live::write_whole;
pub use residue_target::procfs::printable;
pub use residue_target::windows::{Check, Outcome, Selfcheck};
pub use residue_target::{
    Detail, DumpProgress, Dumped, Error as TargetError, ErrorKind, StillProgress, Stillness, Target, is_dump,
    open_dump,
};
pub use search::{Mapped, read, search, searchable};
#[cfg(windows)]
pub use selfcheck::selfcheck;
pub use sources::sources;
