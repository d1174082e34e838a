//! Pages of metas: the list of all groups that there are.

use std::collections::{HashMap, HashSet};

use residue_model::{Address, Gap, Identity};

use super::context::{AREA_HEADER, Context};
use super::meta::{self, Meta, PAGE};
use crate::Image;

/// [`PAGE`], as the length of what is read.
const PAGE_BYTES: usize = 4096;

/// All metas of one context.
#[derive(Debug, Default)]
pub(super) struct Areas {
    /// The pages, in the order of their list.
    pub(super) pages: Vec<u64>,
    /// Metas in use.
    pub(super) metas: Vec<Meta>,
    /// Metas in use, unused and never used, together; and how many the pages have.
    pub(super) counted: (u64, u64),
    /// Why the list ended early.
    pub(super) gaps: Vec<Gap>,
}

impl Areas {
    /// Follows the list of pages as far as it can be read.
    pub(super) fn of(context: &Context, image: &Image<'_>) -> Areas {
        let mut areas = Areas::default();
        let mut seen = HashSet::new();
        let mut next = context.first_area;
        while next != 0 {
            let page = image.pieces.from(Address(next)).first_chunk::<PAGE_BYTES>();
            let held = page.filter(|page| next.is_multiple_of(PAGE) && first(page) == context.secret);
            let Some(page) = held.filter(|_| seen.insert(next)) else {
                areas.gaps.push(Gap::new(
                    format!("blocks of musl that are described at {next:#x} and behind"),
                    "that page of metas is not in the dump, or damaged",
                ));
                break;
            };
            areas.pages.push(next);
            areas.read(next, page);
            next = super::context::word(page, 8).unwrap_or_default();
        }
        let total = areas.counted.1;
        let returned = ring(context.returned, total, &seen, image);
        areas.counted.0 = areas.metas.len() as u64 + returned + context.untouched;
        areas
    }

    fn read(&mut self, at: u64, page: &[u8; PAGE_BYTES]) {
        let metas = page[AREA_HEADER..].chunks_exact(meta::SIZE);
        self.counted.1 += metas.len() as u64;
        for (bytes, at) in metas.zip((at + AREA_HEADER as u64..).step_by(meta::SIZE)) {
            self.metas.extend(bytes.first_chunk().and_then(|bytes| Meta::read(at, bytes)));
        }
    }

    /// The metas by the groups that they describe.
    pub(super) fn by_group(&self) -> HashMap<u64, usize> {
        self.metas.iter().enumerate().map(|(index, meta)| (meta.group, index)).collect()
    }

    /// Every meta is in use, was given back or was never used.
    pub(super) fn identity(&self) -> Identity {
        Identity {
            what: "metas in use, given back and never used".to_owned(),
            walked: self.counted.0,
            stated: self.counted.1,
        }
    }
}

fn first(page: &[u8; PAGE_BYTES]) -> u64 {
    super::context::word(page, 0).unwrap_or_default()
}

/// How many metas a ring has, when it closes.
fn ring(head: u64, most: u64, pages: &HashSet<u64>, image: &Image<'_>) -> u64 {
    let (mut at, mut count) = (head, 0);
    while at != 0 && count < most && pages.contains(&(at & !(PAGE - 1))) {
        count += 1;
        at = image.word(at + 8).filter(|&next| next != head).unwrap_or_default();
    }
    count
}
