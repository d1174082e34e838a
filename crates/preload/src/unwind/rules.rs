//! What is known of the code of a process, for all of its threads.

use core::cell::Cell;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use residue_recording::wire::Header;

use super::call::{self, Callee};
use super::cfi::{self, Workspace};
use super::kept::Place;
use super::objects::{self, Object, Remembered};
use super::rule::{GENERATIONS, Packed, Rule};
use super::step::Step;
use super::table::{Slots, Table};
use super::{elf, modules, tree};
use crate::segment::Segment;
use crate::sys;

const ADDRESS: u64 = (1 << 48) - 1;
const UNLOADED: u64 = 1 << 32;

const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_EXECFN: u64 = 31;
const LONGEST_PATH: usize = 4096;

/// What is known of the code of a process: one for all of its threads.
#[derive(Debug)]
pub struct Rules {
    /// What happened to the address space: how often modules went in the high half, other mappings in the low half.
    changes: AtomicU64,
    table: Table,
    remembered: Remembered,
}

/// The rules as they are for one capture.
pub(super) struct View<'a> {
    pub(super) changes: u64,
    rules: &'a Rules,
    segment: &'a Segment,
    slots: Option<Slots>,
    /// Some rule could not be told just now.
    is_unsure: Cell<bool>,
}

impl Rules {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Rules {
        Rules { changes: AtomicU64::new(0), table: Table::new(), remembered: Remembered::new() }
    }

    /// Looks at the program as it stands: to be called before the first capture into a segment, where the loader's lock may
    /// be taken, as in a constructor.
    pub fn start(&self, segment: &Segment) {
        if !objects::are_told() {
            segment.header().trouble.fetch_or(Header::NO_FIND_OBJECT, Relaxed);
            self.remembered.look();
        }
        add_program(self, segment);
    }

    /// A library may have been unloaded: to be called when `dlclose` is done, where the loader's lock may be taken.
    pub fn unloaded(&self) {
        if !objects::are_told() {
            self.remembered.look();
        }
        let before = self.changes.fetch_add(UNLOADED, Release);
        if (before / UNLOADED + 1).is_multiple_of(GENERATIONS) {
            // Rules of so long ago would pass for new ones.
            self.table.clear();
        }
    }

    /// Memory that may have been a stack is gone: to be called after `munmap`, `mremap`, a protection that forbids to read.
    pub fn unmapped(&self) {
        self.changes.fetch_add(1, Release);
    }

    /// To be called in a child after `fork`, in which there is no other thread.
    pub fn forked(&self) {
        self.remembered.forked();
    }

    /// From now on no system call may be made (strict seccomp).
    pub fn forbid_calls(&self) {
        sys::bind();
    }

    #[inline]
    pub(super) fn view<'a>(&'a self, segment: &'a Segment) -> View<'a> {
        View {
            changes: self.changes.load(Acquire),
            rules: self,
            segment,
            slots: self.table.slots(),
            is_unsure: Cell::new(false),
        }
    }

    fn object(&self, address: u64) -> Option<Object> {
        if objects::are_told() { objects::find(address) } else { self.remembered.find(address) }
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::new()
    }
}

impl View<'_> {
    /// The rule for the code at an address.
    #[inline]
    pub(super) fn rule(&self, address: u64, workspace: &mut Workspace) -> Packed {
        let known =
            self.slots.and_then(|slots| slots.get(address)).filter(|rule| rule.is_of(self.generation()));
        known.unwrap_or_else(|| self.find(address, workspace))
    }

    /// The place of a frame that is called from the one at another place.
    #[inline]
    pub(super) fn inside(&self, caller: Place, step: &Step) -> Place {
        let code = (step.state.pc.wrapping_add(1) & ADDRESS) | step.rule.module() << 48;
        let needs_bp = step.needs_bp(caller.needs_bp);
        match tree::child(self.segment, caller.node, code) {
            Some(node) => Place { node, is_cut: caller.is_cut, needs_bp },
            None => Place { node: caller.node, is_cut: true, needs_bp },
        }
    }

    /// Whether a call of code of no module ends at this byte: one that goes through a register or memory, or straight there.
    /// Most words that look like a return address are of a call from one module's function to another.
    #[cold]
    #[inline(never)]
    pub(super) fn has_called_made_code(&self, last: u64) -> bool {
        let code = match self.rules.object(last) {
            Some(object) => {
                elf::code_around(elf::segments(object.start), object.bias, last).map(|code| code.start)
            }
            None => call::first_readable(last),
        };
        // SAFETY: the code up to this byte is mapped and can be read.
        match code.and_then(|start| unsafe { call::ending_at(start, last) }) {
            Some(Callee::Told(address)) => self.rules.object(address).is_none(),
            Some(Callee::Held) => true,
            None => false,
        }
    }

    /// Whether a library may have been unloaded since the changes were these.
    pub(super) fn is_unloaded_since(&self, changes: u64) -> bool {
        self.changes / UNLOADED != changes / UNLOADED
    }

    /// Whether some rule could not be told just now, and may be the next time.
    pub(super) fn is_unsure(&self) -> bool {
        self.is_unsure.get()
    }

    fn generation(&self) -> u64 {
        self.changes / UNLOADED
    }

    #[cold]
    #[inline(never)]
    fn find(&self, address: u64, workspace: &mut Workspace) -> Packed {
        let Some(object) = self.rules.object(address) else {
            // Not kept: a library may be loaded there later, and nobody says when. Where libraries that were loaded later
            // are not told, this may be one, or the list is being written.
            self.is_unsure.set(!objects::are_told());
            let rule = if objects::are_told() { Rule::Guess } else { Rule::Cut };
            return Packed::new(rule, 0, self.generation());
        };
        let name = object.name().to_bytes();
        // The program has no name, having a row from the start; the kernel's own library has no path.
        let path = if name.contains(&b'/') { name } else { b"" };
        let Some(module) = modules::number(self.segment, &object, path) else {
            self.is_unsure.set(true);
            return Packed::new(Rule::Cut, 0, self.generation());
        };
        let rule = Packed::new(cfi::rule(&object, address, workspace), module, self.generation());
        self.rules.table.put(address, rule);
        rule
    }
}

/// Adds the row of the program itself, which the loader does not name.
fn add_program(rules: &Rules, segment: &Segment) {
    let Some(object) = rules.object(objects::auxiliary(AT_ENTRY)) else { return };
    let mut buffer = [0; LONGEST_PATH];
    // A program that was started by naming the loader first is not what the kernel thinks was started.
    let by_loader = objects::auxiliary(AT_BASE) == 0;
    let path = if by_loader { None } else { sys::read_link(c"/proc/self/exe", &mut buffer).ok() };
    let path = path.unwrap_or_else(|| {
        let name = objects::auxiliary(AT_EXECFN) as *const core::ffi::c_char;
        // SAFETY: the kernel, or the loader, put the name on the stack for as long as the program runs.
        if name.is_null() { b"" } else { unsafe { core::ffi::CStr::from_ptr(name) }.to_bytes() }
    });
    modules::number(segment, &object, path);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generation has few bits. A program that unloads libraries all the time comes by each again.
    #[test]
    fn a_rule_of_long_ago_is_no_rule() {
        let rules = Rules::new();
        rules.table.put(5, Packed::new(Rule::Signal, 3, 0));
        let known = || {
            let generation = rules.changes.load(Relaxed) / UNLOADED;
            rules.table.slots()?.get(5).filter(|rule| rule.is_of(generation))
        };
        assert!(known().is_some());

        for _ in 0..GENERATIONS {
            rules.unloaded();
            assert_eq!(known(), None);
        }
    }
}
