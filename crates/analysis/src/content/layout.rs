use residue_model::{Address, Range, Region, Snapshot, State};

/// What bytes need to know of their process: how wide and which way round its numbers are, and where it has memory.
///
/// Built once a snapshot: neighbours are joined, so that a question costs one search in a short list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a pointer: 4 or 8.
    pub pointer_bytes: u8,
    /// Numbers begin with their highest byte.
    pub big_endian: bool,
    mapped: Vec<Range>,
}

/// Of an unknown process: 64 bits, low byte first, and no address is known to be mapped.
impl Default for Layout {
    fn default() -> Layout {
        Layout { pointer_bytes: 8, big_endian: false, mapped: Vec::new() }
    }
}

impl Layout {
    /// The layout of a process with these regions, in order of address.
    pub fn of(regions: &[Region], bits: u8, big_endian: bool) -> Layout {
        let mut mapped: Vec<Range> = Vec::new();
        for region in regions.iter().filter(|region| region.state() == State::Mapped) {
            match mapped.last_mut() {
                Some(last) if last.end == region.range.start => last.end = region.range.end,
                _ => mapped.push(region.range),
            }
        }
        Layout { pointer_bytes: if bits == 32 { 4 } else { 8 }, big_endian, mapped }
    }

    /// The layout of a snapshot.
    pub fn of_snapshot(snapshot: &Snapshot) -> Layout {
        Layout::of(&snapshot.regions, snapshot.space.bits, snapshot.machine.big_endian)
    }

    /// Whether memory stands at `address`.
    pub fn is_mapped(&self, address: Address) -> bool {
        let index = self.mapped.partition_point(|range| range.end <= address);
        self.mapped.get(index).is_some_and(|range| range.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use residue_model::Protection;

    use super::*;

    #[test]
    fn neighbours_are_one_and_reserved_space_is_not_mapped() {
        let region = |start, end, letters: &[u8]| Region {
            range: Range { start: Address(start), end: Address(end) },
            protection: Protection::from_letters(letters).expect("four letters"),
            ..Region::default()
        };
        let regions = [
            region(0x1000, 0x2000, b"rw-p"),
            region(0x2000, 0x3000, b"r--p"),
            region(0x3000, 0x9000, b"---p"),
            region(0xa000, 0xb000, b"rw-p"),
        ];
        let layout = Layout::of(&regions, 32, false);
        assert_eq!((layout.mapped.len(), layout.pointer_bytes), (2, 4));
        let at = |address| layout.is_mapped(Address(address));
        assert_eq!(
            [at(0xfff), at(0x1000), at(0x2fff), at(0x3000), at(0xa000), at(0xb000)],
            [false, true, true, false, true, false]
        );
    }
}
