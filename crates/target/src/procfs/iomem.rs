//! `/proc/iomem`: which physical memory is RAM, and which of it the kernel's image takes.
//!
//! Source: `Documentation/filesystems/proc.rst`. Without `CAP_SYS_ADMIN` all addresses read as zero.

use residue_model::Bytes;

use super::number::hex;

/// Installed memory and the kernel's image; `None` where addresses are hidden.
pub fn parse(text: &[u8]) -> (Option<Bytes>, Option<Bytes>) {
    let mut installed = Bytes::ZERO;
    let mut kernel = Bytes::ZERO;
    for line in text.split(|&byte| byte == b'\n') {
        let Some((size, name)) = resource(line) else { continue };
        match name {
            b"System RAM" => installed += size,
            _ if name.starts_with(b"Kernel ") => kernel += size,
            _ => {}
        }
    }
    let known = |size: Bytes| (size.0 > 4096).then_some(size);
    (known(installed), known(kernel))
}

fn resource(line: &[u8]) -> Option<(Bytes, &[u8])> {
    let line = line.trim_ascii();
    let colon = memchr::memmem::find(line, b" : ")?;
    let dash = memchr::memchr(b'-', &line[..colon])?;
    let (start, end) = (hex(&line[..dash])?, hex(&line[dash + 1..colon])?);
    Some((Bytes(end.checked_sub(start)?.checked_add(1)?), &line[colon + 3..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_their_last_byte() {
        let text = b"00001000-0009fbff : System RAM\n00100000-001fffff : System RAM\n  00110000-0011ffff : Kernel code\n";
        assert_eq!(parse(text), (Some(Bytes(0x9ec00 + 0x10_0000)), Some(Bytes(0x1_0000))));
    }

    #[test]
    fn hidden_addresses_are_unknown_and_not_zero() {
        assert_eq!(parse(b"00000000-00000000 : System RAM\n00000000-00000000 : Kernel code\n"), (None, None));
    }
}
