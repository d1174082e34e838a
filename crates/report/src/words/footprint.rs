use residue_analysis::Map;
use residue_model::{Footprint, WindowsFootprint};

use crate::units::{size, size_or_dash};

/// The totals of a process in one line, in the terms of its system.
pub fn footprint(footprint: &Footprint) -> String {
    match &footprint.windows {
        Some(windows) => of_windows(windows),
        None => format!(
            "rss {}, pss {}, uss {}, swap {}",
            size_or_dash(footprint.rss),
            size_or_dash(footprint.pss),
            size_or_dash(footprint.uss),
            size_or_dash(footprint.swap)
        ),
    }
}

/// What is committed and what is only reserved, of a process or dump of Windows.
pub fn committed(map: &Map) -> String {
    let state = |name: &str| map.summary.by_state.iter().find(|row| row.key == name);
    let size_of = |name: &str| size(state(name).map(|row| row.size).unwrap_or_default());
    format!("{} committed, {} reserved", size_of("MEM_COMMIT"), size_of("MEM_RESERVE"))
}

fn of_windows(windows: &WindowsFootprint) -> String {
    format!(
        "commit {} (peak {}), working set {} (peak {}, private {}), paged pool {}, non-paged pool {}",
        size_or_dash(windows.commit),
        size_or_dash(windows.peak_commit),
        size_or_dash(windows.working_set),
        size_or_dash(windows.peak_working_set),
        size_or_dash(windows.private_working_set),
        size_or_dash(windows.paged_pool),
        size_or_dash(windows.nonpaged_pool)
    )
}
