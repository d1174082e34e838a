//! What is in it: the content of memory, told from its bytes.
//!
//! [`Content::of`] gives one class to one piece of memory. [`populations`] finds regions that are alike, [`examine`]
//! looks into enough of them to say which share holds what, how sure that is, and which strings they have in common
//! that the rest of the process does not. [`runtimes`] says whose heap it may be.
//!
//! Nothing here knows what to look for: shares and strings come out of the bytes alone.
//!
//! ```
//! use residue_analysis::content::{Content, Layout};
//!
//! let layout = Layout::default();
//! let page = b"<!DOCTYPE html><html><head><title>Rain</title></head><body><p>Rain.</p></body></html>";
//! assert_eq!(Content::of(page, &layout), Content::Html);
//! assert_eq!(Content::of(&[0; 4096], &layout), Content::Zero);
//! ```

mod background;
mod candidates;
mod class;
mod code;
mod examine;
mod extract;
mod generic;
mod grams;
mod interval;
mod json;
mod keywords;
#[cfg(test)]
mod labelled;
mod layout;
mod lines;
mod magic;
mod markup;
mod member;
mod population;
mod preview;
mod region;
mod runtime;
mod strings;
mod tally;
mod telling;
mod text;
mod units;
mod wide;
mod wording;
mod words;

pub use background::Background;
pub use class::Content;
pub use examine::{Contents, Share, examine};
pub use layout::Layout;
pub use population::{Population, populations};
pub use preview::preview;
pub use region::of_region;
pub use runtime::{Runtime, RuntimeKind, runtimes};
pub use telling::{Encoding, Telling};
