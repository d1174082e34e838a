use residue_model::{Address, AddressSpace, Memory, Module, Region};

/// The address space of a Windows program: its own header says how wide its addresses are, and whether it takes more
/// than two gigabytes. Where the header cannot be read, the processor and the regions have to tell.
///
/// The program is the first of the modules.
pub(crate) fn space(
    native_bits: u8,
    modules: &[Module],
    memory: &dyn Memory,
    regions: &[Region],
) -> AddressSpace {
    let header = modules.first().and_then(|program| Header::read(memory, program.range.start));
    // A 32-bit program on 64-bit Windows may be seen as the 64-bit process that carries it.
    let is_narrow = header.map_or_else(|| native_bits == 32 || carries_32_bits(modules), Header::is_narrow);
    let bits = if is_narrow { 32 } else { native_bits };
    match header {
        Some(header) if bits == 32 && native_bits == 64 => {
            AddressSpace::wow64(header.is_large_address_aware())
        }
        _ => AddressSpace::windows(bits, regions),
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
    machine: u16,
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
        is_whole.then_some(Header { machine: short(coff + 4)?, characteristics: short(coff + 22)? })
    }

    /// `IMAGE_FILE_MACHINE_I386`, `IMAGE_FILE_MACHINE_ARMNT`.
    fn is_narrow(self) -> bool {
        matches!(self.machine, 0x014c | 0x01c4)
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
        image[0x84..0x86].copy_from_slice(&0x014c_u16.to_le_bytes());
        image[0x96] = 0x20;
        let read = |image: &[u8]| Header::read(&Pieces(vec![(Address(0x1000), image)]), Address(0x1000));
        let header = read(&image).expect("a header");
        assert!(header.is_narrow() && header.is_large_address_aware());
        assert!(read(&image[..0x90]).is_none(), "cut off");
        image[0x3f] = 0xff;
        assert!(read(&image).is_none(), "points outside");
    }
}
