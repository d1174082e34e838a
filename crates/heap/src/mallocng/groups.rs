//! Groups and what their slots hold.

use std::collections::HashMap;

use residue_model::{Address, Bytes, Damage, Range};

use super::areas::Areas;
use super::meta::{CLASSES, Meta, SINGLE, UNIT};
use super::slot::{Place, Slot};
use super::window::Window;
use crate::Image;

/// What was counted over groups.
#[derive(Debug)]
pub(super) struct Tally {
    /// Slots by class, those in donated ranges left out, as mallocng counts them.
    pub(super) slots: [u64; CLASSES],
    /// Groups that stand in a slot, and slots in which one was found.
    pub(super) nested: (u64, u64),
    /// Blocks, and the slots that hold them.
    pub(super) live: (u64, u64),
    /// Free slots, and their bytes.
    pub(super) free: (u64, u64),
    /// The largest free slot.
    pub(super) largest_free: u64,
    /// Headers, and what no slot fills.
    pub(super) own: u64,
    /// Bookkeeping that contradicts itself.
    pub(super) damage: Vec<Damage>,
    /// Groups that a thread is making or giving back, as far as they are seen from one side only.
    pub(super) passing: Vec<Damage>,
}

impl Default for Tally {
    fn default() -> Tally {
        let (damage, passing) = (Vec::new(), Vec::new());
        let none = (0, 0);
        let slots = [0; CLASSES];
        Tally { slots, nested: none, live: none, free: none, largest_free: 0, own: 0, damage, passing }
    }
}

/// Reads the groups of a context, each once.
pub(super) struct Groups<'a> {
    image: &'a Image<'a>,
    areas: &'a Areas,
    by_group: HashMap<u64, usize>,
    seen: Vec<bool>,
    /// What was counted so far.
    pub(super) tally: Tally,
}

