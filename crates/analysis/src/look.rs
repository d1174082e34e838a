use residue_model::{Address, Bytes, Memory, Region, Snapshot};

use crate::content::{Content, Layout, of_region, preview};

/// What a first look into a region shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What its bytes are; none where nothing can be read.
    pub content: Option<Content>,
    /// Its first bytes, if they are text.
    pub preview: Option<String>,
}

/// Characters of a preview.
const SHOWN: usize = 60;

impl Look {
    /// Looks at the start of regions that the dump holds something of.
    pub(crate) fn into(
        snapshot: &Snapshot,
        regions: &[&Region],
        memory: &dyn Memory,
    ) -> Vec<(Address, Look)> {
        let layout = Layout::of_snapshot(snapshot);
        let (mut window, mut first) = (Vec::new(), [0; 4 * SHOWN]);
        let mut look = |region: &Region| {
            if region.saved == Some(Bytes::ZERO) {
                return Look::default();
            }
            let read = memory.read(region.range.start, &mut first);
            Look {
                content: of_region(region, memory, &layout, &mut window),
                preview: preview(&first[..read], SHOWN),
            }
        };
        regions.iter().map(|region| (region.range.start, look(region))).collect()
    }
}
