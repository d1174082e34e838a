//! What of a region goes into a core.
//!
//! By default what the kernel itself would write with its `coredump_filter` of 0x33: private anonymous memory, shared
//! memory without a name, modified pages of files, and the head of each file, which holds its build id.
//!
//! Source: `core(5)`, `vma_dump_size` in `fs/coredump.c`.

use crate::live::linux::map::{Place, Wishes};

/// What is wanted beside what the kernel would write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) all_files: bool,
    pub(super) excluded: bool,
}

/// What of a region goes into a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Nothing: it is named, and that is all.
    Leave,
    /// All of it.
    Whole,
    /// The pages that were touched; the others are zeros, which cost nothing in a file with holes.
    Sparse,
    /// The pages that are there. Of the others nothing is known, and they must not pass for zeros.
    Present,
    /// The pages that differ from the file, and the first page if `head`.
    Modified { head: bool },
    /// What the file behind it holds, in the page tables of this process or not.
    Shared,
}

impl Treatment {
    pub(super) fn of(place: &Place<'_>, wishes: Wishes, wanted: Wanted) -> Treatment {
        let readable = place.protection.read;
        if wishes.device || is_device(place.name) || wishes.not_dumped && !wanted.excluded {
            Treatment::Leave
        } else if is_anonymous(place) {
            // What a program protected after it had written is still there. An untouched reservation is nothing.
            if readable && !wishes.filled_by_program { Treatment::Sparse } else { Treatment::Present }
        } else if place.name.starts_with(b"[") {
            if place.name == b"[vdso]" { Treatment::Whole } else { Treatment::Leave }
        } else if place.protection.shared {
            let saved = wanted.all_files || has_no_name(place);
            match (saved && readable, wishes.huge || wishes.filled_by_program) {
                (false, _) => Treatment::Leave,
                (true, true) => Treatment::Present,
                (true, false) => Treatment::Shared,
            }
        } else if wanted.all_files && readable && !wishes.huge && !wishes.filled_by_program {
            Treatment::Whole
        } else {
            Treatment::Modified { head: readable && place.offset.0 == 0 && place.inode != 0 && !wishes.huge }
        }
    }
}

/// Private memory without a file. A private mapping of `/dev/zero` is nothing else.
pub(in crate::live::linux) fn is_anonymous(place: &Place<'_>) -> bool {
    let name = place.name;
    let named_by_kernel = name == b"[heap]" || name.starts_with(b"[stack") || name.starts_with(b"[anon:");
    !place.protection.shared
        && (place.inode == 0 && (name.is_empty() || named_by_kernel) || name == b"/dev/zero")
}

/// Shared memory that nobody can open by a name: inherited, System V, memfd, or unlinked.
fn has_no_name(place: &Place<'_>) -> bool {
    place.is_deleted() || place.inode == 0 || place.name.starts_with(b"/SYSV")
}

/// Memory of a device or of a kernel object. What is read there may be changed by the reading.
pub(in crate::live::linux) fn is_device(name: &[u8]) -> bool {
    let memory = [&b"/dev/zero"[..], b"/dev/shm/", b"/dev/hugepages/"];
    let is_memory = memory.iter().any(|place| name.starts_with(place));
    name.starts_with(b"/dev/") && !is_memory
        || [&b"anon_inode:"[..], b"socket:", b"/[aio]"].iter().any(|kind| name.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::linux::map::Map;

    fn treat(line: &str, flags: &str, wanted: Wanted) -> Treatment {
        let map = Map::parse(format!("{line}\n").into_bytes()).expect("a region");
        Treatment::of(&map.places().next().expect("one"), Wishes::of(flags), wanted)
    }

    fn treated(line: &str) -> Treatment {
        treat(line, "", Wanted::default())
    }

    #[test]
    fn private_memory_is_saved_and_reservations_are_not() {
        assert_eq!(treated("1000-2000 rw-p 0 00:00 0 "), Treatment::Sparse);
        assert_eq!(treated("1000-2000 rw-p 0 00:00 0    [heap]"), Treatment::Sparse);
        assert_eq!(treated("1000-2000 rw-p 0 00:00 0    [stack]"), Treatment::Sparse);
        assert_eq!(treated("1000-2000 rw-p 0 00:05 9    /dev/zero"), Treatment::Sparse);
        assert_eq!(treated("1000-2000 ---p 0 00:00 0 "), Treatment::Present);
    }

    #[test]
    fn files_give_their_head_and_what_was_written() {
        assert_eq!(treated("1000-2000 r--p 00000000 fe:01 7    /lib/a"), Treatment::Modified { head: true });
        assert_eq!(treated("1000-2000 rw-p 00003000 fe:01 7    /lib/a"), Treatment::Modified { head: false });
        assert_eq!(treated("1000-2000 rw-s 00000000 fe:01 7    /data"), Treatment::Leave);
        let all = Wanted { all_files: true, ..Wanted::default() };
        assert_eq!(treat("1000-2000 r-xp 00001000 fe:01 7    /lib/a", "", all), Treatment::Whole);
        assert_eq!(treat("1000-2000 rw-s 00000000 fe:01 7    /data", "", all), Treatment::Shared);
    }

    #[test]
    fn shared_memory_is_saved_unless_it_can_be_opened_by_name() {
        assert_eq!(treated("1000-2000 rw-s 0 00:01 9    /dev/zero (deleted)"), Treatment::Shared);
        assert_eq!(treated("1000-2000 rw-s 0 00:01 0    /SYSV00000000 (deleted)"), Treatment::Shared);
        assert_eq!(treated("1000-2000 rw-s 0 00:01 9    /memfd:x (deleted)"), Treatment::Shared);
        assert_eq!(treated("1000-2000 rw-s 0 00:1a 9    /dev/shm/x"), Treatment::Leave);
    }

    #[test]
    fn devices_are_never_read() {
        let all = Wanted { all_files: true, excluded: true };
        for line in [
            "1000-2000 rw-s 0 00:05 9    /dev/dri/card0",
            "1000-2000 rw-s 0 00:0e 9    anon_inode:[perf_event]",
            "1000-2000 r--p 0 00:00 0    [vvar]",
            "1000-2000 --xp 0 00:00 0    [vsyscall]",
        ] {
            assert_eq!(treat(line, "", all), Treatment::Leave, "{line}");
        }
        assert_eq!(treat("1000-2000 rw-s 0 00:05 9    /sys/resource0", "io pf dd", all), Treatment::Leave);
    }

    #[test]
    fn what_a_program_asks_to_leave_out_is_left_out_unless_told_otherwise() {
        let line = "1000-2000 rw-p 0 00:00 0 ";
        assert_eq!(treat(line, "rd wr dd", Wanted::default()), Treatment::Leave);
        let excluded = Wanted { excluded: true, ..Wanted::default() };
        assert_eq!(treat(line, "rd wr dd", excluded), Treatment::Sparse);
    }

    /// Whoever touches a missing page of it waits for the program, which stands: for ever.
    #[test]
    fn pages_that_the_program_itself_fills_are_not_touched() {
        assert_eq!(treat("1000-2000 rw-p 0 00:00 0 ", "rd wr um", Wanted::default()), Treatment::Present);
        let line = "1000-2000 rw-s 0 00:01 9    /memfd:x (deleted)";
        assert_eq!(treat(line, "rd wr um", Wanted::default()), Treatment::Present);
    }
}
