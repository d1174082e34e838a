//! The rules that are known, by address: a table that all threads read and write without locks.

use core::mem::size_of;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};

use super::rule::Packed;
use crate::sys;

const FIRST_SIZE: usize = 4096;

/// Rules by address. It grows by being copied; tables that were left are not given back, since a thread may still read them:
/// all of them together are smaller than the last.
#[derive(Debug)]
pub(super) struct Table {
    current: AtomicPtr<Header>,
}

/// How a table begins; the slots follow.
#[repr(C, align(64))]
struct Header {
    count: usize,
    used: AtomicUsize,
}

/// An address, set once and for good, and the rule for it, of whatever generation, or 0 while it is not written yet.
#[repr(C)]
struct Slot {
    address: AtomicU64,
    rule: AtomicU64,
}

/// A table of one size.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    used: &'static AtomicUsize,
    slots: &'static [Slot],
}

impl Table {
    pub(super) const fn new() -> Table {
        Table { current: AtomicPtr::new(null_mut()) }
    }

    /// The table as it is now; None before there is any.
    #[inline]
    pub(super) fn slots(&self) -> Option<Slots> {
        Slots::at(self.current.load(Acquire))
    }

    /// Adds a rule, or changes the one that stands there. Does nothing when there is no memory.
    pub(super) fn put(&self, address: u64, rule: Packed) {
        if let Some(slots) = self.with_room() {
            slots.put(address, rule.0);
        }
    }

    /// Forgets all rules.
    pub(super) fn clear(&self) {
        for slot in self.slots().into_iter().flat_map(|slots| slots.slots) {
            slot.rule.store(0, Relaxed);
        }
    }

    fn with_room(&self) -> Option<Slots> {
        let old = self.current.load(Acquire);
        let current = Slots::at(old);
        let count = match current {
            Some(slots) if slots.used.load(Relaxed) * 2 < slots.slots.len() => return current,
            Some(slots) => slots.slots.len() * 2,
            None => FIRST_SIZE,
        };
        let size = size_of::<Header>() + count * size_of::<Slot>();
        let Ok(memory) = sys::map(size) else { return current };
        let header = memory.cast::<Header>();
        // SAFETY: the memory is new, zeroed, and nobody else knows of it.
        unsafe { (*header).count = count };
        let larger = Slots::at(header)?;
        for slot in current.into_iter().flat_map(|slots| slots.slots) {
            let (address, rule) = (slot.address.load(Acquire), slot.rule.load(Acquire));
            if rule != 0 {
                larger.put(address, rule);
            }
        }
        if self.current.compare_exchange(old, header, AcqRel, Relaxed).is_err() {
            // SAFETY: another thread was quicker, so that nobody ever saw this one.
            unsafe { sys::unmap(memory, size) };
        }
        self.slots()
    }
}

impl Slots {
    #[inline]
    fn at(header: *mut Header) -> Option<Slots> {
        // SAFETY: what `Table` points to was filled before, and stays mapped, with `count` slots behind the header.
        unsafe {
            let Header { count, used } = header.as_ref()?;
            Some(Slots { used, slots: core::slice::from_raw_parts(header.add(1).cast(), *count) })
        }
    }

    /// The rule that stands for an address.
    #[inline]
    pub(super) fn get(self, address: u64) -> Option<Packed> {
        let mut at = start(address);
        loop {
            let slot = self.slot(at);
            match slot.address.load(Acquire) {
                found if found == address => return Some(Packed(slot.rule.load(Acquire))),
                0 => return None,
                _ => at += 1,
            }
        }
    }

    fn put(self, address: u64, rule: u64) {
        let mut at = start(address);
        loop {
            let slot = self.slot(at);
            let found = match slot.address.load(Acquire) {
                0 if !self.has_room() => return,
                0 => match slot.address.compare_exchange(0, address, AcqRel, Acquire) {
                    Ok(_) => {
                        self.used.fetch_add(1, Relaxed);
                        address
                    }
                    Err(other) => other,
                },
                found => found,
            };
            if found == address {
                slot.rule.store(rule, Release);
                return;
            }
            at += 1;
        }
    }

    /// Searches end at empty slots, so some must stay empty, however many threads add at a time.
    fn has_room(self) -> bool {
        self.used.load(Relaxed) < self.slots.len() / 4 * 3
    }

    #[inline]
    fn slot(self, at: usize) -> &'static Slot {
        &self.slots[at & (self.slots.len() - 1)]
    }
}

#[inline]
fn start(address: u64) -> usize {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows_and_forgets_nothing() {
        let table = Table::new();
        assert!(table.slots().is_none());

        let all = (1..20_000).map(|number| (number * 5, Packed(number)));
        all.clone().for_each(|(address, rule)| table.put(address, rule));

        let slots = table.slots().expect("there is memory");
        assert!(all.clone().all(|(address, rule)| slots.get(address) == Some(rule)));
        assert_eq!(slots.get(7), None);
        table.clear();
        assert!(all.clone().all(|(address, _)| slots.get(address) == Some(Packed(0))));
    }

    #[test]
    fn threads_may_fill_a_table_at_once() {
        let table = Table::new();

        std::thread::scope(|scope| {
            for start in 1..5 {
                let table = &table;
                scope.spawn(move || (start..9000).for_each(|number| table.put(number, Packed(number))));
            }
        });

        let slots = table.slots().expect("there is memory");
        assert!((1..9000).all(|number| slots.get(number).is_none_or(|rule| rule == Packed(number))));
        let known = (1..9000).filter(|&number| slots.get(number).is_some()).count();
        assert!(known > 4000, "what is lost when the table grows is little: {known}");
    }
}
