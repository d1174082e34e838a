//! Running processes. Each OS has its own module, and nothing OS-specific stands outside of it.

#[cfg(target_os = "linux")]
pub mod linux;
