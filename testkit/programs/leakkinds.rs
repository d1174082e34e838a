//! What Rust loses and holds: boxes that were forgotten, rings of `Rc`, a static, a thread's own, a boxed trait object.
//!
//! Tells what `leakkinds.c` tells, of its own blocks. A trait object is two words: its table is in the owner.

use std::alloc::{Layout, alloc};
use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::mem;
use std::rc::Rc;
use std::sync::{Barrier, Mutex};
use std::thread;

unsafe extern "C" {
    fn malloc_usable_size(block: *const c_void) -> usize;
    fn gnu_get_libc_version() -> *const c_char;
    fn write(file: c_int, bytes: *const c_void, length: usize) -> isize;
}

#[derive(Clone, Copy)]
struct Told {
    name: &'static str,
    kind: &'static str,
    /// Inverted: it must not be what holds the block.
    address: usize,
    size: usize,
}

const NOBODY: Told = Told { name: "", kind: "", address: 0, size: 0 };

struct Book {
    told: [Told; 32],
    count: usize,
}

static BOOK: Mutex<Book> = Mutex::new(Book { told: [NOBODY; 32], count: 0 });

#[inline(never)]
fn note<T: ?Sized>(name: &'static str, kind: &'static str, block: *const T) {
    let block: *const c_void = black_box(block.cast());
    // SAFETY: `block` is what the C library's malloc gave, and is not freed.
    let size = unsafe { malloc_usable_size(block) };
    let mut book = BOOK.lock().expect("nobody panics with it");
    let place = book.count;
    book.told[place] = Told { name, kind, address: !block.addr(), size };
    book.count += 1;
}

struct Node {
    next: Option<Box<Node>>,
    text: String,
    values: [u64; 3],
}

fn node(text: usize) -> Box<Node> {
    Box::new(Node { next: None, text: "n".repeat(text), values: [0x6b6b; 3] })
}

#[inline(never)]
fn lose_boxes() {
    let mut head = node(88);
    head.next = Some(node(104));
    note("boxed", "definite", &raw const *head);
    note("boxed_text", "indirect", head.text.as_ptr());
    let next = head.next.as_ref().expect("just set");
    note("boxed_next", "indirect", &raw const **next);
    note("boxed_next_text", "indirect", next.text.as_ptr());
    black_box(head.values);
    mem::forget(head);

    let lost: Vec<u64> = vec![0x6b6b; 15];
    note("vec", "definite", lost.as_ptr());
    mem::forget(lost);
}

struct Peer {
    other: RefCell<Option<Rc<Peer>>>,
    values: [u64; 13],
}

/// The count stands before the value: the pointer of an `Rc` is to the block, that of its value to the middle.
const COUNTS: usize = 16;

fn block_of(peer: &Rc<Peer>) -> *const u8 {
    Rc::as_ptr(peer).cast::<u8>().wrapping_sub(COUNTS)
}

#[inline(never)]
fn lose_a_ring() {
    let peer = || Rc::new(Peer { other: RefCell::new(None), values: [0x6b6b; 13] });
    let (one, other) = (peer(), peer());
    *one.other.borrow_mut() = Some(Rc::clone(&other));
    *other.other.borrow_mut() = Some(Rc::clone(&one));
    black_box((one.values, other.values));
    let kind = |leads: bool| if leads { "definite" } else { "indirect" };
    note("ring_rc_0", kind(block_of(&one) < block_of(&other)), block_of(&one));
    note("ring_rc_1", kind(block_of(&other) < block_of(&one)), block_of(&other));
}

trait Speaks {
    fn speak(&self) -> u64;
}

struct Dog([u64; 21]);

impl Speaks for Dog {
    fn speak(&self) -> u64 {
        self.0[0]
    }
}

static HELD: Mutex<Option<Vec<Box<dyn Speaks + Send>>>> = Mutex::new(None);
static QUEUE: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());

thread_local! {
    static OWN: OnceCell<Box<[u64; 25]>> = const { OnceCell::new() };
}

#[inline(never)]
fn hold() {
    let dog = Box::new(Dog([0x6b6b; 21]));
    note("trait_object", "reachable", &raw const *dog);
    let mut all: Vec<Box<dyn Speaks + Send>> = Vec::with_capacity(1);
    all.push(dog);
    black_box(all[0].speak());
    *HELD.lock().expect("nobody panics with it") = Some(all);

    let mut queue = VecDeque::with_capacity(23);
    queue.push_back(0x6b6b);
    note("queue", "reachable", queue.as_slices().0.as_ptr());
    *QUEUE.lock().expect("nobody panics with it") = queue;
}

static STANDING: Barrier = Barrier::new(2);

#[inline(never)]
fn hold_in_thread() {
    OWN.with(|own| {
        let block = own.get_or_init(|| Box::new([0x6b6b; 25]));
        note("thread_local", "reachable", &raw const **block);
    });
}

/// In a thread that does not end: what the main thread has of its own goes before a search at the end.
fn start_thread() {
    thread::spawn(|| {
        hold_in_thread();
        scrub();
        STANDING.wait();
        loop {
            thread::park();
        }
    });
    STANDING.wait();
}

static MIDDLE: Mutex<usize> = Mutex::new(0);

#[inline(never)]
fn hold_by_the_middle() {
    let layout = Layout::array::<u64>(27).expect("it is small");
    // SAFETY: the layout is not empty; the block is filled before anything reads it.
    let block = unsafe {
        let block = alloc(layout);
        block.write_bytes(0x6b, layout.size());
        block
    };
    note("interior", "possible", block);
    *MIDDLE.lock().expect("nobody panics with it") = block.wrapping_add(64).expose_provenance();
}

#[inline(never)]
fn facts() -> String {
    // Large enough from the start: what it outgrew would be told nowhere.
    let mut line = String::with_capacity(8192);
    let book = BOOK.lock().expect("nobody panics with it");
    write!(line, "ready blocks={}", book.count).expect("a string takes all");
    for Told { name, kind, address, size } in &book.told[..book.count] {
        let address = !address;
        write!(line, " {name}={address:#x} {name}_bytes={size} {name}_kind={kind}")
            .expect("a string takes all");
    }
    // SAFETY: the C library gives a text of its own, with an end.
    let version = unsafe { std::ffi::CStr::from_ptr(gnu_get_libc_version()) };
    writeln!(line, " libc={}", version.to_str().expect("digits")).expect("a string takes all");
    line
}

/// Wipes the stack below the caller.
#[inline(never)]
fn scrub() {
    black_box(&mut [0_u8; 256 << 10]);
}

fn main() {
    lose_boxes();
    lose_a_ring();
    hold();
    start_thread();
    hold_by_the_middle();
    let line = facts();
    scrub();
    // SAFETY: the line is as long as it says.
    let written = unsafe { write(1, line.as_ptr().cast(), line.len()) };
    assert_eq!(usize::try_from(written), Ok(line.len()));
    let mut byte = [0];
    while std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
    std::io::stdout().flush().expect("nothing is left to be written");
    std::process::exit(0);
}
