//! When it starts, and when it ends.

use crate::{ending, process};

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

#[used]
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = end;

/// Run by the loader before `main`. Other libraries may have run, and allocated, before.
extern "C" fn start() {
    process::start(None);
}

/// Run by the loader when the program has called `exit`, after what it had to do there. Calls go on being recorded.
extern "C" fn end() {
    ending::end();
}
