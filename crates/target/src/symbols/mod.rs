//! Names for addresses, and the bytes that stand in files: the programs and libraries of a Linux process.
//!
//! [`Modules`] finds the ELF files that a target has mapped, opens those that are still the same build, and tells which
//! variable or function stands at an address. [`WithFiles`] shows a core's memory with what its writer left out because
//! it stands in those files, and [`Modules::frames`] follows the stack of a stopped thread.
//!
//! Every file here is a stranger's, and that of a live process can change while it is read: files are read, never
//! mapped, and what they say is checked before it is believed.
//!
//! [`Lookup`] names addresses of images that ran some time: with source lines and inlined functions.
//!
//! What it does not know: local variables.

mod build;
mod cfi;
mod contents;
mod demangle;
mod frames;
mod layout;
mod lines;
mod loaded;
mod loading;
mod modules;
mod open;
mod place;
mod separate;
mod symbol;
mod table;
mod with_files;

pub use demangle::demangle;
pub use frames::Frame;
pub use lines::{Debuginfod, ImageId, Lookup, Named};
pub use modules::Modules;
pub use symbol::{Symbol, SymbolKind};
pub use with_files::WithFiles;
