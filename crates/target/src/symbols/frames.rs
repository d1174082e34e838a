use gimli::{CfaRule, EvaluationResult, RegisterRule, UnwindExpression, Value};
use residue_model::{Address, Bytes, Memory, Range};

use super::cfi::{Cfi, Row};
use super::{Modules, Symbol, WithFiles};

/// One call on the stack of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it goes on: the instruction of the innermost, the return address of every other.
    pub pc: Address,
    /// Its part of the stack: from its stack pointer up to that of its caller.
    pub stack: Range,
    /// The function that it is in; the offset is that of `pc`.
    pub symbol: Option<Symbol>,
}

/// A deeper stack is a recursion, of which the innermost frames tell enough.
const MOST: usize = 4096;
/// Programs of DWARF that take more steps than this are no compiler's.
const STEPS: u32 = 1000;
/// How the kernel orders the registers of x86-64 that DWARF numbers 0 to 16.
///
/// Source: `struct user_regs_struct` of `sys/user.h`; System V ABI, AMD64 supplement, figure 3.36.
const ORDER: [usize; 17] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];
const RBP: usize = 6;
const RSP: usize = 7;
const RIP: usize = 16;
/// How far below its stack pointer a function may keep things without saying so.
const RED_ZONE: u64 = 128;

/// What is known of the registers of one frame.
type Registers = [Option<u64>; 17];

impl Modules {
    /// The calls on the stack of a stopped thread, innermost first, as far as they can be followed; none for machines
    /// other than x86-64.
    ///
    /// `registers` are those of `user_regs_struct`, as `ptrace` and cores give them.
    pub fn frames(&self, registers: &[u64], memory: &dyn Memory) -> Vec<Frame> {
        let memory = WithFiles { memory, modules: self };
        let mut now: Registers = ORDER.map(|index| registers.get(index).copied());
        let mut frames = Vec::new();
        // An address that was returned to may stand behind the end of the function that called.
        let mut is_returned_to = false;
        while frames.len() < MOST {
            let (Some(pc), Some(sp)) = (now[RIP].filter(|&pc| pc != 0), now[RSP]) else { break };
            let looked_up = pc - u64::from(is_returned_to);
            let loaded = self.at(Address(looked_up));
            let rule = loaded
                .and_then(|loaded| loaded.cfi(&memory))
                .and_then(|cfi| Some((cfi, cfi.row(looked_up)?)));
            let (caller, is_signal) = match rule {
                Some((cfi, (row, is_signal))) => (caller(&now, cfi, &row, &memory), is_signal),
                None => (self.linked_caller(&now, &memory), false),
            };
            let stack_end = caller.and_then(|caller| caller[RSP]).filter(|&end| end > sp).unwrap_or(sp);
            let zone = if frames.is_empty() { RED_ZONE } else { 0 };
            let symbol = self.symbol_at(Address(looked_up)).map(|mut symbol| {
                symbol.offset += Bytes(pc - looked_up);
                symbol
            });
            frames.push(Frame {
                pc: Address(pc),
                stack: Range { start: Address(sp.saturating_sub(zone)), end: Address(stack_end) },
                symbol,
            });
            let Some(caller) = caller else { break };
            // Only a signal may have come to another stack: elsewhere whoever goes down goes in circles.
            if caller[RSP] <= Some(sp) && !is_signal {
                break;
            }
            is_returned_to = !is_signal;
            now = caller;
        }
        frames
    }

    /// The registers of the caller by the chain of frame pointers, for code without rules: made at run time, or written
    /// in assembly. Believed only when it leads up the stack and back into code.
    fn linked_caller(&self, now: &Registers, memory: &dyn Memory) -> Option<Registers> {
        let (frame, sp) = (now[RBP]?, now[RSP]?);
        if frame < sp || !frame.is_multiple_of(8) || frame - sp > FARTHEST {
            return None;
        }
        let back = word(memory, frame.checked_add(8)?)?;
        self.at(Address(back)).filter(|loaded| loaded.executes(Address(back)))?;
        let mut caller = Registers::default();
        caller[RBP] = word(memory, frame);
        caller[RSP] = Some(frame + 16);
        caller[RIP] = Some(back);
        Some(caller)
    }
}

/// The registers of the caller by the rules of the compiler.
fn caller(now: &Registers, cfi: &Cfi, row: &Row, memory: &dyn Memory) -> Option<Registers> {
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            now.get(usize::from(register.0))?.as_ref()?.wrapping_add_signed(*offset)
        }
        CfaRule::Expression(expression) => evaluate(cfi, *expression, None, now, memory)?,
    };
    let mut caller = *now;
    // Registers that a call does not keep are not known, unless it is said where they are.
    for scratch in [0, 1, 2, 4, 5, 8, 9, 10, 11, RIP] {
        caller[scratch] = None;
    }
    caller[RSP] = Some(cfa);
    for (register, rule) in row.registers() {
        let Some(place) = caller.get_mut(usize::from(register.0)) else { continue };
        *place = match *rule {
            RegisterRule::SameValue => now[usize::from(register.0)],
            RegisterRule::Register(other) => now.get(usize::from(other.0)).copied().flatten(),
            RegisterRule::Offset(offset) => word(memory, cfa.wrapping_add_signed(offset)),
            RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add_signed(offset)),
            RegisterRule::Expression(expression) => {
                evaluate(cfi, expression, Some(cfa), now, memory).and_then(|at| word(memory, at))
            }
            RegisterRule::ValExpression(expression) => evaluate(cfi, expression, Some(cfa), now, memory),
            _ => None,
        };
    }
    Some(caller)
}

/// Frames are smaller.
const FARTHEST: u64 = 8 * 1024 * 1024;

fn word(memory: &dyn Memory, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (memory.read(Address(at), &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
}

/// Runs one of DWARF's small programs.
fn evaluate(
    cfi: &Cfi,
    expression: UnwindExpression<usize>,
    initial: Option<u64>,
    now: &Registers,
    memory: &dyn Memory,
) -> Option<u64> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut evaluation = expression.get(&cfi.section()).ok()?.evaluation(encoding);
    evaluation.set_max_iterations(STEPS);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            EvaluationResult::Complete => {
                return match evaluation.value_result() {
                    Some(value) => value.to_u64(u64::MAX).ok(),
                    None => match evaluation.as_result().first()?.location {
                        gimli::Location::Address { address } => Some(address),
                        _ => None,
                    },
                };
            }
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let mut bytes = [0; 8];
                let wanted = bytes.get_mut(..usize::from(size))?;
                if memory.read(Address(address), wanted) < wanted.len() {
                    return None;
                }
                evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(bytes))).ok()?
            }
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = now.get(usize::from(register.0)).copied().flatten()?;
                evaluation.resume_with_register(Value::Generic(value)).ok()?
            }
            _ => return None,
        };
    }
}
