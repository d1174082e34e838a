use residue_model::{Gap, Heap, Recognised};

use crate::Image;

/// Who finds the heaps of one allocator in a target and parts them into blocks.
///
/// A walker tells its allocator by the structure of its data, not by names, and believes nothing that it reads: on any
/// bytes it ends, without a panic and without memory beyond what the target holds. What it cannot explain it says, in
/// the identities and the damage of a [`Heap`] or in a [`Gap`].
pub trait HeapWalker {
    /// What it finds. Nothing at all when the target does not use its allocator.
    fn walk(&self, image: &Image<'_>) -> Walked;
}

/// What walkers found.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Heaps, with their blocks.
    pub heaps: Vec<Heap>,
    /// Allocators and runtimes that are there, walked or not.
    pub recognised: Vec<Recognised>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}

impl Walked {
    /// What two walkers found together.
    pub fn join(&mut self, other: Walked) {
        self.heaps.extend(other.heaps);
        self.recognised.extend(other.recognised);
        self.gaps.extend(other.gaps);
    }
}

/// Asks every walker that there is.
pub fn walk(image: &Image<'_>) -> Walked {
    let walkers: [&dyn HeapWalker; 4] = [
        &crate::glibc::Glibc,
        &crate::jemalloc::Jemalloc,
        &crate::mallocng::Mallocng,
        &crate::pymalloc::Pymalloc,
    ];
    let mut walked = Walked::default();
    for walker in walkers {
        walked.join(walker.walk(image));
    }
    crate::recognise::recognise(image, &mut walked);
    walked
}
