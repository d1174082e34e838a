//! `smaps_rollup`: the memory of a whole process, summed by the kernel.
//!
//! Source: `proc_pid_smaps_rollup(5)`, `fs/proc/task_mmu.c`. Since Linux 4.14. It has no `Size`: `vss` is in `statm`.
//! The file says kB and means KiB.

use residue_model::{Bytes, Counter, Counters};

use super::number::{decimal, key_value};
use crate::{Error, Result};

/// Reads a rollup. Counters that this kernel does not print stay `None`.
///
/// # Errors
/// [`crate::ErrorKind::Syntax`] with the line's number, when a known field holds no number.
pub fn parse(text: &[u8]) -> Result<Counters> {
    let mut sum = Counters::default();
    // The first line is the range that was summed.
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate().skip(1) {
        let Some((key, value)) = key_value(line) else { continue };
        if let Some(counter) = Counter::from_key(key) {
            let kib = decimal(value)
                .ok_or_else(|| Error::syntax("smaps_rollup", index + 1, "a field without its number"))?;
            sum.set(counter, Bytes::kib(kib));
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_keys_only() {
        let text =
            b"1-2 ---p 00000000 00:00 0 [rollup]\nRss: 16 kB\nPss: 9 kB\nPss_Dirty: 4 kB\nPss_New: 1 kB\n";
        let sum = parse(text).expect("well formed");
        assert_eq!(
            (sum.get(Counter::Rss), sum.get(Counter::Pss)),
            (Some(Bytes::kib(16)), Some(Bytes::kib(9)))
        );
    }

    #[test]
    fn a_damaged_number_is_named_by_its_line() {
        let error = parse(b"1-2 [rollup]\nRss: 16 kB\nPss: x kB\n").expect_err("no number");
        assert_eq!(error.to_string(), "line 3 of smaps_rollup: a field without its number");
    }
}
