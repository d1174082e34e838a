//! The border: nothing that goes wrong behind it reaches the caller but as a status.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::border::error::{Failure, Result};
use crate::border::last_error::remember;
use crate::border::status::residue_status;

/// Runs what a call is for. A failure is kept for `residue_last_error`, a panic is caught and becomes one.
///
/// What a panic left half done is a handle's sums of one call: the next call makes new ones.
pub(crate) fn entry(body: impl FnOnce() -> Result<residue_status>) -> residue_status {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(panicked(&*payload)));
    outcome.unwrap_or_else(|failure| {
        remember(&failure);
        failure.status
    })
}

fn panicked(payload: &(dyn Any + Send)) -> Failure {
    let said = payload.downcast_ref::<&str>().copied();
    let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
    let text =
        format!("a bug in residue: {said}; help: please report it, with what stands on standard error");
    Failure::new(residue_status::RESIDUE_PANIC, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::last_error::residue_last_error;

    fn last_error() -> String {
        let mut buffer = vec![0_u8; 1024];
        // SAFETY: the buffer has that capacity.
        let needed = unsafe { residue_last_error(buffer.as_mut_ptr().cast(), buffer.len()) };
        String::from_utf8(buffer[..needed - 1].to_vec()).expect("it is UTF-8")
    }

    #[test]
    fn a_panic_becomes_a_status_and_a_text() {
        let status = entry(|| panic!("the {} was gone", "heap"));
        assert_eq!(status, residue_status::RESIDUE_PANIC);
        assert!(last_error().starts_with("a bug in residue: the heap was gone"), "{}", last_error());
    }

    #[test]
    fn a_failure_is_remembered_and_success_changes_nothing() {
        let refused = || Err(Failure::unsupported("not on a dump"));
        assert_eq!(entry(refused), residue_status::RESIDUE_UNSUPPORTED);
        assert_eq!(entry(|| Ok(residue_status::RESIDUE_OK)), residue_status::RESIDUE_OK);
        assert_eq!(last_error(), "not on a dump");
    }
}
