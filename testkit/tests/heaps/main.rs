//! The programs with a known heap hold what they say: by mallinfo2, memcheck and gcc's leak sanitizer, none of them ours.

#![cfg(target_os = "linux")]

mod fuzzed;
mod generated;
mod kinds;
