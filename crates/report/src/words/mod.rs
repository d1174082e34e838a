//! What conclusions are called, in whole phrases: the terminal, JSON and HTML all say the same.

mod finding;
mod region;
mod verdict;

pub use finding::{FindingText, finding};
pub use region::remark;
pub use verdict::{VerdictText, class_label, headline, verdict};
