use residue_model::{Pages, Region};

use crate::units::size;

/// What may be done with a region, in the terms of its system: `rw-p`, `PAGE_READWRITE`.
pub fn protection(region: &Region) -> String {
    region.pages.map_or_else(|| region.protection.to_string(), Pages::protection_name)
}

/// What is known of a region beyond its name: a deleted file, its threads, the shared segment behind it.
pub fn remark(region: &Region) -> Option<String> {
    let mut parts = Vec::new();
    if region.deleted {
        parts.push("(deleted)".to_owned());
    }
    match region.threads.as_slice() {
        [] => {}
        [tid] => parts.push(format!("tid {tid}")),
        [tid, rest @ ..] => parts.push(format!("tid {tid} and {} more", rest.len())),
    }
    if let Some(segment) = &region.segment {
        parts.push(format!(
            "shmid {}, {}, attached {} times, made by pid {}",
            segment.id,
            size(segment.size),
            segment.attached,
            segment.creator
        ));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}
