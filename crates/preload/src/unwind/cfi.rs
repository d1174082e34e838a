//! The unwind information that a compiler left for the code at an address, made into a rule.

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection, UnwindTableRow, X86_64,
};

use super::elf;
use super::expression::{Value, evaluate};
use super::objects::Object;
use super::rule::{Base, Rule, SavedBp};

type Bytes = EndianSlice<'static, LittleEndian>;

/// Rows of unwind information in place. A signal frame has rules for 17 registers; compilers nest no more than two remembered
/// rows. What has more cannot be followed.
#[derive(Debug)]
struct InPlace;

impl UnwindContextStorage<usize> for InPlace {
    type Rules = [(Register, RegisterRule<usize>); 20];
    type Stack = [UnwindTableRow<usize, InPlace>; 4];
}

/// Where rows are worked out: not on the stack, which may be a small one for signals. All zeros is one to begin with.
#[repr(C)]
pub(super) struct Workspace {
    is_made: bool,
    context: MaybeUninit<UnwindContext<usize, InPlace>>,
}

impl Workspace {
    fn context(&mut self) -> &mut UnwindContext<usize, InPlace> {
        if !self.is_made {
            self.make();
        }
        // SAFETY: it was made; nothing in it refers to anything, so it may have been copied by `fork`.
        unsafe { self.context.assume_init_mut() }
    }

    #[inline(never)]
    fn make(&mut self) {
        self.context.write(UnwindContext::new_in());
        self.is_made = true;
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workspace").field("is_made", &self.is_made).finish_non_exhaustive()
    }
}

/// Offsets in what the kernel puts on the stack before a signal handler: `struct ucontext` of Linux on `x86_64`.
pub(super) const INTERRUPTED_BP: i64 = 120;
pub(super) const INTERRUPTED_SP: i64 = 160;
pub(super) const INTERRUPTED_PC: i64 = 168;

/// How a handler returns to the kernel: `mov $15, %rax; syscall`.
const RETURN_FROM_SIGNAL: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// The rule for the code at an address of an image.
pub(super) fn rule(object: &Object, address: u64, workspace: &mut Workspace) -> Rule {
    let segments = elf::segments(object.start);
    described(object, segments, address, workspace).unwrap_or_else(|| {
        // Some C libraries leave no unwind information here. The address looked up is that of the byte before.
        let is_return = elf::loaded_around(segments, object.bias, address + 1)
            .and_then(|range| elf::bytes(&range, address + 1, RETURN_FROM_SIGNAL.len()))
            .is_some_and(|code| code == RETURN_FROM_SIGNAL);
        if is_return { Rule::Signal } else { Rule::Cut }
    })
}

/// None when nothing is said of the address, or it is not understood.
fn described(
    object: &Object,
    segments: &[elf::Segment],
    address: u64,
    workspace: &mut Workspace,
) -> Option<Rule> {
    // Where the headers cannot be seen, all of the image is taken for loaded.
    let loaded = |address| match segments {
        [] => Some(object.start..object.end).filter(|whole| whole.contains(&address)),
        segments => elf::loaded_around(segments, object.bias, address),
    };
    let bytes =
        |range: &Range<u64>, start| elf::bytes(range, start, usize::try_from(range.end - start).ok()?);

    let at = object.eh_frame_header;
    let bases = BaseAddresses::default().set_eh_frame_hdr(at);
    let header = EhFrameHdr::new(bytes(&loaded(at)?, at)?, LittleEndian).parse(&bases, 8).ok()?;
    // All that is loaded around it is taken for the section, since its size is not told.
    let section = loaded(header.eh_frame_ptr().direct().ok()?)?;
    let bases = bases.set_eh_frame(section.start);
    let frames: EhFrame<Bytes> = EhFrame::new(bytes(&section, section.start)?, LittleEndian);

    let table = header.table()?;
    let entry = |address| {
        let at = table.lookup(address, &bases).ok()?.direct().ok()?.checked_sub(section.start)?;
        let at = usize::try_from(at).ok()?;
        let entry = frames.fde_from_offset(&bases, at.into(), EhFrame::cie_from_offset).ok()?;
        entry.contains(address).then_some(entry)
    };
    let Some(entry) = entry(address) else {
        // Nothing returns to the first byte of a function, unless the one before it ends in a call: who makes a coroutine
        // puts such an address where it begins.
        let is_start = entry(address + 1).is_some_and(|next| next.initial_address() == address + 1);
        return is_start.then_some(Rule::End);
    };
    let row = entry.unwind_info_for_address(&frames, &bases, workspace.context(), address).ok()?;
    Reading { frames, row, pc: address }.rule()
}

