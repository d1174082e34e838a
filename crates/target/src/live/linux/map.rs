//! The regions of a process as a core needs them: quickly read, with names as they are.

use std::io::Read;
use std::ops;

use residue_model::{Address, Bytes, ProcessId, Protection, Range, Region};

use crate::live::linux::ProcDir;
use crate::live::linux::read_ahead::ReadAhead;
use crate::procfs::{maps, smaps};
use crate::{Error, File, Result};

/// All regions, in order. The target stands while they are read: names are not copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    text: Vec<u8>,
    regions: Vec<(maps::Header, ops::Range<usize>)>,
}

/// One region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) range: Range,
    pub(super) protection: Protection,
    pub(super) offset: Bytes,
    pub(super) inode: u64,
    /// As `maps` prints it.
    pub(super) name: &'a [u8],
}

impl Place<'_> {
    pub(super) fn size(&self) -> u64 {
        self.range.size().0
    }

    /// The file, also one of shared memory, has no name any more.
    pub(super) fn is_deleted(&self) -> bool {
        self.name.ends_with(b" (deleted)")
    }
}

impl Map {
    /// Reads the regions.
    ///
    /// # Errors
    /// When the kernel refuses or a line is none of a region.
    pub(super) fn read(proc_dir: &ProcDir, pid: ProcessId) -> Result<Map> {
        let mut text = Vec::new();
        let read = proc_dir.open_file(pid, File::Maps).and_then(|mut file| file.read_to_end(&mut text));
        read.map_err(|error| Error::reading(format!("/proc/{pid}/maps"), error))?;
        Map::parse(text)
    }

    pub(super) fn parse(text: Vec<u8>) -> Result<Map> {
        let mut regions = Vec::new();
        let mut start = 0;
        for (number, end) in memchr::memchr_iter(b'\n', &text).enumerate() {
            let (header, name) = maps::parse(&text[start..end])
                .ok_or_else(|| Error::syntax("maps", number + 1, "not a region"))?;
            regions.push((header, end - name.len()..end));
            start = end + 1;
        }
        Ok(Map { text, regions })
    }

    /// The same as regions of a snapshot. Names are made here: the target need not stand meanwhile.
    pub(super) fn regions(&self) -> Result<Vec<Region>> {
        let mut regions = Vec::new();
        maps::read(&self.text[..], &mut regions)?;
        Ok(regions)
    }

    pub(super) fn len(&self) -> usize {
        self.regions.len()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.regions.iter().map(|(header, name)| Place {
            range: header.range,
            protection: header.protection,
            offset: header.offset,
            inode: header.inode,
            name: &self.text[name.clone()],
        })
    }
}

/// What only `smaps` says of a region and a core must mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent flags, as the kernel prints them")]
pub(super) struct Wishes {
    /// `dd`: the program asks to leave it out of dumps (`MADV_DONTDUMP`).
    pub(super) not_dumped: bool,
    /// `io`, `pf`: no memory but a device, whose registers may change by being read.
    pub(super) device: bool,
    /// `um`, `ui`: who touches a missing page waits for the program to fill it, and the program stands.
    pub(super) filled_by_program: bool,
    /// `ht`: huge pages set aside, of which reading takes one.
    pub(super) huge: bool,
    /// `dc`, `wf`: a child does not get it, or gets zeros (`MADV_DONTFORK`, `MADV_WIPEONFORK`).
    pub(super) not_inherited: bool,
}

/// The regions that are not like others, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct WishList(Vec<(Range, Wishes)>);

impl WishList {
    /// Reads `smaps`, before the process is stopped: it takes 20 ms a GiB.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn read(proc_dir: &ProcDir, pid: ProcessId) -> Result<WishList> {
        let failed = |error| Error::reading(format!("/proc/{pid}/smaps"), error);
        let file = proc_dir.open_file(pid, File::Smaps).map_err(failed)?;
        let mut regions = Vec::new();
        smaps::read(ReadAhead::of(file).map_err(failed)?, &mut regions)?;
        let list = regions.iter().filter_map(|region| {
            let wishes = Wishes::of(region.flags.as_deref()?);
            (wishes != Wishes::default()).then_some((region.range, wishes))
        });
        Ok(WishList(list.collect()))
    }

    /// Whether the program itself fills pages of some of its memory (`userfaultfd`).
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_filled_by_program(&self) -> bool {
        self.0.iter().any(|(_, wishes)| wishes.filled_by_program)
    }

    /// What is known of an address.
    pub(super) fn at(&self, address: Address) -> Wishes {
        let behind = self.0.partition_point(|(range, _)| range.end <= address);
        let found = self.0.get(behind).filter(|(range, _)| range.contains(address));
        found.map(|&(_, wishes)| wishes).unwrap_or_default()
    }
}

impl Wishes {
    /// From `VmFlags`.
    pub(super) fn of(flags: &str) -> Wishes {
        let has = |flag| flags.split(' ').any(|word| word == flag);
        Wishes {
            not_dumped: has("dd"),
            device: has("io") || has("pf"),
            filled_by_program: has("um") || has("ui"),
            huge: has("ht"),
            not_inherited: has("dc") || has("wf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_they_are() {
        let text =
            b"1000-2000 rw-p 00000000 00:00 0 \n3000-4000 r--p 00001000 fe:01 7    /a b\xff (deleted)\n";
        let map = Map::parse(text.to_vec()).expect("two regions");
        let places: Vec<Place<'_>> = map.places().collect();
        assert_eq!((places[0].name, places[1].name), (&b""[..], &b"/a b\xff (deleted)"[..]));
        assert_eq!((places[1].offset, places[1].is_deleted()), (Bytes(0x1000), true));
        assert_eq!(
            Map::parse(b"what\n".to_vec()).expect_err("no region").to_string(),
            "line 1 of maps: not a region"
        );
    }

    #[test]
    fn wishes_are_found_by_address() {
        let range = |start, end| Range { start: Address(start), end: Address(end) };
        let wish = Wishes::of("rd wr mr dd");
        assert!(wish.not_dumped && !wish.device);
        let list =
            WishList(vec![(range(0x1000, 0x2000), wish), (range(0x5000, 0x6000), Wishes::of("io dd"))]);
        assert_eq!(list.at(Address(0x1fff)), wish);
        assert_eq!(list.at(Address(0x2000)), Wishes::default());
        assert!(list.at(Address(0x5000)).device);
        assert_eq!(list.at(Address(0x6000)), Wishes::default());
    }
}
