//! Is it growing, how fast, where, and is that a leak?
//!
//! A first judgement from the outside: private anonymous memory and swap over time, never the resident set, which file
//! cache, shared memory and reclaim move without any leak. Where evidence is thin the verdict is `inconclusive`, with how
//! long to wait.

mod curve;
mod history;
mod judge;
mod place;
mod trend;
mod warmup;

pub(crate) use curve::Curve;
pub use history::History;
pub use judge::{Forecast, Reason, Signal, Verdict, VerdictKind, judge};
pub use place::{Class, Place, points};
pub use trend::{Interval, Trend};
