//! Where running processes cannot be read yet: dumps are, from any system.

use residue_analysis::Diagnosis;
use residue_model::Snapshot;
use residue_target::{Care, Error as TargetError, ErrorKind, Target};

use crate::{Interrupt, Plan, Progress, Result};

/// No word means a process here.
pub(crate) fn process(word: &str, _: Care) -> std::result::Result<Box<dyn Target>, TargetError> {
    let what = format!("{word} is no dump, and running processes are read on Linux and Windows only");
    Err(TargetError::new(ErrorKind::NotFound, what).help("give an ELF core or a minidump"))
}

/// Every target is a dump here, and has been judged before it comes to this.
pub(crate) fn diagnose(
    _: &dyn Target,
    before: Snapshot,
    _: &Plan,
    _: &Interrupt,
    _: impl FnMut(Progress<'_>),
) -> Result<Diagnosis> {
    let what =
        format!("process {} cannot be watched: that works on Linux and Windows only", before.process.pid);
    Err(TargetError::new(ErrorKind::Unsupported, what).into())
}
