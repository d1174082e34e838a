//! `limits`: resource limits of a process. Source: `proc_pid_limits(5)`.

use residue_model::Bytes;

use super::number::decimal;

/// The soft limits that bound memory; `None` when unlimited or not printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// `RLIMIT_AS`.
    pub address_space: Option<Bytes>,
    /// `RLIMIT_DATA`.
    pub data: Option<Bytes>,
}

/// Reads the soft limits.
pub fn parse(text: &[u8]) -> ResourceLimits {
    let mut limits = ResourceLimits::default();
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"Max address space") {
            limits.address_space = decimal(rest).map(Bytes);
        } else if let Some(rest) = line.strip_prefix(b"Max data size") {
            limits.data = decimal(rest).map(Bytes);
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlimited_is_no_limit() {
        let text = b"Limit  Soft Limit  Hard Limit  Units\nMax data size             unlimited            unlimited  bytes\n\
                     Max address space         1073741824           unlimited            bytes\n";
        assert_eq!(parse(text), ResourceLimits { address_space: Some(Bytes::gib(1)), data: None });
    }
}
