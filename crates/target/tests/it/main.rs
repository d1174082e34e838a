//! The parsers on what real kernels wrote, and the live readers on processes whose memory is known.

mod capture;
mod dump;
mod fixtures;
mod lines;
#[cfg(target_os = "linux")]
mod live;
mod maps;
mod observation;
#[cfg(target_os = "linux")]
mod oracle;
#[cfg(target_os = "linux")]
mod places;
mod printable;
#[cfg(any(target_os = "linux", windows))]
mod probe;
mod rollup;
mod small;
mod smaps;
mod stat;
mod symbols;
