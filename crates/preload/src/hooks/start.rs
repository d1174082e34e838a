//! When it starts.

use crate::process;

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

/// Run by the loader before `main`. Other libraries may have run, and allocated, before.
extern "C" fn start() {
    process::start(None);
}
