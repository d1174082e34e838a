//! Random blocks that point at each other at random, against the definitions written down as plainly as can be.

use std::collections::BTreeMap;

use proptest::prelude::*;
use residue_model::Bytes;

use super::image::{Image, PLAIN, Process};
use crate::reachability::LeakKind;

/// Blocks by size, and pointers from a block (or a variable) to a place in a block.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    sizes: Vec<u64>,
    variables: Vec<(usize, u64)>,
    pointers: Vec<(usize, usize, u64)>,
}

pub(super) fn graphs(most: usize) -> impl Strategy<Value = Graph> {
    (1..most).prop_flat_map(|count| {
        let sizes = prop::collection::vec((0_u64..6).prop_map(|step| 56 + 16 * step), count);
        let place = || prop_oneof![3 => Just(0), 1 => 1..60_u64];
        let variables = prop::collection::vec((0..count, place()), 0..4);
        let pointers = prop::collection::vec((0..count, 0..count, place()), 0..count * 2);
        (sizes, variables, pointers).prop_map(|(sizes, variables, pointers)| Graph {
            sizes,
            variables,
            // Each block has room for seven words.
            pointers: thinned(pointers),
        })
    })
}

fn thinned(pointers: Vec<(usize, usize, u64)>) -> Vec<(usize, usize, u64)> {
    let mut taken = BTreeMap::<usize, usize>::new();
    let has_room = |&(from, ..): &(usize, usize, u64)| {
        let taken = taken.entry(from).or_default();
        *taken += 1;
        *taken <= 7
    };
    pointers.into_iter().filter(has_room).collect()
}

impl Graph {
    pub(super) fn process(&self) -> Process {
        let name = |index: usize| format!("b{index:03}");
        let mut image = Image::new();
        for (index, &size) in self.sizes.iter().enumerate() {
            image = image.block(&name(index), size);
        }
        for &(to, offset) in &self.variables {
            image = image.variable_into(&name(to), offset);
        }
        for &(from, to, offset) in &self.pointers {
            image = image.points_into(&name(from), &name(to), offset);
        }
        image.build()
    }

    /// A pointer behind the end, which leads nowhere, left out.
    fn leads(&self, to: usize, offset: u64) -> bool {
        offset < self.sizes[to]
    }

    /// All blocks that some lead to, they counted.
    fn closure(&self, from: &[usize], starts_only: bool) -> Vec<bool> {
        let mut is_in = vec![false; self.sizes.len()];
        for &index in from {
            is_in[index] = true;
        }
        loop {
            let before = is_in.clone();
            for &(from, to, offset) in &self.pointers {
                if is_in[from] && self.leads(to, offset) && (offset == 0 || !starts_only) {
                    is_in[to] = true;
                }
            }
            if before == is_in {
                return is_in;
            }
        }
    }

    fn kinds(&self) -> Vec<LeakKind> {
        let count = self.sizes.len();
        let held = |starts_only: bool| {
            let wanted =
                move |&&(to, offset): &&(usize, u64)| self.leads(to, offset) && (offset == 0 || !starts_only);
            self.variables.iter().filter(wanted).map(|&(to, _)| to).collect::<Vec<_>>()
        };
        let reachable = self.closure(&held(true), true);
        let known = self.closure(&held(false), false);
        let reaches: Vec<_> = (0..count).map(|index| self.closure(&[index], false)).collect();
        let kind = |index: usize| match (reachable[index], known[index]) {
            (true, _) => LeakKind::Reachable,
            (_, true) => LeakKind::Possible,
            // Lost by itself: every lost block that leads to it is one that it leads to in turn.
            _ if (0..count).all(|other| known[other] || !reaches[other][index] || reaches[index][other]) => {
                LeakKind::Definite
            }
            _ => LeakKind::Indirect,
        };
        (0..count).map(kind).collect()
    }

    /// For each loss, by its first member: its members, and the bytes that no earlier loss leads to.
    fn losses(&self) -> Vec<(usize, u32, u64)> {
        let kinds = self.kinds();
        let reaches = |index: usize| self.closure(&[index], false);
        let is_lost = |index: usize| matches!(kinds[index], LeakKind::Definite | LeakKind::Indirect);
        let mut counted = vec![false; self.sizes.len()];
        let mut losses = Vec::new();
        for first in (0..self.sizes.len()).filter(|&index| kinds[index] == LeakKind::Definite) {
            let all = reaches(first);
            let members: Vec<_> =
                (0..self.sizes.len()).filter(|&other| all[other] && reaches(other)[first]).collect();
            if members[0] != first {
                continue;
            }
            let mut bytes = 0;
            for index in (0..self.sizes.len()).filter(|&index| all[index] && is_lost(index)) {
                if !std::mem::replace(&mut counted[index], true) {
                    bytes += self.sizes[index];
                }
            }
            losses.push((first, u32::try_from(members.len()).expect("few"), bytes));
        }
        losses
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn kinds_are_as_they_are_defined(graph in graphs(24)) {
        let process = graph.process();

        let found: Vec<_> = process.kinds(PLAIN).into_values().collect();

        prop_assert_eq!(found, graph.kinds());
    }

    /// Members of a ring, and what came with each loss: every lost byte once.
    #[test]
    fn losses_are_as_they_are_defined(graph in graphs(24)) {
        let process = graph.process();

        let lost = process.search(PLAIN).lost;

        let name = |index: usize| process.block(&format!("b{index:03}")).id;
        let found: Vec<_> = lost
            .losses
            .iter()
            .map(|loss| (loss.first, loss.members, loss.retained_bytes.0))
            .collect();
        let told: Vec<_> = graph.losses().into_iter().map(|(first, members, bytes)| (name(first), members, bytes)).collect();
        prop_assert_eq!(found, told);
        let sum: Bytes = lost.losses.iter().map(|loss| loss.retained_bytes).sum();
        let all: Bytes = lost.blocks.iter().map(|block| process.blocks.block(block.id).size()).sum();
        prop_assert_eq!(sum, all);
        process.assert_sums(PLAIN);
    }
}
