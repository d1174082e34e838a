//! DWARF expressions, followed without the registers: what would they come to?

use gimli::{Encoding, Expression, Format, Operation, Reader, Register, X86_64};

const DEEPEST: usize = 8;
const ENCODING: Encoding = Encoding { format: Format::Dwarf32, version: 4, address_size: 8 };

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number.
    Number(i64),
    /// `rsp` and a distance.
    FromStack(i64),
    /// `rbp` and a distance.
    FromFrame(i64),
    /// The word at `rsp` and a distance.
    AtStack(i64),
    /// The word at `rbp` and a distance.
    AtFrame(i64),
}

/// What the expression comes to for code at an address. None when that is nothing of the kind.
///
/// Linkers describe the stubs of a procedure linkage table by the distance of the code from the start of a stub, and
/// compilers a realigned stack by a word near `rbp`; C libraries say where the kernel puts registers for a signal.
pub(super) fn evaluate<R: Reader>(expression: Expression<R>, pc: u64) -> Option<Value> {
    let mut stack = Stack { values: [Value::Number(0); DEEPEST], depth: 0 };
    let mut operations = expression.operations(ENCODING);
    while let Some(operation) = operations.next().ok()? {
        let value = match operation {
            Operation::RegisterOffset { register, offset, .. } => register_and(register, offset, pc)?,
            Operation::UnsignedConstant { value } => Value::Number(value as i64),
            Operation::SignedConstant { value } => Value::Number(value),
            Operation::Deref { size: 8, space: false, .. } => load(stack.pop()?)?,
            Operation::PlusConstant { value } => add(stack.pop()?, value as i64)?,
            Operation::Plus => match (stack.pop()?, stack.pop()?) {
                (Value::Number(number), other) | (other, Value::Number(number)) => add(other, number)?,
                _ => return None,
            },
            Operation::And => stack.two_numbers(|left, right| left & right)?,
            Operation::Ge => stack.two_numbers(|left, right| i64::from(left >= right))?,
            Operation::Shl => {
                stack.two_numbers(|left, right| if (0..64).contains(&right) { left << right } else { 0 })?
            }
            _ => return None,
        };
        stack.push(value)?;
    }
    stack.pop()
}

fn register_and(register: Register, offset: i64, pc: u64) -> Option<Value> {
    match register {
        X86_64::RSP => Some(Value::FromStack(offset)),
        X86_64::RBP => Some(Value::FromFrame(offset)),
        X86_64::RA => Some(Value::Number((pc as i64).wrapping_add(offset))),
        _ => None,
    }
}

fn load(place: Value) -> Option<Value> {
    match place {
        Value::FromStack(distance) => Some(Value::AtStack(distance)),
        Value::FromFrame(distance) => Some(Value::AtFrame(distance)),
        _ => None,
    }
}

fn add(value: Value, number: i64) -> Option<Value> {
    match value {
        Value::Number(other) => Some(Value::Number(other.wrapping_add(number))),
        Value::FromStack(distance) => Some(Value::FromStack(distance.wrapping_add(number))),
        Value::FromFrame(distance) => Some(Value::FromFrame(distance.wrapping_add(number))),
        Value::AtStack(_) | Value::AtFrame(_) => (number == 0).then_some(value),
    }
}

struct Stack {
    values: [Value; DEEPEST],
    depth: usize,
}

impl Stack {
    fn push(&mut self, value: Value) -> Option<()> {
        *self.values.get_mut(self.depth)? = value;
        self.depth += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<Value> {
        self.depth = self.depth.checked_sub(1)?;
        self.values.get(self.depth).copied()
    }

    fn two_numbers(&mut self, operate: impl Fn(i64, i64) -> i64) -> Option<Value> {
        match (self.pop()?, self.pop()?) {
            (Value::Number(right), Value::Number(left)) => Some(Value::Number(operate(left, right))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gimli::{EndianSlice, LittleEndian};

    use super::*;

    fn value(bytes: &[u8], pc: u64) -> Option<Value> {
        evaluate(Expression(EndianSlice::new(bytes, LittleEndian)), pc)
    }

    /// `breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus`: what linkers write for 16-byte stubs that push at the
    /// eleventh byte.
    #[test]
    fn a_stub_has_one_word_more_once_it_has_pushed() {
        let stub = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];

        assert_eq!(value(&stub, 0x5000_0026), Some(Value::FromStack(8)));
        assert_eq!(value(&stub, 0x5000_002b), Some(Value::FromStack(16)));
    }

    #[test]
    fn a_realigned_frame_is_told_by_a_word() {
        assert_eq!(value(&[0x76, 0x78, 0x06], 0), Some(Value::AtFrame(-8)));
        assert_eq!(value(&[0x77, 0xa0, 0x01, 0x06], 0), Some(Value::AtStack(160)));
    }

    #[test]
    fn what_is_not_understood_is_no_value() {
        for bytes in [
            &[0x73, 0][..],
            &[0x22],
            &[0x76, 0, 0x06, 0x06],
            &[0x2f, 0xfd, 0xff],
            &[],
            &[0x76, 0, 0x76, 0, 0x22],
        ] {
            assert_eq!(value(bytes, 0), None, "{bytes:x?}");
        }
    }
}
