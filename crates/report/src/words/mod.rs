//! What conclusions are called, in whole phrases: the terminal, JSON and HTML all say the same.

mod content;
mod finding;
mod footprint;
mod heap;
pub mod recorded;
mod region;
mod search;
mod target;
mod verdict;

pub use content::{ContentText, content};
pub use finding::{FindingText, finding, no_findings};
pub use footprint::{committed, footprint};
pub use heap::{arena, heuristics, holding, leak_kind, leaks, root, root_name, stop, verified, walked};
pub use region::{protection, remark};
pub use search::preview;
pub(crate) use target::quoted;
pub use target::{argument, dump, machine, target};
pub use verdict::{VerdictText, class_label, headline, verdict};
