use residue_model::{Address, AddressSpace, Memory, Module, Region};

/// The address space of a Windows program. Where the system told that it is one of 32 bits on 64-bit Windows, that holds;
/// otherwise its own header says how wide its addresses are. The header also says whether it takes more than two
/// gigabytes. Where it cannot be read, the processor and the regions have to tell.
///
/// The program is the first of the modules.
pub(crate) fn space(
    native_bits: u8,
    is_wow64: Option<bool>,
    modules: &[Module],
    memory: &dyn Memory,
    regions: &[Region],
) -> AddressSpace {
    let header = modules.first().and_then(|program| Header::read(memory, program.range.start));
    let seems_narrow = || header.map_or_else(|| carries_32_bits(modules), Header::is_narrow);
    let is_narrow = native_bits == 32 || is_wow64.unwrap_or_else(seems_narrow);
    match header {
        Some(header) if is_narrow && native_bits == 64 => {
            AddressSpace::wow64(header.is_large_address_aware())
        }
        _ => AddressSpace::windows(if is_narrow { 32 } else { native_bits }, regions),
    }
}

fn carries_32_bits(modules: &[Module]) -> bool {
    modules.iter().any(|module| module.file_name().eq_ignore_ascii_case("wow64.dll") && !module.unloaded)
}

/// What the header of a program says of it.
///
/// Source: "PE Format", `IMAGE_FILE_HEADER`.
#[derive(Clone, Copy)]
struct Header {
    /// `IMAGE_OPTIONAL_HEADER.Magic`. The machine of the file header does not tell: a program of .NET for any machine
    /// names the 32-bit one there, and the loader changes only this when it carries the program as a 64-bit one.
    magic: u16,
    characteristics: u16,
}

impl Header {
    fn read(memory: &dyn Memory, base: Address) -> Option<Header> {
        let number = |offset: u64, size: usize| {
            let mut raw = [0; 4];
            let address = Address(base.0.checked_add(offset)?);
            (memory.read(address, &mut raw[..size]) == size).then(|| u32::from_le_bytes(raw))
        };
        let short = |offset| number(offset, 2).and_then(|number| u16::try_from(number).ok());
        let coff = u64::from(number(0x3c, 4)?);
        let is_whole =
            short(0)? == u16::from_le_bytes(*b"MZ") && number(coff, 4)? == u32::from_le_bytes(*b"PE\0\0");
        is_whole.then_some(Header { magic: short(coff + 24)?, characteristics: short(coff + 22)? })
    }

    /// `IMAGE_NT_OPTIONAL_HDR32_MAGIC`.
    fn is_narrow(self) -> bool {
        self.magic == 0x010b
    }

    /// `IMAGE_FILE_LARGE_ADDRESS_AWARE`.
    fn is_large_address_aware(self) -> bool {
        self.characteristics & 0x20 != 0
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Pieces;

    use super::*;

    #[test]
    fn a_header_is_believed_only_when_it_is_one() {
        let mut image = vec![0; 0x200];
        image[..2].copy_from_slice(b"MZ");
        image[0x3c] = 0x80;
        image[0x80..0x84].copy_from_slice(b"PE\0\0");
        image[0x98..0x9a].copy_from_slice(&0x010b_u16.to_le_bytes());
        image[0x96] = 0x20;
        let read = |image: &[u8]| Header::read(&Pieces(vec![(Address(0x1000), image)]), Address(0x1000));
        let header = read(&image).expect("a header");
        assert!(header.is_narrow() && header.is_large_address_aware());
        assert!(read(&image[..0x90]).is_none(), "cut off");
        image[0x3f] = 0xff;
        assert!(read(&image).is_none(), "points outside");
    }
}
