/// Whether these bytes are instructions of x86, x86-64, ARM, narrow or wide, by how often their most common ones stand there.
pub(super) fn is_code(bytes: &[u8]) -> bool {
    let look = &bytes[..bytes.len().min(LOOK)];
    look.len() >= LEAST && (is_x86(look) || is_aarch64(look) || is_arm(look) || is_thumb(look))
}

const LOOK: usize = 8 << 10;
/// Fewer bytes than these tell nothing.
const LEAST: usize = 64;

/// Pairs that compilers emit most, with near calls and short jumps: a tenth of all code, a hundredth of anything else.
fn is_x86(bytes: &[u8]) -> bool {
    let (mut common, mut kinds) = (0, 0_u32);
    for window in bytes.windows(5).filter(|window| BEGINS[usize::from(window[0])]) {
        if let Some(kind) = instruction([window[0], window[1], window[2], window[3], window[4]]) {
            common += 1;
            kinds |= 1 << kind;
        }
    }
    // One pair over and over is a pattern, not a program.
    common * 100 >= bytes.len() * 7 && kinds.count_ones() >= 4
}

/// First bytes of the instructions below: most places are passed by with one look.
const BEGINS: [bool; 256] = {
    let first = [
        0x48, 0x4c, 0x49, 0x4d, 0xe8, 0xe9, 0x0f, 0x55, 0x8b, 0x89, 0x8d, 0xff, 0x83, 0x85, 0x84, 0x74, 0x75,
        0x31, 0x33, 0x5b, 0x5d, 0x5e, 0x5f, 0xc9, 0xc3, 0xf3,
    ];
    let (mut begins, mut at) = ([false; 256], 0);
    while at < first.len() {
        begins[first[at]] = true;
        at += 1;
    }
    begins
};

/// The kind of a common instruction that begins here.
fn instruction(bytes: [u8; 5]) -> Option<u8> {
    let is_near = |high: u8| high == 0 || high == 0xff;
    Some(match bytes {
        // Wide moves, address computations, comparisons: 48 8b …
        [0x48 | 0x4c | 0x49 | 0x4d, 0x89 | 0x8b | 0x8d | 0xc7, ..] => 0,
        [0x48 | 0x4c | 0x49 | 0x4d, 0x83 | 0x85 | 0x39 | 0x3b | 0x01 | 0x29 | 0x63, ..] => 1,
        // call, jmp near: 32 bits of distance, of which the highest are all alike.
        [0xe8, _, _, _, high] if is_near(high) => 2,
        [0xe9, _, _, _, high] if is_near(high) => 3,
        // jcc near
        [0x0f, 0x80..=0x8f, _, _, high] if is_near(high) => 4,
        // Extending moves, long nops, scalar SSE.
        [0x0f, 0xb6 | 0xb7 | 0xbe | 0xbf, ..] | [0x0f, 0x1f, 0x40 | 0x44 | 0x80 | 0x84 | 0, ..] => 5,
        // push ebp; mov ebp, esp, in both forms of the move
        [0x55, 0x8b, 0xec, ..] | [0x55, 0x89, 0xe5, ..] | [0x55, 0x48, 0x89, 0xe5, _] => 6,
        // Arguments and locals of a frame: [ebp ± n], [esp + n]
        [0x8b | 0x89, 0x45 | 0x4d | 0x55 | 0x5d | 0x75 | 0x7d, ..]
        | [0x8b | 0x89 | 0x8d, 0x44 | 0x4c | 0x54 | 0x5c, 0x24, ..] => 7,
        [0xff, 0x15 | 0x25 | 0x75 | 0xd0 | 0x50, ..] => 8,
        [0x83, 0xc4 | 0xec | 0xf8 | 0xfa | 0xfb | 0xff | 0x7d | 0x3d, ..] => 9,
        // test r, r, and the jump that follows it
        [0x85 | 0x84, 0xc0 | 0xc9 | 0xd2 | 0xdb | 0xf6 | 0xff, ..] => 10,
        [0x74 | 0x75, 1..=0x7f, ..] => 11,
        [0x31 | 0x33, 0xc0 | 0xc9 | 0xd2 | 0xdb | 0xf6 | 0xff | 0xed, ..] => 12,
        // ret with what stands before and behind it
        [0x5b | 0x5d | 0x5e | 0x5f | 0xc9, 0xc3 | 0xc2, ..] | [0xc3, 0xcc | 0x0f | 0x66 | 0x90, ..] => 13,
        [0xf3, 0x0f, 0x1e, 0xfa | 0xfb, _] => 14,
        _ => return None,
    })
}

