//! Walks that lead nowhere. Alone in a process: where they lead, memory of other tests could come and go.

mod stacks;

use std::ffi::{c_int, c_long};
use std::sync::atomic::Ordering::Relaxed;

use residue_preload::unwind::{Registers, Rules};
use stacks::{call_with_registers, segment, thread};

const ADDRESS: u64 = (1 << 48) - 1;

/// Programs put anything into registers, and compilers' rules are sometimes wrong.
#[test]
fn no_registers_harm_the_program() {
    let (segment, rules, thread) = (segment(), Rules::new(), thread());
    rules.start(&segment);
    let heap: Vec<u64> = (0..10_000).map(|number| number * 0x1234_5678_9abc).collect();
    let pages = unsafe { mmap(std::ptr::null_mut(), 8 * 4096, 3, 0x22, -1, 0) };
    assert_ne!(pages as isize, -1);
    unsafe { assert_eq!(mprotect(pages.add(4 * 4096), 4096, 0), 0) };
    let code = no_registers_harm_the_program as *const () as u64;
    let libc_code = std::process::abort as *const () as u64;
    let mut random = 1_u64;
    let mut pick = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 16) % below
    };

    call_with_registers(&mut |registers| {
        for _ in 0..50_000 {
            let mut place = || match pick(5) {
                0 => registers.sp + pick(300) * 8,
                1 => heap.as_ptr() as u64 + pick(10_000) * 8,
                2 => pages as u64 + pick(8 * 4096),
                3 => pages as u64 + 4 * 4096 - pick(20) * 8,
                _ => pick(u64::MAX),
            };
            let (sp, bp) = (place(), place());
            let pc = [registers.pc, code, libc_code][pick(3) as usize] + pick(3000);
            let captured = unsafe { thread.capture(Registers { pc, sp, bp }, &segment, &rules) };
            assert_eq!(segment.nodes()[captured.stack as usize].code.load(Relaxed) & ADDRESS, pc);
        }
        assert!(!unsafe { thread.capture(registers, &segment, &rules) }.is_cut);
    });
}

unsafe extern "C" {
    fn mmap(
        at: *mut u8,
        size: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut u8;
    fn mprotect(at: *mut u8, size: usize, protection: c_int) -> c_int;
}
