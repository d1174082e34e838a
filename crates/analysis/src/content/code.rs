/// Whether these bytes are instructions of x86, x86-64, ARM or AArch64, by how often their most common ones stand there.
pub(super) fn is_code(bytes: &[u8]) -> bool {
    let look = &bytes[..bytes.len().min(LOOK)];
    look.len() >= LEAST && (is_x86(look) || is_aarch64(look) || is_arm(look))
}

const LOOK: usize = 16 << 10;
/// Fewer bytes than these tell nothing.
const LEAST: usize = 64;

/// Pairs that compilers emit most, with near calls and short jumps: a tenth of all code, a hundredth of anything else.
fn is_x86(bytes: &[u8]) -> bool {
    let (mut common, mut kinds) = (0, 0_u32);
    for window in bytes.windows(5) {
        if let Some(kind) = instruction([window[0], window[1], window[2], window[3], window[4]]) {
            common += 1;
            kinds |= 1 << kind;
        }
    }
    // One pair over and over is a pattern, not a program.
    common * 100 >= bytes.len() * 7 && kinds.count_ones() >= 4
}

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
    // Calls, loads and stores of 64 bits are in every function.
    let typical =
        bytes.chunks_exact(4).filter(|word| matches!(word[3], 0xf9 | 0xa9 | 0x94 | 0x97 | 0xd6)).count();
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
    let typical = words.filter(|word| matches!(word[3], 0xe5 | 0xe1 | 0xe3 | 0xeb | 0xe2)).count();
    always * 100 >= all * 70 && typical * 2 >= all
}
