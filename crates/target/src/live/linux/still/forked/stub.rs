//! What the thread that forks executes.
//!
//! It touches no memory but its own, neither a stack nor a floating-point register, and ends where the thread was before,
//! so that all goes well too when Residue is killed at any instruction of it:
//!
//! - The thread begins a helper by `vfork` (sharing memory) and waits for it, so that no zombie is left. The helper begins
//!   the child, which has memory of its own, and ends. So the child belongs to `init`, not to the program.
//! - Both share the table of open files instead of copying it: a socket that the program closes must be closed.
//! - The child ends at once unless somebody holds it.
//! - The thread sets its signal mask and its registers as they were and goes on. While Residue lives, it does not come to
//!   that: Residue stops it behind the mask and sets the registers itself, with all that the kernel knows of the system
//!   call in which the thread was stopped.

#![allow(unsafe_code)]

/// The registers of a thread, as `struct user_regs_struct` has them.
pub(super) type Registers = [u64; 27];

pub(super) const RAX: usize = 10;
pub(super) const ORIG_RAX: usize = 15;
pub(super) const RIP: usize = 16;
pub(super) const CS: usize = 17;
const EFLAGS: usize = 18;

// SAFETY: only bytes in a section of constants; in this program nothing ever executes them.
core::arch::global_asm!(
    ".pushsection .rodata.residue_still_stub, \"a\", @progbits",
    ".balign 16",
    "residue_still_stub:",
    // clone(CLONE_VM | CLONE_FILES | CLONE_VFORK), without a signal at its end.
    "mov eax, 56",
    "mov edi, 0x4500",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "js 2f",
    "jz 3f",
    "mov ebx, eax",
    // wait4(helper, NULL, __WALL, NULL), until no signal gets in between.
    "4:",
    "mov eax, 61",
    "mov edi, ebx",
    "xor esi, esi",
    "mov edx, 0x40000000",
    "xor r10d, r10d",
    "syscall",
    "cmp rax, -4",
    "je 4b",
    // rt_sigprocmask(SIG_SETMASK, &mask, NULL, 8).
    "2:",
    "mov eax, 14",
    "mov edi, 2",
    "lea rsi, [rip + residue_still_mask]",
    "xor edx, edx",
    "mov r10d, 8",
    "syscall",
    "residue_still_unmasked:",
    // Below what the thread may use without moving its stack pointer, as a signal handler would.
    "lea rsp, [rsp - 128]",
    "push qword ptr [rip + residue_still_registers + 18*8]",
    "popfq",
    "lea rsp, [rsp + 128]",
    "mov r15, [rip + residue_still_registers]",
    "mov r14, [rip + residue_still_registers + 1*8]",
    "mov r13, [rip + residue_still_registers + 2*8]",
    "mov r12, [rip + residue_still_registers + 3*8]",
    "mov rbp, [rip + residue_still_registers + 4*8]",
    "mov rbx, [rip + residue_still_registers + 5*8]",
    "mov r11, [rip + residue_still_registers + 6*8]",
    "mov r10, [rip + residue_still_registers + 7*8]",
    "mov r9, [rip + residue_still_registers + 8*8]",
    "mov r8, [rip + residue_still_registers + 9*8]",
    "mov rax, [rip + residue_still_registers + 10*8]",
    "mov rcx, [rip + residue_still_registers + 11*8]",
    "mov rdx, [rip + residue_still_registers + 12*8]",
    "mov rsi, [rip + residue_still_registers + 13*8]",
    "mov rdi, [rip + residue_still_registers + 14*8]",
    "jmp qword ptr [rip + residue_still_registers + 16*8]",
    // The helper: clone(CLONE_FILES), then exit(0).
    "3:",
    "mov eax, 56",
    "mov edi, 0x400",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 5f",
    "mov eax, 60",
    "xor edi, edi",
    "syscall",
    // The child: exit_group(0).
    "5:",
    "mov eax, 231",
    "xor edi, edi",
    "syscall",
    ".balign 8",
    "residue_still_mask:",
    ".quad 0",
    "residue_still_registers:",
    ".fill 19, 8, 0",
    "residue_still_end:",
    ".popsection",
);