struct Reading<'a> {
    frames: EhFrame<Bytes>,
    row: &'a UnwindTableRow<usize, InPlace>,
    pc: u64,
}

impl Reading<'_> {
    fn rule(&self) -> Option<Rule> {
        let cfa = self.cfa()?;
        match self.row.register(X86_64::RA) {
            Some(RegisterRule::Undefined) => return Some(Rule::End),
            Some(RegisterRule::Offset(-8)) => {}
            Some(RegisterRule::Expression(place)) => return self.signal(cfa, place),
            _ => return None,
        }
        // The caller's `rsp` is the end of the frame unless something else is said: then it is none of our rules.
        if self.row.register(X86_64::RSP).is_some() {
            return None;
        }
        let (base, distance) = match cfa {
            Value::FromStack(distance) => (Base::Stack, distance),
            Value::FromFrame(distance) => (Base::Frame, distance),
            Value::AtFrame(distance) => (Base::AtFrame, distance),
            _ => return None,
        };
        Some(Rule::Caller(base, distance, self.saved_bp(cfa)))
    }

    fn cfa(&self) -> Option<Value> {
        match *self.row.cfa() {
            CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => Some(Value::FromStack(offset)),
            CfaRule::RegisterAndOffset { register: X86_64::RBP, offset } => Some(Value::FromFrame(offset)),
            CfaRule::RegisterAndOffset { .. } => None,
            CfaRule::Expression(expression) => self.value(expression),
        }
    }

    fn saved_bp(&self, cfa: Value) -> SavedBp {
        match self.row.register(X86_64::RBP) {
            None | Some(RegisterRule::SameValue) => SavedBp::Same,
            Some(RegisterRule::Offset(distance)) => SavedBp::FromEnd(distance),
            Some(RegisterRule::Expression(place)) => match (self.value(place), cfa) {
                (Some(Value::FromFrame(distance)), _) => SavedBp::FromBp(distance),
                (Some(Value::FromStack(distance)), Value::FromStack(end)) => SavedBp::FromEnd(distance - end),
                _ => SavedBp::Unknown,
            },
            _ => SavedBp::Unknown,
        }
    }

    /// The C library describes where the kernel put the registers. It is believed when it says what the kernel does.
    fn signal(&self, cfa: Value, pc: UnwindExpression<usize>) -> Option<Rule> {
        let bp = match self.row.register(X86_64::RBP)? {
            RegisterRule::Expression(place) => self.value(place)?,
            _ => return None,
        };
        let is_kernels = cfa == Value::AtStack(INTERRUPTED_SP)
            && self.value(pc)? == Value::FromStack(INTERRUPTED_PC)
            && bp == Value::FromStack(INTERRUPTED_BP);
        is_kernels.then_some(Rule::Signal)
    }

    fn value(&self, expression: UnwindExpression<usize>) -> Option<Value> {
        evaluate(expression.get(&self.frames).ok()?, self.pc)
    }
}

#[cfg(test)]
mod tests {
    use core::arch::global_asm;

    use super::*;
    use crate::unwind::objects;

