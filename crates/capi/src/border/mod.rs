//! How anything crosses: pointers and sizes are checked, failures become a status and a text, and no panic passes.

pub mod last_error;
pub mod status;
pub mod version;

pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod pointer;
pub(crate) mod sized;
