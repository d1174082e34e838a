//! Residue's conclusions.
//!
//! A [`Snapshot`](residue_model::Snapshot) becomes a [`Map`] whose regions know what they are for; a
//! [`Series`](residue_model::Series) becomes a [`Verdict`](growth::Verdict); both become [`Finding`]s. Everything is a pure function of
//! its input, and nothing here is text for people: numbers go in, numbers come out.
//!
//! ```
//! use residue_analysis::Map;
//! use residue_model::Snapshot;
//!
//! let map = Map::of(Snapshot::default());
//! assert_eq!(map.summary.by_usage.len(), 0);
//! ```

pub mod accounting;
mod allocation;
mod constants;
pub mod content;
mod diagnosis;
mod diff;
mod error;
pub mod examined;
pub mod finding;
mod fragmentation;
pub mod growth;
pub mod holding;
mod inside;
pub mod leaks;
mod look;
mod map;
mod outline;
mod query;
pub mod reachability;
mod reclaim;
pub mod recorded;
pub mod search;
mod strings;
mod summary;
pub mod types;
mod usage;

pub use allocation::Allocation;
pub use diagnosis::{Diagnosis, Watched};
pub use diff::{Change, Diff, DiffRegion, RegionChange, UsageChange};
pub use error::{Error, Result};
pub use finding::{Finding, Severity};
pub use fragmentation::{FreeRange, FreeSpace, Holes, free_size};
pub use inside::{Depth, Examined, Inside, Occurrences, Subject};
pub use look::Look;
pub use map::{Chosen, Map, RegionView};
pub use outline::{Outline, OutlineSums};
pub use query::{RegionFilter, RegionOrder, parse_size};
pub use reclaim::Reclaimable;
pub use strings::{Text, TextScan};
pub use summary::{Histogram, Row, Summary};
pub use usage::classify;
