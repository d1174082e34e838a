//! How findings look: on a terminal, as JSON, as one HTML page, as a chart.
//!
//! Everything is written to a `Write` that the caller opened; nothing is computed here that a conclusion could rest on.
//!
//! ```
//! use residue_model::Bytes;
//! use residue_report::units;
//!
//! assert_eq!(units::size(Bytes::kib(1536)), "1.5 MiB");
//! ```

pub mod chart;
pub mod collapsed;
pub mod dhat;
mod error;
pub mod flamegraph;
mod frames;
pub mod html;
pub mod json;
pub mod massif;
pub mod pprof;
pub mod terminal;
pub mod units;
pub mod words;

pub use error::{Error, Result};
