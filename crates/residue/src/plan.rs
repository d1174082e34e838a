use std::time::Duration;

use residue_model::{Bytes, Sample};

/// How long and how often to look.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long; until interrupted or ended for `None`.
    pub span: Option<Duration>,
    /// How often; chosen from the span for `None`.
    pub interval: Option<Duration>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { span: Some(Duration::from_secs(30)), interval: None }
    }
}

impl Plan {
    /// Some 120 samples tell a trend; more often than ten times a second tells nothing new.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn interval(&self) -> Duration {
        let shortest = Duration::from_millis(100);
        let chosen = self.span.map_or(Duration::from_secs(1), |span| span / 120);
        self.interval.unwrap_or_else(|| chosen.clamp(shortest, Duration::from_secs(10)))
    }
}

/// What happens while processes are watched.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A sample was read: of which process, counted from 0, and what.
    Sample(usize, &'a Sample),
    /// A round is over, at this time since the start.
    Round(Duration),
    /// So much more of a dump has been searched.
    Searched(Bytes),
}
