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

mod dump;
mod error;
mod extract;
mod interrupt;
pub mod pipeline;
mod ps;
mod sampling;
mod search;

pub use dump::dump;
pub use error::{Error, Result};
pub use extract::extract;
pub use interrupt::{Interrupt, Interrupter};
pub use pipeline::{Options, diff, map, open, triage, watch};
pub use ps::{Origin, Query, Request, areas, save, table};
pub use residue_analysis as analysis;
pub use residue_model as model;
pub use residue_report as report;
pub use residue_target::live::linux::{Care, DumpOptions, DumpProgress, Dumped};
pub use residue_target::procfs::printable;
pub use residue_target::{Error as TargetError, ErrorKind, Target, is_dump};
pub use sampling::{Plan, Progress};
pub use search::{read, search, searchable};
