use residue_analysis::Map;
use residue_model::Snapshot;
use residue_target::Target;

use crate::Result;

/// A snapshot of a target as a map.
pub(crate) fn understood(target: &dyn Target, snapshot: Snapshot) -> Result<Map> {
    // A live process is looked into only where nothing else tells its stacks and heaps: asking for its memory can bring
    // pages back from swap.
    if !snapshot.needs_memory() {
        return Ok(Map::of(snapshot));
    }
    match target.memory() {
        Ok(memory) => Ok(Map::with(snapshot, memory)),
        // A process that may be asked but not read: the snapshot says what that costs.
        Err(_) if !target.is_dump() => Ok(Map::of(snapshot)),
        Err(error) => Err(error.into()),
    }
}