// SAFETY: the four names stand in the text above, in this order, in one section.
unsafe extern "C" {
    #[link_name = "residue_still_stub"]
    static STUB: u8;
    #[link_name = "residue_still_unmasked"]
    static UNMASKED: u8;
    #[link_name = "residue_still_mask"]
    static MASK: u8;
    #[link_name = "residue_still_end"]
    static END: u8;
}

/// The number of the system call that comes right before the registers are set.
pub(super) const LAST_CALL: u64 = 14;

/// The instructions, and behind them room for a mask and the registers.
fn whole() -> &'static [u8] {
    let size = (&raw const END).addr() - (&raw const STUB).addr();
    // SAFETY: so many bytes stand between the two labels, in a section that is mapped as long as the program runs and is
    // never written.
    unsafe { std::slice::from_raw_parts(&raw const STUB, size) }
}

/// How much room it takes.
pub(super) fn size() -> usize {
    whole().len()
}

/// The part of it that is the same for every thread.
pub(super) fn code() -> &'static [u8] {
    &whole()[..(&raw const MASK).addr() - (&raw const STUB).addr()]
}

/// Where the thread stands, from the beginning of the stub, once its signal mask is its own again.
pub(super) fn unmasked() -> u64 {
    ((&raw const UNMASKED).addr() - (&raw const STUB).addr()) as u64
}

/// The stub of a thread with this mask and these registers.
pub(super) fn of(mask: u64, registers: &Registers) -> Vec<u8> {
    let registers = restarting(registers);
    let mut stub = code().to_vec();
    stub.extend_from_slice(&mask.to_ne_bytes());
    let kept = registers.iter().take(EFLAGS + 1);
    stub.extend(kept.flat_map(|register| register.to_ne_bytes()));
    stub
}

/// What the kernel would make of the registers of a thread that it stopped inside a system call: the call is made again.
///
/// Source: `arch_do_signal_or_restart` in `arch/x86/kernel/signal.c`, `include/linux/errno.h`.
fn restarting(registers: &Registers) -> Registers {
    const RESTART_SYSCALL: u64 = 219;
    let mut registers = *registers;
    let call = registers[ORIG_RAX];
    let again = match registers[RAX].cast_signed() {
        -514..=-512 => call,
        -516 => RESTART_SYSCALL,
        _ => return registers,
    };
    if call.cast_signed() >= 0 {
        registers[RAX] = again;
        registers[RIP] -= 2;
    }
    registers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(call: i64, answer: i64) -> Registers {
        let mut registers = [7; 27];
        registers[ORIG_RAX] = call.cast_unsigned();
        registers[RAX] = answer.cast_unsigned();
        registers[RIP] = 0x1000;
        registers
    }

    #[test]
    fn an_interrupted_call_is_made_again_and_a_finished_one_is_not() {
        let told = |call, answer| {
            let again = restarting(&registers(call, answer));
            (again[RIP], again[RAX].cast_signed())
        };
        assert_eq!(told(0, -512), (0xffe, 0));
        assert_eq!(told(202, -513), (0xffe, 202));
        assert_eq!(told(7, -514), (0xffe, 7));
        assert_eq!(told(35, -516), (0xffe, 219));
        assert_eq!(told(0, -4), (0x1000, -4));
        assert_eq!(told(0, 12), (0x1000, 12));
        assert_eq!(told(-1, -512), (0x1000, -512));
    }

    #[test]
    fn the_stub_holds_the_mask_and_the_registers_behind_its_code() {
        let stub = of(0x55, &registers(-1, 3));
        assert_eq!(stub.len(), size());
        let data = &stub[code().len()..];
        assert_eq!(data[..8], 0x55_u64.to_ne_bytes());
        assert_eq!(data[8 + RIP * 8..][..8], 0x1000_u64.to_ne_bytes());
        assert!(code().len() < 400 && unmasked() < code().len() as u64);
    }
}
