//! Where memory is read from.
//!
//! [`procfs`] turns the text of `/proc` into model values, from any `Read`, on every OS. [`capture`] keeps the files of
//! a whole machine in one archive and reads them back elsewhere. [`live`] is the only part that touches a running
//! system.
//!
//! ```
//! use residue_model::{Bytes, Counter};
//!
//! let text = b"55d0c0000000-7ffd0000 ---p 00000000 00:00 0 [rollup]\nRss:  16 kB\nPss_Dirty:  4 kB\n";
//! let sum = residue_target::procfs::rollup::parse(text)?;
//! assert_eq!(sum.get(Counter::Rss), Some(Bytes::kib(16)));
//! assert_eq!(sum.get(Counter::Pss), None);
//! # Ok::<(), residue_target::Error>(())
//! ```
//!
//! What it does not know: what a region is for, whether growth is a leak, and how anything looks on a screen.

pub mod capture;
mod care;
mod census;
mod detail;
mod dumping;
mod elf_core;
mod error;
pub mod held;
mod image;
pub mod live;
mod minidump;
#[cfg(any(target_os = "linux", windows))]
mod naming;
mod open;
pub mod procfs;
mod reading;
mod still;
pub mod symbols;
mod target;
pub mod windows;

pub use care::Care;
pub use census::{Census, Draft, File, Files, Selection};
pub use detail::Detail;
pub use dumping::{DumpProgress, Dumped, Estimate};
pub use elf_core::ElfCore;
pub use error::{Error, ErrorKind, Result};
pub use minidump::Minidump;
pub use open::{is_dump, open_dump};
pub use reading::Reading;
pub use still::{Still, StillProgress, Stillness};
pub use target::Target;
