//! What conclusions are called, in whole phrases: the terminal, JSON and HTML all say the same.

mod finding;
mod region;
mod search;
mod target;
mod verdict;

pub use finding::{FindingText, finding};
pub use region::{protection, remark};
pub use search::preview;
pub use target::{dump, target};
pub use verdict::{VerdictText, class_label, headline, verdict};
