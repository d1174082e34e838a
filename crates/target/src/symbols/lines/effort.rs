use std::cell::Cell;

/// How much more is done for one image. Debug information of a stranger can refer to one table a million times over;
/// that of a compiler is gone through once.
#[derive(Debug)]
pub(super) struct Effort(Cell<u64>);

/// Why the debug information of a unit, or of a whole file, gives no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What stands there makes no sense.
    Damaged,
    /// It asks for more work than its size is worth.
    Exhausted,
}

impl Effort {
    /// As much as tables of so many bytes are worth.
    pub(super) fn of(bytes: u64) -> Effort {
        const EACH: u64 = 8;
        const LEAST: u64 = 1 << 16;
        Effort(Cell::new(bytes.saturating_mul(EACH).saturating_add(LEAST)))
    }

    /// To be called before work that grows with `steps`.
    pub(super) fn spend(&self, steps: usize) -> Result<(), Stop> {
        let left = self.0.get().checked_sub(steps as u64).ok_or(Stop::Exhausted)?;
        self.0.set(left);
        Ok(())
    }
}

impl From<gimli::Error> for Stop {
    fn from(_: gimli::Error) -> Stop {
        Stop::Damaged
    }
}
