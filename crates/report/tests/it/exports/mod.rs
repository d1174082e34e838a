//! A recording in the formats of other tools' viewers.

mod dhat;
mod massif;
mod pprof;
pub(crate) mod program;

use residue_report::Result;

fn text(write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes everything");
    String::from_utf8(out).expect("text")
}
