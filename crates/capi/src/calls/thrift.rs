//! Calls that are made thousands of times a second allocate nothing: counted, not believed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::process::{Child, Command};
use std::ptr;

use crate::border::status::residue_status;
use crate::calls::delta::residue_sample_delta;
use crate::calls::open::{residue_close, residue_open, residue_open_self};
use crate::calls::ranges::{residue_free_regions, residue_largest_free};
use crate::calls::regions::{residue_regions, residue_regions_visit};
use crate::calls::sample::{residue_sample, residue_sample_and_free};
use crate::calls::verdict::{residue_verdict_close, residue_verdict_feed, residue_verdict_open};
use crate::handle::process::residue_process;
use crate::shape::delta::residue_delta;
use crate::shape::range::residue_range;
use crate::shape::region::residue_region;
use crate::shape::sample::residue_sample;

/// Counts what this thread asks for: other tests allocate beside it.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

fn size<T>() -> u32 {
    size_of::<T>().try_into().expect("a small struct")
}

/// How often a thousand calls allocate.
fn allocations(mut call: impl FnMut() -> residue_status) -> u64 {
    let before = ASKED.get();
    for _ in 0..1000 {
        assert_eq!(call(), residue_status::RESIDUE_OK);
    }
    ASKED.get() - before
}

struct Asleep(Child);

impl Drop for Asleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

unsafe extern "C" fn count(_: *const residue_region, user: *mut c_void) -> c_int {
    // SAFETY: it is handed the number below.
    unsafe { *user.cast::<u64>() += 1 };
    0
}

/// Every hot call on a handle, a thousand times each.
fn hot(process: *mut residue_process) -> [(&'static str, u64); 6] {
    let mut sample = residue_sample { size: size::<residue_sample>(), ..residue_sample::default() };
    let mut delta = residue_delta { size: size::<residue_delta>(), ..residue_delta::default() };
    let mut ranges = [residue_range::default(); 10];
    let mut regions: Vec<residue_region> = Vec::with_capacity(10_000);
    let (mut count_out, mut visited) = (0_usize, 0_u64);
    // SAFETY: the handle is open, and every pointer is to a local of the size that is told.
    unsafe {
        [
            ("sample", allocations(|| residue_sample(process, &raw mut sample))),
            ("sample_delta", allocations(|| residue_sample_delta(process, &raw mut delta))),
            (
                "sample_and_free",
                allocations(|| {
                    let buffer = ranges.as_mut_ptr();
                    residue_sample_and_free(process, &raw mut sample, buffer, 10, &raw mut count_out)
                }),
            ),
            (
                "free_regions and largest_free",
                allocations(|| {
                    let mut largest = residue_range::default();
                    assert_eq!(residue_largest_free(process, &raw mut largest), residue_status::RESIDUE_OK);
                    residue_free_regions(process, ranges.as_mut_ptr(), 10, &raw mut count_out)
                }),
            ),
            (
                "regions",
                allocations(|| residue_regions(process, regions.as_mut_ptr(), 10_000, &raw mut count_out)),
            ),
            (
                "regions_visit",
                allocations(|| residue_regions_visit(process, Some(count), (&raw mut visited).cast())),
            ),
        ]
    }
}

#[test]
fn hot_calls_on_the_own_process_allocate_nothing() {
    let mut process = ptr::null_mut();
    // SAFETY: null options are allowed, and the handle is written to a local.
    assert_eq!(unsafe { residue_open_self(ptr::null(), &raw mut process) }, residue_status::RESIDUE_OK);
    for (call, allocations) in hot(process) {
        assert_eq!(allocations, 0, "{call}");
    }
    // SAFETY: it is open, and used no more.
    unsafe { residue_close(process) };
}

#[test]
fn hot_calls_on_another_process_allocate_nothing() {
    let other = Asleep(Command::new("sleep").arg("60").spawn().expect("every Linux has sleep"));
    let mut process = ptr::null_mut();
    // SAFETY: as above.
    let status = unsafe { residue_open(other.0.id(), ptr::null(), &raw mut process) };
    assert_eq!(status, residue_status::RESIDUE_OK);
    for (call, allocations) in hot(process) {
        assert_eq!(allocations, 0, "{call}");
    }
    // SAFETY: as above.
    unsafe { residue_close(process) };
}

#[test]
fn feeding_a_verdict_allocates_nothing() {
    let mut verdict = ptr::null_mut();
    // SAFETY: the handle is written to a local.
    assert_eq!(unsafe { residue_verdict_open(&raw mut verdict) }, residue_status::RESIDUE_OK);
    let mut seconds = 0.0;
    let allocations = allocations(|| {
        seconds += 1.0;
        // SAFETY: it is open.
        unsafe { residue_verdict_feed(verdict, seconds, 1 << 20) }
    });
    assert_eq!(allocations, 0);
    // SAFETY: it is open, and used no more.
    unsafe { residue_verdict_close(verdict) };
}

/// A counter that counts nothing would prove nothing.
#[test]
fn the_counter_counts() {
    let before = ASKED.get();
    drop(Box::new(7_u64));
    assert_eq!(ASKED.get() - before, 1);
}
