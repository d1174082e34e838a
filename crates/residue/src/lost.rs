//! Which blocks of a process nobody can reach, asked when it is about to end.

use std::ops::ControlFlow;

use residue_analysis::reachability::{Reachability, Rules};
use residue_capture::Lost;
use residue_target::Stillness;

use crate::search::threads;
use crate::{Examination, Options, Result, pipeline};

/// What nobody can reach of a process: None when it has no heap that can be walked.
///
/// # Errors
/// When it cannot be held still.
pub(crate) fn lost(pid: u32) -> Result<Option<Lost>> {
    let target = pipeline::open(&pid.to_string(), &Options::default(), &mut |_, _| {})?;
    let examination = Examination::of(&*target, Stillness::Stopped, &mut |_| {})?;
    if !examination.has_heap() {
        return Ok(None);
    }
    let view = examination.view();
    let rules = Rules { workers: threads(), ..Rules::default() };
    let found = Reachability::of(&view.scene(), rules, &|_| ControlFlow::Continue(()));
    let blocks = found.lost.blocks.iter().map(|lost| examination.blocks.block(lost.id).range).collect();
    Ok(Some(Lost { blocks, gaps: examination.circumstances(false).gaps }))
}