impl<'a> Groups<'a> {
    /// Nothing is read yet.
    pub(super) fn new(image: &'a Image<'a>, areas: &'a Areas) -> Groups<'a> {
        let seen = vec![false; areas.metas.len()];
        Groups { image, areas, by_group: areas.by_group(), seen, tally: Tally::default() }
    }

    /// Reads a group that stands for itself, and the smaller ones inside: where it stands, and its live blocks in order.
    /// None when it is damaged, or stands in another one.
    pub(super) fn read(&mut self, index: usize) -> Option<(Range, Vec<Range>)> {
        let meta = self.areas.metas[index];
        if meta.is_sound() && meta.is_nested() {
            return None;
        }
        let extent = self.check(&meta)?;
        let window = Window::from(self.image.pieces, meta.group);
        let mut blocks = Vec::new();
        self.walk(index, &window, &mut blocks);
        let end = Address(meta.group + extent);
        Some((Range { start: Address(meta.group), end }, blocks))
    }

    /// Counts the groups that should stand in a slot, and tells of those of which no slot was found.
    pub(super) fn finish(mut self) -> Tally {
        let areas = self.areas;
        for (index, meta) in areas.metas.iter().enumerate() {
            if !meta.is_sound() || !meta.is_nested() {
                continue;
            }
            let damage =
                damage(meta.group, "a group stands in no slot", Bytes(meta.extent().unwrap_or_default()));
            let seen = self.seen[index];
            if seen || !self.is_passing(meta) {
                self.tally.nested.0 += 1;
            }
            if !seen {
                self.report(meta, damage);
            }
        }
        self.tally
    }

    /// Whether a thread is making this group or giving it back, so that no program has a block of it: its first word
    /// is not written yet, or cleared again, and at most the slot that is given back counts as taken.
    fn is_passing(&self, meta: &Meta) -> bool {
        let is_zero = |at| self.image.word(at).is_none_or(|word| word == 0);
        let framed = meta.class == SINGLE && !is_zero(meta.group.wrapping_add(8));
        meta.is_unfinished() || (is_zero(meta.group) && meta.taken().count_ones() <= 1 && !framed)
    }

    fn report(&mut self, meta: &Meta, damage: Damage) {
        let passing = self.is_passing(meta);
        let list = if passing { &mut self.tally.passing } else { &mut self.tally.damage };
        list.push(damage);
    }

    /// How many bytes a group takes, if its meta is sound, it points back there, and it is memory that can be written.
    fn check(&mut self, meta: &Meta) -> Option<u64> {
        let extent = meta.extent().filter(|_| meta.is_sound());
        let Some(extent) = extent else {
            self.report(meta, damage(meta.at, "a meta that mallocng cannot have written", Bytes(0)));
            return None;
        };
        let writable = |at| self.image.is_writable(at);
        let wrong = if !writable(meta.group) || !writable(meta.group + extent - 1) {
            Some("a group reaches beyond its memory")
        } else if self.image.word(meta.group) != Some(meta.at) {
            Some("a group does not point back to its meta")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.report(meta, damage(meta.group, wrong, Bytes(extent)));
        }
        wrong.is_none().then_some(extent)
    }

    /// Reads the slots of a group that was checked.
    fn walk(&mut self, index: usize, window: &Window<'_>, blocks: &mut Vec<Range>) {
        let meta = self.areas.metas[index];
        self.seen[index] = true;
        let (Some(stride), Some(extent)) = (meta.stride(), meta.extent()) else { return };
        if !meta.is_donated()
            && let Some(slots) = self.tally.slots.get_mut(usize::from(meta.class))
        {
            *slots += u64::from(meta.slots());
        }
        self.tally.own += extent - stride * u64::from(meta.slots());
        for index in 0..=meta.last {
            if meta.taken() & (1 << index) == 0 {
                self.free(stride);
                continue;
            }
            let place = Place { storage: meta.group + UNIT, index, stride };
            match place.read(window) {
                Slot::Block { start, requested } => self.block(place, start, requested, window, blocks),
                Slot::Group { start } => self.nested(place, start, window, blocks),
                Slot::Passing => self.free(stride),
                Slot::Damaged => {
                    let mut damage =
                        damage(place.start(), "the header of a block leads nowhere", Bytes(stride));
                    damage.suspect = blocks.last().copied();
                    self.tally.damage.push(damage);
                }
            }
        }
    }

    fn free(&mut self, stride: u64) {
        self.tally.free.0 += 1;
        self.tally.free.1 += stride;
        self.tally.largest_free = self.tally.largest_free.max(stride);
    }

    fn block(
        &mut self,
        place: Place,
        start: u64,
        requested: u64,
        window: &Window<'_>,
        blocks: &mut Vec<Range>,
    ) {
        self.tally.live.0 += 1;
        self.tally.live.1 += place.stride;
        // A block of no bytes has an address all the same, and who holds that holds the block.
        let block = Range { start: Address(start), end: Address(start + requested.max(1)) };
        if let Some(at) = place.overrun(start + requested, window) {
            let mut damage = damage(at, "a byte behind a block is written: its end was overrun", Bytes(0));
            damage.suspect = Some(block);
            self.tally.damage.push(damage);
        }
        blocks.push(block);
    }

    /// Reads a group in a slot of another. It is smaller than its slot, so that this comes to an end.
    fn nested(&mut self, place: Place, start: u64, window: &Window<'_>, blocks: &mut Vec<Range>) {
        let Some(&index) = self.by_group.get(&start) else {
            // Where a group is begun, its slot is taken before its meta says where it stands.
            let what = "a slot holds a group that no meta describes";
            self.tally.passing.push(damage(place.start(), what, Bytes(place.stride)));
            self.free(place.stride);
            return;
        };
        let meta = self.areas.metas[index];
        // Its last slot ends where this one does: the bytes of the next header serve both.
        let room = (place.start() + place.stride).saturating_sub(start);
        let fits = !self.seen[index] && meta.extent().is_some_and(|extent| extent <= room);
        let checked =
            if fits && (meta.is_nested() || meta.is_unfinished()) { self.check(&meta) } else { None };
        let Some(extent) = checked else {
            if !fits {
                let what = "a slot holds a group that does not fit into it";
                self.tally.damage.push(damage(place.start(), what, Bytes(place.stride)));
            }
            return;
        };
        self.tally.nested.1 += 1;
        self.tally.own += place.stride - extent;
        self.walk(index, window, blocks);
    }
}

fn damage(at: u64, what: &str, unwalked: Bytes) -> Damage {
    Damage { at: Address(at), what: what.to_owned(), suspect: None, unwalked }
}
