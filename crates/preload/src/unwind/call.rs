//! The call that a return address stands behind.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: CALL, and the forms of its operands.

use crate::sys;

const PAGE: u64 = 4096;
/// No call is longer, but for prefixes.
const LONGEST: u64 = 7;

/// Whom a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// The code at an address that stands in the instruction.
    Told(u64),
    /// What a register, or memory, held.
    Held,
}

/// The call whose last byte stands here.
///
/// # Safety
/// All from `start` to `last`, which is not before it, can be read.
pub(super) unsafe fn ending_at(start: u64, last: u64) -> Option<Callee> {
    let start = start.max(last.saturating_sub(LONGEST - 1));
    // SAFETY: as promised.
    let code = unsafe { core::slice::from_raw_parts(start as *const u8, (last - start + 1) as usize) };
    ending(code).map(|callee| match callee {
        Callee::Told(distance) => Callee::Told(last.wrapping_add(1).wrapping_add(distance)),
        Callee::Held => Callee::Held,
    })
}

/// From where on the code up to this byte can be read, as far as a call needs.
pub(super) fn first_readable(last: u64) -> Option<u64> {
    let (page, first) = (last / PAGE * PAGE, last.saturating_sub(LONGEST - 1));
    if page == 0 || !sys::is_readable(last) {
        return None;
    }
    Some(if first >= page || sys::is_readable(first) { first } else { page })
}

/// The call at the end of some code; what it tells is the distance from its end.
fn ending(code: &[u8]) -> Option<Callee> {
    if let [.., 0xe8, a, b, c, d] = *code {
        return Some(Callee::Told(i64::from(i32::from_le_bytes([a, b, c, d])) as u64));
    }
    let is_call = |length: &usize| {
        let Some(at) = code.len().checked_sub(*length) else { return false };
        code[at] == 0xff && code[at + 1] >> 3 & 7 == 2 && held_length(&code[at + 1..]) == *length
    };
    (2..=code.len()).find(is_call).map(|_| Callee::Held)
}

/// The length of a call with this operand.
fn held_length(operand: &[u8]) -> usize {
    let (mode, base) = (operand[0] >> 6, operand[0] & 7);
    let has_index = mode != 3 && base == 4;
    let base = if has_index { operand.get(1).map_or(0, |index| index & 7) } else { base };
    let distance = match mode {
        0 if base == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    2 + usize::from(has_index) + distance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_what_is_none() {
        let held: [&[u8]; 12] = [
            &[0xff, 0xd0],                               // call rax
            &[0x41, 0xff, 0xd3],                         // call r11
            &[0xff, 0x13],                               // call [rbx]
            &[0xff, 0x14, 0x24],                         // call [rsp]
            &[0xff, 0x50, 0x18],                         // call [rax + 0x18]
            &[0xff, 0x54, 0x24, 0x08],                   // call [rsp + 8]
            &[0x42, 0xff, 0x14, 0xc0],                   // call [rax + r8 * 8]
            &[0xff, 0x15, 1, 2, 3, 0],                   // call [rip + 0x30201]
            &[0xff, 0x90, 0, 1, 0, 0],                   // call [rax + 0x100]
            &[0xff, 0x94, 0x24, 0, 1, 0, 0],             // call [rsp + 0x100]
            &[0xff, 0x14, 0x25, 0, 1, 0, 0],             // call [0x100]
            &[0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0], // behind others
        ];
        for code in held {
            assert_eq!(ending(code), Some(Callee::Held), "{code:x?}");
        }
        let others: [&[u8]; 8] = [
            &[],
            &[0xff],
            &[0xd0],
            &[0x90; 7],
            &[0xff, 0xe0],          // jmp rax
            &[0xff, 0x50],          // too short
            &[0xff, 0x15, 1, 2, 3], // too short
            &[0xff, 0xd0, 0x90],    // longer than it is
        ];
        for code in others {
            assert_eq!(ending(code), None, "{code:x?}");
        }
    }

    #[test]
    fn a_call_tells_where_it_goes() {
        let code = [0x90_u8, 0x90, 0x90, 0xe8, 0xf6, 0xff, 0xff, 0xff];
        let start = code.as_ptr() as u64;
        // SAFETY: it is all there.
        let callee = unsafe { ending_at(start, start + 7) };
        assert_eq!(callee, Some(Callee::Told(start + 8 - 10)));
        // SAFETY: as above.
        assert_eq!(unsafe { ending_at(start + 4, start + 7) }, None, "it begins before");
    }

    #[test]
    fn code_is_only_read_where_there_is_some() {
        let here = code_is_only_read_where_there_is_some as *const () as u64;
        assert_eq!(first_readable(here + 10), Some(here + 4));
        for address in [0, 5, PAGE, 1 << 47, u64::MAX] {
            assert_eq!(first_readable(address), None, "{address:x}");
        }
    }
}
