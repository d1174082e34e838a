//! What a handle remembers from call to call: what it reads, the samples so far, the alarms.

pub mod process;

pub(crate) mod alarms;
#[cfg(not(any(target_os = "linux", windows)))]
mod elsewhere;
pub(crate) mod source;
pub(crate) mod watch;