    // Code that is never run: its unwind information says what the comments do.
    global_asm!(
        ".pushsection .text.described, \"ax\", @progbits",
        ".globl residue_test_described, residue_test_bare, residue_test_return",
        "residue_test_described:",
        ".cfi_startproc",
        "nop", // 0: nothing pushed
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "nop", // 1: rbp pushed
        ".cfi_def_cfa_register rbp",
        "nop", // 2: rbp is the frame pointer
        ".cfi_remember_state",
        ".cfi_def_cfa rbx, 24",
        "nop", // 3: told by a register that is not followed
        ".cfi_restore_state",
        ".cfi_escape 0x0f, 3, 0x76, 0x78, 0x06", // def_cfa_expression: breg6 -8; deref
        ".cfi_escape 0x10, 6, 2, 0x76, 0",       // expression of rbp: breg6 0
        "nop",                                   // 4: realigned
        ".cfi_def_cfa rsp, 1600",
        ".cfi_same_value rbp",
        "nop", // 5: rbp as it was
        ".cfi_undefined rbp",
        "nop", // 6: rbp lost
        ".cfi_def_cfa rsp, 8",
        ".cfi_same_value rbp",
        ".cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x30, 0x1a, 0x30, 0x2a, 0x33, 0x24, 0x22",
        "nop", // 7: as in a stub: breg7 8; breg16 0; lit0; and; lit0; ge; lit3; shl; plus
        ".cfi_def_cfa rsp, 8",
        ".cfi_val_offset rsp, 32",
        "nop", // 8: the caller's rsp is elsewhere
        ".cfi_same_value rsp",
        ".cfi_undefined rip",
        "nop", // 9: nobody called
        ".cfi_endproc",
        ".skip 64, 0xcc",
        "residue_test_bare:", // Nothing is said.
        "nop",
        "nop",
        "residue_test_return:", // Nor here, but the code is known.
        "mov rax, 15",
        "syscall",
        ".skip 64, 0xcc",
        ".popsection",
    );

    unsafe extern "C" {
        static residue_test_described: u8;
        static residue_test_bare: u8;
        static residue_test_return: u8;
    }

    fn rule_in(object: &Object, address: u64) -> Rule {
        rule(object, address, &mut Workspace { is_made: false, context: MaybeUninit::uninit() })
    }

    fn rule_at(address: u64) -> Rule {
        rule_in(&objects::find(address).expect("the test's own code"), address)
    }

    #[test]
    fn what_is_said_of_code_is_its_rule() {
        let start = &raw const residue_test_described as u64;
        let plt = Rule::Caller(Base::Stack, 16, SavedBp::Same);
        let expected = [
            Rule::Caller(Base::Stack, 8, SavedBp::Same),
            Rule::Caller(Base::Stack, 16, SavedBp::FromEnd(-16)),
            Rule::Caller(Base::Frame, 16, SavedBp::FromEnd(-16)),
            Rule::Cut,
            Rule::Caller(Base::AtFrame, -8, SavedBp::FromBp(0)),
            Rule::Caller(Base::Stack, 1600, SavedBp::Same),
            Rule::Caller(Base::Stack, 1600, SavedBp::Unknown),
            plt,
            Rule::Cut,
            Rule::End,
        ];
        for (address, expected) in (start..).zip(expected) {
            assert_eq!(rule_at(address), expected, "at {}", address - start);
        }
    }

    #[test]
    fn code_of_which_nothing_is_said_is_not_followed() {
        assert_eq!(rule_at(&raw const residue_test_bare as u64), Rule::Cut);
        // A return to there looks at the byte before.
        assert_eq!(rule_at(&raw const residue_test_return as u64 - 1), Rule::Signal);
    }

    #[test]
    fn an_image_without_unwind_information_is_not_followed() {
        let start = &raw const residue_test_described as u64;
        let object = objects::find(start).expect("the test's own code");

        for eh_frame_header in [0, object.start, object.end - 4, object.end, 16, u64::MAX] {
            assert_eq!(
                rule_in(&Object { eh_frame_header, ..object }, start),
                Rule::Cut,
                "{eh_frame_header:x}"
            );
        }
    }
}
