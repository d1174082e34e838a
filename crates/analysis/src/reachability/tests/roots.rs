//! What holds blocks from outside, what only seems to, and by what name it is told.

use residue_model::{Address, Bytes, Thread, Usage};

use super::image::{DATA, HEAP, Image, MAIN_STACK, OWN_MAPPING, PLAIN, Process};
use crate::reachability::LeakKind::{Definite, Indirect, Possible, Reachable};
use crate::reachability::{Amount, RootKind};

/// A process with one block, and a word somewhere that points at it.
fn pointed_at_from(at: u64) -> Image {
    let image = Image::new().block("it", 24);
    let to = image.address("it");
    image.word_at(at, to)
}

fn thread(tid: u32) -> Thread {
    Thread { tid, is_main: tid == 1, ..Thread::default() }
}

/// The one root that holds something.
#[track_caller]
fn holder(process: &Process) -> (RootKind, Option<String>, Option<u32>) {
    let found = process.search(PLAIN);
    let mut holders = found.holders.iter().filter(|(_, amount)| amount.blocks > 0);
    let (root, amount) = holders.next().expect("something is held");
    assert_eq!(*amount, Amount { blocks: 1, bytes: Bytes(24) });
    assert!(holders.next().is_none(), "{:?}", found.holders);
    (root.kind, root.name.as_deref().map(str::to_owned), root.thread)
}

#[test]
fn a_variable_holds_by_the_name_of_its_module() {
    let process = pointed_at_from(DATA).build();

    assert_eq!(holder(&process), (RootKind::Module, Some("/bin/shop".into()), None));
}

#[test]
fn a_stack_holds_by_its_thread() {
    let process = pointed_at_from(MAIN_STACK + 0x800).thread(thread(1)).build();

    assert_eq!(holder(&process), (RootKind::Stack, Some("[stack]".into()), Some(1)));
}

/// The stack of another thread is told by what stands in it: the thread's control block.
#[test]
fn memory_with_a_control_block_is_the_stack_of_that_thread() {
    let other = Thread { thread_pointer: Some(Address(OWN_MAPPING + 0x7000)), ..thread(2) };
    let process = pointed_at_from(OWN_MAPPING + 0x6000)
        .region(OWN_MAPPING, 0x8000, "rw-p", Usage::AnonymousTiny)
        .thread(other)
        .build();

    assert_eq!(holder(&process), (RootKind::Stack, None, Some(2)));
}

#[test]
fn a_mapping_and_shared_memory_hold() {
    let kind = |letters| {
        let mapping =
            pointed_at_from(OWN_MAPPING + 0x20).region(OWN_MAPPING, 0x1000, letters, Usage::AnonymousTiny);
        holder(&mapping.build()).0
    };

    assert_eq!((kind("rw-p"), kind("rw-s")), (RootKind::Mapping, RootKind::Shared));
}

/// What cannot be written holds nothing, but for what a loader or the program filled in and protected then.
#[test]
fn constants_hold_only_where_somebody_wrote_once() {
    let kind = |letters, usage| {
        let image = pointed_at_from(OWN_MAPPING).region(OWN_MAPPING, 0x1000, letters, usage);
        image.build().kind("it")
    };

    assert_eq!(kind("r--p", Usage::Rodata), Reachable);
    assert_eq!(kind("r--p", Usage::AnonymousTiny), Reachable);
    assert_eq!(kind("r--s", Usage::MappedFile), Definite);
}

#[test]
fn a_register_holds_what_it_points_at() {
    let held = |word: fn(u64) -> u64| {
        let image = Image::new().block("it", 40).block("child", 24).points("it", "child");
        let register = word(image.address("it"));
        image.thread(Thread { registers: vec![7, register], ..thread(5) }).build()
    };
    let process = held(|to| to);

    assert_eq!((process.kind("it"), process.kind("child")), (Reachable, Reachable));
    let holders = process.search(PLAIN).holders;
    let (root, amount) = holders.iter().find(|(_, amount)| amount.blocks > 0).expect("something is held");
    assert_eq!((root.kind, root.thread), (RootKind::Registers, Some(5)));
    assert_eq!(*amount, Amount { blocks: 2, bytes: Bytes(64) });
    assert_eq!(held(|to| to + 8).kind("it"), Possible);
    assert_eq!(held(|to| !to).kind("it"), Definite);
}

/// A coroutine's stack, or one for signals, is often a block whose start nobody keeps.
#[test]
fn a_block_in_which_a_thread_stands_is_held() {
    let image = Image::new().mapped("stack", 0x8000).block("child", 24);
    let (stack, child) = (image.address("stack"), image.address("child"));
    let process = image
        .word_at(stack + 0x5008, child)
        .thread(Thread { stack_pointer: Some(Address(stack + 0x5000)), ..thread(3) })
        .build();

    assert_eq!((process.kind("stack"), process.kind("child")), (Reachable, Reachable));
}

