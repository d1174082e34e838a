//! Starts programs with the recorder inside, gathers what it tells, and keeps it in files.
//!
//! [`file`] reads and writes recordings, on every system.

pub mod file;
