use residue_model::recording::StackSums;

/// What call paths are weighed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Bytes that stood at the end.
    #[default]
    Live,
    /// Bytes that stood when the program held most.
    Peak,
    /// Bytes asked for, in all.
    Allocated,
    /// Blocks that were freed by the next call of their thread.
    Temporary,
}

impl Measure {
    /// All of them.
    pub const ALL: [Measure; 4] = [Measure::Live, Measure::Peak, Measure::Allocated, Measure::Temporary];

    /// Its name on the command line and in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Measure::Live => "live",
            Measure::Peak => "peak",
            Measure::Allocated => "allocated",
            Measure::Temporary => "temporary",
        }
    }

    /// Whether it counts bytes; blocks otherwise.
    pub const fn is_bytes(self) -> bool {
        !matches!(self, Measure::Temporary)
    }

    /// What sums weigh.
    pub const fn of(self, sums: &StackSums) -> u64 {
        match self {
            Measure::Live => sums.live.0,
            Measure::Peak => sums.at_peak.0,
            Measure::Allocated => sums.allocated.0,
            Measure::Temporary => sums.temporary,
        }
    }
}
