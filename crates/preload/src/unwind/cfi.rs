//! The unwind information that a compiler left for the code at an address, made into a rule.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection, UnwindTableRow, X86_64,
};

use super::elf;
use super::expression::{Value, evaluate};
use super::objects::Object;
use super::rule::{Base, Rule, SavedBp};

type Bytes = EndianSlice<'static, LittleEndian>;

/// Rows of unwind information on our own stack. A signal frame has rules for 17 registers; compilers nest no more than two
/// remembered rows. What has more cannot be followed.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); 20];
    type Stack = [UnwindTableRow<usize, OnStack>; 4];
}

/// Offsets in what the kernel puts on the stack before a signal handler: `struct ucontext` of Linux on `x86_64`.
pub(super) const INTERRUPTED_BP: i64 = 120;
pub(super) const INTERRUPTED_SP: i64 = 160;
pub(super) const INTERRUPTED_PC: i64 = 168;

/// How a handler returns to the kernel: `mov $15, %rax; syscall`.
const RETURN_FROM_SIGNAL: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// The rule for the code at an address of an image.
pub(super) fn rule(object: &Object, address: u64) -> Rule {
    let segments = elf::segments(object.start);
    described(object, segments, address).unwrap_or_else(|| {
        // Some C libraries leave no unwind information here. The address looked up is that of the byte before.
        let is_return = elf::loaded_around(segments, object.bias, address + 1)
            .and_then(|range| elf::bytes(&range, address + 1, RETURN_FROM_SIGNAL.len()))
            .is_some_and(|code| code == RETURN_FROM_SIGNAL);
        if is_return { Rule::Signal } else { Rule::Cut }
    })
}

/// None when nothing is said of the address, or it is not understood.
fn described(object: &Object, segments: &[elf::Segment], address: u64) -> Option<Rule> {
    let whole = object.start..object.end;
    let loaded = |address| elf::loaded_around(segments, object.bias, address).unwrap_or(whole.clone());
    let slice = |start, end| elf::bytes(&(start..end), start, usize::try_from(end.checked_sub(start)?).ok()?);

    let at = object.eh_frame_header;
    let bases = BaseAddresses::default().set_eh_frame_hdr(at);
    let header = EhFrameHdr::new(slice(at, loaded(at).end)?, LittleEndian).parse(&bases, 8).ok()?;
    // Everything that is loaded around it is taken for the section, since its size is not told.
    let section = loaded(header.eh_frame_ptr().direct().ok()?);
    let bases = bases.set_eh_frame(section.start);
    let frames: EhFrame<Bytes> = EhFrame::new(slice(section.start, section.end)?, LittleEndian);

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
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
    Reading { frames, row, pc: address }.rule()
}

struct Reading<'a> {
    frames: EhFrame<Bytes>,
    row: &'a UnwindTableRow<usize, OnStack>,
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
