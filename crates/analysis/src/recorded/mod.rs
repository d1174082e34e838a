//! What a recording tells: where the program asked for memory, how that went over time, and what to think of it.
//!
//! "Not freed at the end" is a fact, "grows" a finding, and lost is only what was looked for and nobody could reach.

mod diff;
mod estimate;
mod filter;
mod flame;
mod frame;
mod group;
mod known;
mod marks;
mod measure;
mod name;
mod paths;
mod question;
mod section;
mod shape;
mod site;
mod skip;
mod sums;
mod tracks;
mod window;

pub use diff::{Comparison, SiteChange, SiteChangeKind};
pub use estimate::Estimate;
pub use filter::Filter;
pub use flame::{Flame, FlameNode};
pub use frame::{Frame, module_paths};
pub use group::Grouping;
pub use marks::{MarkSite, MarkView};
pub use measure::Measure;
pub use paths::{FrameId, PathId, Paths};
pub use question::{Chosen, Question, Recorded};
pub use section::Section;
pub use shape::{Growth, Shape};
pub use site::{Site, SitePath};
pub use skip::Skip;
pub use sums::quantile;
pub use tracks::{Track, Tracks};