/// A quarter of the upper bytes of random words are those of common instructions; of code nearly all.
fn is_aarch64(bytes: &[u8]) -> bool {
    let (mut common, mut words, mut kinds) = (0, 0, [false; 256]);
    for word in bytes.chunks_exact(4) {
        let upper = word[3];
        if word != [0; 4] {
            words += 1;
            common += usize::from(is_aarch64_instruction(upper));
            kinds[usize::from(upper)] = true;
        }
    }
    // Calls, moves, loads and stores are in every function.
    let is_typical = |word: &&[u8]| matches!(word[3], 0xf9 | 0xa9 | 0x94 | 0x97 | 0xd6 | 0xaa | 0xb9 | 0x91);
    let typical = bytes.chunks_exact(4).filter(is_typical).count();
    let kinds = kinds.into_iter().filter(|seen| *seen).count();
    words >= LEAST / 4 && common * 100 >= words * 88 && typical * 10 >= words && kinds >= 6
}

fn is_aarch64_instruction(upper: u8) -> bool {
    matches!(
        upper,
        0x0a | 0x0b | 0x11 | 0x12 | 0x14 | 0x17 | 0x1a | 0x1e | 0x28..=0x2b | 0x34..=0x39 | 0x3d | 0x4b | 0x51..=0x54
            | 0x6b | 0x71 | 0x72 | 0x78 | 0x79 | 0x8a | 0x8b | 0x90..=0x94 | 0x97 | 0x9a | 0x9b | 0xa8..=0xaa | 0xb0
            | 0xb4..=0xb9 | 0xcb | 0xd0..=0xd6 | 0xeb | 0xf0..=0xf2 | 0xf8 | 0xf9
    )
}

/// Of classic ARM, nearly every instruction is unconditional: its upper four bits are 14.
fn is_arm(bytes: &[u8]) -> bool {
    let words = bytes.chunks_exact(4);
    let all = words.len();
    let always = words.clone().filter(|word| word[3] >> 4 == 0xe).count();
    // Loads and stores, moves, constants.
    let are_there =
        [0xe5, 0xe1, 0xe3].map(|upper| words.clone().filter(|word| word[3] == upper).count() * 40 >= all);
    always * 100 >= all * 55 && are_there == [true; 3]
}

/// Of Thumb, two bytes an instruction, half of the upper bytes are among a fifth of all values; calls and the pushes and
/// pops of functions' frames are there, too.
fn is_thumb(bytes: &[u8]) -> bool {
    let halves = bytes.len() / 2;
    let common = bytes.chunks_exact(2).filter(|half| is_thumb_instruction(half[1])).count();
    let frames = bytes
        .chunks_exact(2)
        .zip(bytes[2..].chunks_exact(2))
        .filter(|(half, next)| is_frame(half, next))
        .count();
    common * 100 >= halves * 45 && frames * 60 >= halves
}

/// push and pop with lr and pc, bx lr, bl
fn is_frame(half: &[u8], next: &[u8]) -> bool {
    let is_call = half[1] & 0xf8 == 0xf0 && next[1] & 0xd0 == 0xd0;
    is_call || matches!(half, [_, 0xb5 | 0xbd] | [0x70, 0x47] | [0x2d, 0xe9] | [0xbd, 0xe8])
}

fn is_thumb_instruction(upper: u8) -> bool {
    matches!(
        upper,
        0x18 | 0x1a | 0x1c | 0x20..=0x23 | 0x28..=0x2b | 0x30 | 0x33 | 0x3b | 0x42 | 0x44..=0x47 | 0x49..=0x4b | 0x58 | 0x60
            | 0x61 | 0x68 | 0x69 | 0x93 | 0x98..=0x9b | 0xb0 | 0xb1 | 0xb5 | 0xb9 | 0xbd | 0xbf | 0xd0 | 0xd1 | 0xe0 | 0xe7
            | 0xe8 | 0xe9 | 0xeb | 0xf0..=0xf2 | 0xf4 | 0xf5 | 0xf7 | 0xf8
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::labelled::compiled::{AARCH64, ARM, THUMB, X86, X86_64, bytes};
    use crate::content::tally::tests::noise;

    #[test]
    fn what_compilers_make_is_code_on_every_machine() {
        for (name, digits) in
            [("x86-64", X86_64), ("x86", X86), ("aarch64", AARCH64), ("arm", ARM), ("thumb", THUMB)]
        {
            let code = bytes(digits);
            assert!(is_code(&code), "{name}");
            assert!(is_code(&code[..256]), "{name}, half of it");
        }
    }

    #[test]
    fn other_bytes_are_no_code() {
        assert!((1..300).all(|seed| !is_code(&noise(1024, seed))));
        let pairs = [0x48, 0x8b].repeat(500);
        assert!(!is_code(&pairs), "one pair over and over");
        let table: Vec<u8> =
            (0..1000_u32).flat_map(|index| (0xe000_0000 + index * 0x9e37).to_le_bytes()).collect();
        assert!(!is_code(&table), "a table of distances");
    }
}
