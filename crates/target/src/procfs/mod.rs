//! The text of `/proc`, parsed from any input on every OS.
//!
//! Keys are matched whole: newer kernels add `Pss_Dirty` beside `Pss`. What a kernel does not print stays `None`; what
//! is printed but not known is skipped, and [`smaps`] names it. Small files are parsed from one buffer that the caller
//! reuses; `maps` and `smaps` can be tens of megabytes and are streamed.

pub mod cgroup;
pub mod iomem;
pub mod limits;
mod lines;
pub mod maps;
pub mod meminfo;
pub(crate) mod number;
pub mod rollup;
pub mod smaps;
pub mod stat;
pub mod statm;
pub mod status;
pub mod sysvipc;
mod text;

pub use lines::Lines;
pub use text::printable;
