//! The threads of a process that a debugger holds, as the debugger tells them.
//!
//! A line a thread: its number, then its registers in hexadecimal, by the names that gdb has for them, in any order.
//!
//! ```text
//! 4711 rax=0xfffffffffffffe00 rbx=0x55d0c0402010 … rip=0x7f0010139a11 rsp=0x7ffd20001f40 fs_base=0x7f0010000740
//! ```
//!
//! Whoever traces a process keeps all others from stopping it or reading its registers; its memory anyone may read who
//! has the right to.

use std::collections::BTreeMap;

use residue_model::{Address, Thread};

use crate::{Error, ErrorKind, Result};

/// The registers of a kind of processor.
struct Processor {
    /// In the order of its `struct user_regs_struct`. All must be told.
    general: &'static [&'static str],
    program_counter: &'static str,
    stack_pointer: &'static str,
    /// Where thread-local storage begins; may stand beside the general ones, and may be missing then.
    thread_pointer: Option<&'static str>,
}

const PROCESSORS: [Processor; 3] = [
    Processor {
        general: &[
            "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
            "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs",
            "gs",
        ],
        program_counter: "rip",
        stack_pointer: "rsp",
        thread_pointer: Some("fs_base"),
    },
    Processor {
        general: &[
            "ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs", "orig_eax", "eip", "cs",
            "eflags", "esp", "ss",
        ],
        program_counter: "eip",
        stack_pointer: "esp",
        thread_pointer: None,
    },
    Processor {
        general: &[
            "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
            "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
            "x29", "x30", "sp", "pc", "cpsr",
        ],
        program_counter: "pc",
        stack_pointer: "sp",
        thread_pointer: Some("tpidr"),
    },
];

/// Reads what a debugger tells; `file` is what the text is called in errors.
///
/// # Errors
/// [`ErrorKind::Syntax`] with the line, when one is not as above; when there is none.
pub fn parse(file: &str, text: &[u8]) -> Result<Vec<Thread>> {
    let mut threads: Vec<Thread> = Vec::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        if line.is_empty() {
            continue;
        }
        let thread = std::str::from_utf8(line).map_err(|_| "not text".to_owned()).and_then(thread);
        threads.push(thread.map_err(|wrong| Error::syntax(file, number, &wrong))?);
    }
    if threads.is_empty() {
        return Err(Error::new(ErrorKind::Syntax, format!("{file} names no thread")));
    }
    Ok(threads)
}

/// A thread of one line, or what is wrong with it.
fn thread(line: &str) -> std::result::Result<Thread, String> {
    let mut words = line.split_ascii_whitespace();
    let number = words.next().unwrap_or_default();
    let tid = number.parse().map_err(|_| format!("`{number}` is not the number of a thread"))?;
    let mut values = BTreeMap::new();
    for word in words {
        let (name, value) = pair(word).ok_or_else(|| format!("`{word}` is not REGISTER=0xNUMBER"))?;
        if values.insert(name, value).is_some() {
            return Err(format!("`{name}` is told twice"));
        }
    }
    let of = PROCESSORS.iter().find(|processor| values.contains_key(processor.program_counter));
    let of = of.ok_or("no program counter: rip, eip or pc")?;
    let register = |name: &str| values.get(name).copied();
    let all = of.general.iter().map(|name| register(name).ok_or_else(|| format!("no {name}")));
    let registers = all.collect::<std::result::Result<_, _>>()?;
    let is_known = |name: &&str| of.general.contains(name) || of.thread_pointer == Some(*name);
    if let Some(unknown) = values.keys().find(|name| !is_known(name)) {
        return Err(format!("`{unknown}` is no register that is asked for"));
    }
    Ok(Thread {
        tid,
        stack_pointer: register(of.stack_pointer).map(Address),
        thread_pointer: of.thread_pointer.and_then(register).map(Address),
        registers,
        ..Thread::default()
    })
}

fn pair(word: &str) -> Option<(&str, u64)> {
    let (name, value) = word.split_once('=')?;
    let digits = value.strip_prefix("0x")?;
    // `from_str_radix` takes a sign too.
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some((name, u64::from_str_radix(digits, 16).ok().filter(|_| is_number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each register with its place in the processor's order as its value.
    fn line(of: &Processor) -> String {
        let words = of.general.iter().enumerate().rev().map(|(place, name)| format!(" {name}={place:#x}"));
        format!("4711{}", words.collect::<String>())
    }

    #[test]
    fn registers_come_into_the_order_of_the_kernel() {
        for (of, (count, stack)) in PROCESSORS.iter().zip([(27, 19), (17, 15), (34, 31)]) {
            let text = format!("{}\n", line(of));
            let [thread] = &parse("-", text.as_bytes()).expect("well formed")[..] else { panic!("one") };
            assert_eq!(thread.tid, 4711);
            assert_eq!(thread.registers, (0..count).collect::<Vec<u64>>());
            assert_eq!(thread.stack_pointer, Some(Address(stack)));
        }
    }

    #[test]
    fn the_thread_pointer_is_that_of_the_processor() {
        let of = |line: String| parse("-", line.as_bytes()).expect("well formed")[0].thread_pointer;
        assert_eq!(of(line(&PROCESSORS[0])), Some(Address(21)));
        assert_eq!(of(line(&PROCESSORS[1])), None);
        assert_eq!(of(line(&PROCESSORS[2])), None);
        assert_eq!(of(format!("{} tpidr=0x7f00", line(&PROCESSORS[2]))), Some(Address(0x7f00)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let good = line(&PROCESSORS[0]);
        let told = |text: &str| parse("registers", text.as_bytes()).expect_err("wrong").to_string();
        for (bad, words) in [
            ("", "registers names no thread"),
            ("x rip=0x1", "line 1 of registers: `x` is not the number of a thread"),
            ("-1 rip=0x1", "`-1` is not the number of a thread"),
            ("1 rip", "`rip` is not REGISTER=0xNUMBER"),
            ("1 rip=1", "`rip=1` is not"),
            ("1 rip=0x+1", "`rip=0x+1` is not"),
            ("1 rip=0x11112222333344445", "is not REGISTER"),
            ("1", "no program counter"),
            ("1 rip=0x1", "no r15"),
        ] {
            assert!(told(bad).contains(words), "{bad:?}: {}", told(bad));
        }
        assert_eq!(told(&format!("{good}\n{good} rip=0x1")), "line 2 of registers: `rip` is told twice");
        assert_eq!(
            told(&format!("{good} k0=0x1")),
            "line 1 of registers: `k0` is no register that is asked for"
        );
    }

    #[test]
    fn any_bytes_are_an_answer() {
        let good = line(&PROCESSORS[0]).into_bytes();
        for at in 0..good.len() {
            for byte in [0, b'\n', b' ', b'=', 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                let _ = parse("-", &bytes);
                let _ = parse("-", &bytes[..at]);
            }
        }
    }
}