/// glibc keeps a pointer to the second entry of the table of a thread's modules.
#[test]
fn the_table_of_a_threads_modules_is_held_behind_its_start() {
    let dtv = |offset| {
        let image = Image::new().block("table", 72);
        let to = image.address("table") + offset;
        let control = Address(OWN_MAPPING + 0x100);
        let image =
            image.region(OWN_MAPPING, 0x1000, "rw-p", Usage::AnonymousTiny).word_at(control.0 + 8, to);
        image.thread(Thread { thread_pointer: Some(control), ..thread(2) }).build().kind("table")
    };

    assert_eq!(dtv(16), Reachable);
    assert_eq!(dtv(24), Possible, "another place in it is no table of modules");
}

/// From glibc 2.42 on, neighbouring stacks stand in one region, which goes by the name of one thread.
#[test]
fn so_is_that_of_the_second_thread_in_one_region() {
    let image = Image::new().block("first", 72).block("second", 72);
    let (first, second) = (image.address("first") + 16, image.address("second") + 16);
    let control = |place: u64| Address(OWN_MAPPING + place * 0x1000 + 0x100);
    let of = |tid, place| Thread { thread_pointer: Some(control(place)), ..thread(tid) };
    let process = image
        .region(OWN_MAPPING, 0x8000, "rw-p", Usage::AnonymousTiny)
        .word_at(control(3).0 + 8, first)
        .word_at(control(7).0 + 8, second)
        .thread(of(2, 3))
        .thread(of(3, 7))
        .build();

    assert_eq!((process.kind("first"), process.kind("second")), (Reachable, Reachable));
}

/// The loader's list begins somewhere in its block, and its second word tells where that starts.
#[test]
fn the_list_of_what_is_loaded_is_held_by_its_middle() {
    let held = |file: &str, offset: u64, says: u64| {
        let image = Image::new().block("list", 472).block("child", 24).points("list", "child");
        let start = image.address("list");
        let image =
            image.word_at(start + offset + 8, start + says).word_at(OWN_MAPPING + 0x40, start + offset);
        image.module(OWN_MAPPING, 0x1000, file).build().kind("list")
    };
    let loader = "/lib64/ld-linux-x86-64.so.2";

    assert_eq!(held(loader, 16, 0), Reachable);
    assert_eq!(held(loader, 48, 0), Reachable);
    assert_eq!(held(loader, 16, 8), Possible, "it does not say where it starts");
    assert_eq!(held(loader, 256, 0), Possible, "so far in is no edge of a cache line");
    assert_eq!(held("/usr/lib/libmine.so", 16, 0), Possible, "whose list that is nobody knows");
}

/// What the allocator keeps for itself points at every block: its caches and bins are no pointers of the program.
#[test]
fn words_of_an_allocator_hold_nothing() {
    let pointed = || pointed_at_from(DATA + 0x100);

    assert_eq!(pointed().claimed(DATA + 0xf8, DATA + 0x108).build().kind("it"), Definite);
    assert_eq!(pointed().claimed(DATA + 0x80, DATA + 0x100).build().kind("it"), Reachable, "it ends before");
    assert_eq!(
        pointed().claimed(DATA + 0x108, DATA + 0x180).build().kind("it"),
        Reachable,
        "it begins behind"
    );
}

/// A large claim may begin far in front of many small ones.
#[test]
fn a_claim_that_covers_many_others_still_counts() {
    let mut image = pointed_at_from(DATA + 0x8000).claimed(DATA - 0x1_0000, DATA + 0x1_0000);
    for number in 0..200 {
        image = image.claimed(DATA - 0x8000 + 16 * number, DATA - 0x8000 + 16 * number + 8);
    }

    assert_eq!(image.build().kind("it"), Definite);
}

/// After a claim that ends between two words, words are still taken whole, however far away.
#[test]
fn a_claim_that_ends_askew_hides_no_word_behind_it() {
    for far in [0x10, 0xfff8, 0x1_0000, 0x1_0008, 0x2_0000] {
        let process = pointed_at_from(DATA + far).claimed(DATA, DATA + 4).build();

        assert_eq!(process.kind("it"), Reachable, "{far:#x}");
    }
}

/// A table that is large enough for a mapping of its own looks like memory that the program mapped: were it a root, no
/// leaked table would ever lose what is in it.
#[test]
fn a_block_with_a_mapping_of_its_own_is_no_root() {
    let table = || Image::new().mapped("table", 400_000).block("child", 24).word("table", 8000, HEAP + 16);

    let lost = table().build();
    assert_eq!((lost.kind("table"), lost.kind("child")), (Definite, Indirect));
    let held = table().variable("table").build();
    assert_eq!((held.kind("table"), held.kind("child")), (Reachable, Reachable));
}

/// What several hold is told of one: sums of holders are the sum of what is reachable.
#[test]
fn what_two_roots_hold_counts_once() {
    let image = Image::new().block("it", 24).block("other", 40).variable("it").variable("it");
    let to = image.address("it");
    let process = image.word_at(MAIN_STACK + 0x800, to).thread(thread(1)).build();

    let found = process.search(PLAIN);

    assert_eq!(found.reachable, Amount { blocks: 1, bytes: Bytes(24) });
    assert_eq!(found.holders.iter().map(|(_, amount)| amount.blocks).sum::<u64>(), 1);
    assert_eq!(process.kind("other"), Definite);
}
