//! The nouns of Residue, shared by every other crate.
//!
//! A [`Snapshot`] says how a process stood at one moment, a [`Series`] how its [`Footprint`] moved, and a [`Gap`]
//! what could not be seen. Nothing here reads a file or a clock, so everything built on it runs on any OS.
//!
//! ```
//! use residue_model::{Address, Bytes, Range};
//!
//! let page = Range::new(Address(0x1000), Address(0x2000)).expect("start is before end");
//! assert_eq!(page.size(), Bytes(4096));
//! ```

mod address;
mod bits;
mod blocks;
mod bytes;
mod counters;
mod dump;
mod extent;
mod footprint;
mod gap;
mod heap;
mod limits;
mod machine;
mod memory;
mod module;
mod process;
mod protection;
pub mod recording;
mod region;
mod series;
mod snapshot;
mod stop;
mod system;
mod usage;
mod windows;

pub use address::{Address, Range};
pub use bits::Bits;
pub use blocks::{Block, BlockId, Blocks, Found, Run};
pub use bytes::Bytes;
pub use counters::{Counter, CounterSum, Counters};
pub use dump::{Dump, DumpFormat, Event};
pub use extent::Extent;
pub use footprint::{Footprint, WindowsFootprint};
pub use gap::Gap;
pub use heap::{Arena, ArenaKind, Damage, Heap, Identity, Mallinfo, Parameter, Recognised, Verified};
pub use limits::{Limit, LimitKind, Limits};
pub use machine::{Machine, Os};
pub use memory::{Memory, NoMemory, Pieces, Visit};
pub use module::Module;
pub use process::{Process, ProcessId, ProcessState, Thread};
pub use protection::Protection;
pub use recording::Recording;
pub use region::{Backing, Region, SharedSegment, State};
pub use series::{FreeSize, Sample, Series};
pub use snapshot::{AddressSpace, Snapshot, Source};
pub use stop::Stop;
pub use system::SystemMemory;
pub use usage::Usage;
pub use windows::Pages;
