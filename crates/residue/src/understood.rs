use residue_analysis::Map;
use residue_model::Snapshot;
use residue_target::Target;

use crate::Result;

/// A snapshot of a target as a map.
pub(crate) fn understood(target: &dyn Target, snapshot: Snapshot) -> Result<Map> {
    // A live process is looked into only where nothing else tells its stacks and heaps: asking for its memory can bring
    // pages back from swap.
    Ok(if snapshot.needs_memory() { Map::with(snapshot, target.memory()?) } else { Map::of(snapshot) })
}
