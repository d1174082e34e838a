//! Running processes. Each OS has its own module, and nothing OS-specific stands outside of it.
//!
//! [`host`] is the one of the system that this is built for: what both have goes by the same names.

#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(any(target_os = "linux", windows))]
mod output;
#[cfg(windows)]
pub mod windows;

#[cfg(any(target_os = "linux", windows))]
pub use output::write_whole;

#[cfg(target_os = "linux")]
pub use linux as host;
#[cfg(windows)]
pub use windows as host;
