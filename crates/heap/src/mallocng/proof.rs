//! What mallocng says twice, and what a thread that stands still in the middle of it leaves apart.
//!
//! A lock lets one thread at a time make a group or give one back. Where it was stopped there, few groups are seen from
//! one side only: counted and not yet filled, or emptied and still counted. None of them holds a block of the program.

use residue_model::{Damage, Gap, Identity};

use super::areas::Areas;
use super::context::Context;
use super::groups::Tally;
use super::meta::CLASSES;

/// A group can need one for itself to stand in, and that one too: so many are on their way at most.
const DEPTH: u64 = 3;
/// No group has more slots.
const SLOTS: u64 = 32;

/// Which counts agree.
#[derive(Debug)]
pub(super) struct Proof {
    /// The counts.
    pub(super) identities: Vec<Identity>,
    /// What no passing thread explains.
    pub(super) damage: Vec<Damage>,
    /// That a thread was inside.
    pub(super) gap: Option<Gap>,
}

impl Proof {
    /// Compares what was counted, of groups with slots and of blocks mapped alone, with what the context says.
    pub(super) fn of(context: &Context, areas: &Areas, mut shared: Tally, alone: Tally) -> Proof {
        shared.damage.extend(alone.damage);
        shared.passing.extend(alone.passing);
        let proof = Proof { identities: identities(context, areas, &shared), damage: Vec::new(), gap: None };
        let is_explained = shared.damage.is_empty() && areas.gaps.is_empty() && proof.is_close(&shared);
        if is_explained { proof.settled() } else { proof.kept(shared) }
    }

    /// Whether one thread inside explains all that is apart.
    fn is_close(&self, tally: &Tally) -> bool {
        let apart = || self.identities.iter().filter(|identity| identity.unexplained() > 0);
        tally.passing.len() as u64 <= DEPTH + 1
            && apart().count() as u64 <= DEPTH + 2
            && apart().all(|identity| identity.unexplained() <= DEPTH * SLOTS)
            && self.identities.first().is_none_or(|metas| metas.unexplained() <= DEPTH)
    }

    fn settled(mut self) -> Proof {
        if self.identities.iter().any(|identity| identity.unexplained() > 0) {
            self.gap = Some(Gap::new(
                "a group of musl that was being made or given back",
                "a thread was stopped in the middle of malloc or free; the program has no block of that group",
            ));
            self.identities.iter_mut().for_each(|identity| identity.walked = identity.stated);
        }
        self
    }

    fn kept(mut self, tally: Tally) -> Proof {
        self.damage = tally.damage;
        self.damage.extend(tally.passing);
        self
    }
}

/// The allocator's own count of slots in each class, and what else is said twice.
fn identities(context: &Context, areas: &Areas, tally: &Tally) -> Vec<Identity> {
    let classes = || (0..CLASSES).map(|class| (class, tally.slots[class], context.slots[class]));
    let total = |pick: fn((usize, u64, u64)) -> u64| classes().map(pick).fold(0, u64::saturating_add);
    let nested = "smaller groups, and the slots that hold them";
    let mut identities = vec![
        areas.identity(),
        identity(nested.to_owned(), tally.nested.1, tally.nested.0),
        identity("slots of all classes".to_owned(), total(|class| class.1), total(|class| class.2)),
    ];
    let apart = classes().filter(|(_, walked, stated)| walked != stated);
    identities.extend(
        apart.map(|(class, walked, stated)| identity(format!("slots of class {class}"), walked, stated)),
    );
    identities
}

fn identity(what: String, walked: u64, stated: u64) -> Identity {
    Identity { what, walked, stated }
}
