use std::ops::ControlFlow;

use residue_model::{Address, Range, Thread};

use super::image::{DATA, HEAP, Image, MAIN_STACK, Process};
use crate::reachability::{Chain, Holder, Reference, RootKind, chain_to_root, references};

fn pointing_at(process: &Process, target: Range) -> Vec<Reference> {
    process.with_scene(|scene| references(scene, &scene.roots(), target, &mut |_| ControlFlow::Continue(())))
}

/// The holders of each word of the chain to a block, the root first.
fn chain(process: &Process, to: &str) -> Option<Vec<String>> {
    let chain = process.with_scene(|scene| {
        chain_to_root(scene, &scene.roots(), process.block(to), &mut |_| ControlFlow::Continue(()))
    });
    match chain {
        Chain::Held(chain) => Some(process.named(&chain)),
        Chain::Lost => None,
        Chain::GivenUp => panic!("nobody gave up"),
    }
}

#[test]
fn every_word_that_points_into_a_block_is_told_with_its_holder() {
    let image = Image::new()
        .block("it", 40)
        .block("live", 56)
        .freed("freed", 24)
        .variable("it")
        .points_into("live", "it", 16)
        .points("freed", "it");
    let it = image.address("it");
    let process = image
        .word_at(MAIN_STACK + 0x800, it + 39)
        .word_at(DATA + 0x80, it + 40)
        .word_at(HEAP + 8, it)
        .thread(Thread { tid: 9, is_main: true, registers: vec![it], ..Thread::default() })
        .build();

    let found = pointing_at(&process, process.range("it"));

    let told: Vec<_> = found
        .iter()
        .map(|reference| {
            let holder = match &reference.holder {
                Holder::Block(block) => process.name(block.range.start),
                Holder::Root { kind, .. } => kind.key(),
                Holder::Dead => "dead",
            };
            (holder, reference.to.0 - it, reference.is_start, reference.holder.is_live())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("registers", 0, true, true),
            ("module", 0, true, true),
            ("live", 16, false, true),
            ("stack", 39, false, true),
            ("dead", 0, true, false),
            ("freed", 0, true, false),
        ]
    );
    assert_eq!(process.named(&found)[2..3], ["live"]);
    assert_eq!(found[1].at, Some(Address(DATA)));
}

#[test]
fn a_range_need_be_no_block() {
    let process = Image::new().word_at(DATA + 0x40, DATA + 0x108).word_at(DATA + 0x48, DATA + 0x110).build();
    let range = Range { start: Address(DATA + 0x100), end: Address(DATA + 0x110) };

    let found = pointing_at(&process, range);

    assert_eq!(
        found.iter().map(|found| (found.at, found.is_start)).collect::<Vec<_>>(),
        [(Some(Address(DATA + 0x40)), false)]
    );
}

#[test]
fn a_chain_leads_from_the_root_to_the_block() {
    let process = Image::new()
        .block("it", 24)
        .block("third", 24)
        .block("second", 24)
        .block("first", 24)
        .variable("first")
        .points("first", "second")
        .points("second", "third")
        .points("third", "it")
        .build();

    let chain = chain(&process, "it").expect("it is held");

    assert_eq!(chain, [&Address(DATA).to_string(), "first", "second", "third"]);
}

#[test]
fn of_two_chains_the_shorter_is_told() {
    let process = Image::new()
        .block("it", 24)
        .block("long0", 40)
        .block("long1", 40)
        .block("short", 40)
        .variable("long0")
        .points("long0", "long1")
        .points("long1", "it")
        .points("short", "it")
        .variable("short")
        .build();

    assert_eq!(chain(&process, "it"), Some(vec![Address(DATA + 8).to_string(), "short".into()]));
}

/// A ring must not be followed for ever, and what was freed is no way to a root.
#[test]
fn what_is_lost_has_no_chain() {
    let process = Image::new()
        .block("a", 24)
        .block("b", 24)
        .freed("freed", 24)
        .points("a", "b")
        .points("b", "a")
        .points("freed", "a")
        .variable("freed")
        .build();

    assert_eq!(chain(&process, "a"), None);
    assert_eq!(chain(&process, "b"), None);
}

#[test]
fn a_register_is_a_root() {
    let image = Image::new().block("it", 24).block("up", 24).points("up", "it");
    let up = image.address("up");
    let process = image.thread(Thread { tid: 4, registers: vec![up], ..Thread::default() }).build();

    assert_eq!(chain(&process, "it"), Some(vec!["register".into(), "up".into()]));
    let held = pointing_at(&process, process.range("up"));
    assert!(
        matches!(held[0].holder, Holder::Root { kind: RootKind::Registers, thread: Some(4), .. }),
        "{held:?}"
    );
}

#[test]
fn whoever_gives_up_has_no_chain() {
    let process = Image::new()
        .block("it", 24)
        .block("up", 24)
        .block("root", 24)
        .points("up", "it")
        .points("root", "up")
        .variable("root")
        .build();

    let chain = process.with_scene(|scene| {
        chain_to_root(scene, &scene.roots(), process.block("it"), &mut |_| ControlFlow::Break(()))
    });

    assert_eq!(chain, Chain::GivenUp);
}

/// A list is the longest of chains, and the usual one.
#[test]
fn a_chain_of_thousands_is_found() {
    const NODES: usize = 9000;
    let names: Vec<String> = (0..NODES).map(|node| format!("node {node}")).collect();
    let image = names.iter().fold(Image::new(), |image, name| image.block(name, 24));
    let image = names.windows(2).fold(image, |image, pair| image.points(&pair[0], &pair[1]));
    let process = image.variable(&names[0]).build();

    let chain = chain(&process, &names[NODES - 1]).expect("the list is held");

    assert_eq!((chain.len(), chain[1].as_str()), (NODES, "node 0"));
}
