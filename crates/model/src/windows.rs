use serde::{Deserialize, Serialize};

use crate::{Backing, Protection};

/// What Windows says of a range of pages, as `VirtualQuery` numbers it.
///
/// A dump without a memory list tells only some of it: what is not known is `None`.
/// Source: `MEMORY_BASIC_INFORMATION`, `winnt.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pages {
    /// `MEM_COMMIT`, `MEM_RESERVE`.
    pub state: u32,
    /// `MEM_PRIVATE`, `MEM_MAPPED`, `MEM_IMAGE`.
    pub kind: Option<u32>,
    /// `PAGE_READWRITE` and its like, with `PAGE_GUARD` and its like.
    pub protect: Option<u32>,
}

impl Pages {
    /// `MEM_COMMIT`
    pub const COMMIT: u32 = 0x1000;
    /// `MEM_RESERVE`
    pub const RESERVE: u32 = 0x2000;
    /// `MEM_FREE`
    pub const FREE: u32 = 0x1_0000;
    /// `MEM_PRIVATE`
    pub const PRIVATE: u32 = 0x2_0000;
    /// `MEM_MAPPED`
    pub const MAPPED: u32 = 0x4_0000;
    /// `MEM_IMAGE`
    pub const IMAGE: u32 = 0x100_0000;
    /// `PAGE_NOACCESS`
    pub const NO_ACCESS: u32 = 0x01;
    /// `PAGE_GUARD`
    pub const GUARD: u32 = 0x100;

    /// Every kind of protection with its name; the last three come on top of another.
    pub const PROTECTIONS: [(u32, &'static str); 11] = [
        (0x01, "PAGE_NOACCESS"),
        (0x02, "PAGE_READONLY"),
        (0x04, "PAGE_READWRITE"),
        (0x08, "PAGE_WRITECOPY"),
        (0x10, "PAGE_EXECUTE"),
        (0x20, "PAGE_EXECUTE_READ"),
        (0x40, "PAGE_EXECUTE_READWRITE"),
        (0x80, "PAGE_EXECUTE_WRITECOPY"),
        (0x100, "PAGE_GUARD"),
        (0x200, "PAGE_NOCACHE"),
        (0x400, "PAGE_WRITECOMBINE"),
    ];

    /// Committed memory: it has pages, or gets them when it is touched.
    pub fn is_committed(self) -> bool {
        self.state == Pages::COMMIT
    }

    /// The first touch raises an exception: the end of a stack that can still grow.
    pub fn is_guard(self) -> bool {
        self.protect.is_some_and(|protect| protect & Pages::GUARD != 0)
    }

    /// What may be done with them, in neutral terms.
    pub fn protection(self) -> Protection {
        let has = |bits| self.is_committed() && self.protect.unwrap_or_default() & bits != 0;
        Protection {
            read: has(0xee),
            write: has(0xcc),
            execute: has(0xf0),
            // Copies of pages of a section that are made on writing are private.
            shared: self.kind == Some(Pages::MAPPED) && !has(0x88),
        }
    }

    /// What stands behind them, in neutral terms: a section may be a file or memory, which only its name tells.
    pub fn backing(self) -> Backing {
        match self.kind {
            Some(Pages::IMAGE) => Backing::PrivateFile,
            Some(Pages::MAPPED) => Backing::SharedFile,
            _ => Backing::PrivateAnonymous,
        }
    }

    /// `MEM_COMMIT` or `MEM_RESERVE`.
    pub fn state_name(self) -> &'static str {
        if self.is_committed() { "MEM_COMMIT" } else { "MEM_RESERVE" }
    }

    /// `MEM_PRIVATE`, `MEM_MAPPED`, `MEM_IMAGE`, or `unknown`.
    pub fn kind_name(self) -> &'static str {
        match self.kind {
            Some(Pages::PRIVATE) => "MEM_PRIVATE",
            Some(Pages::MAPPED) => "MEM_MAPPED",
            Some(Pages::IMAGE) => "MEM_IMAGE",
            _ => "unknown",
        }
    }

    /// `PAGE_READWRITE | PAGE_GUARD`; nothing of reserved memory, which has none.
    pub fn protection_name(self) -> String {
        let Some(protect) = self.protect.filter(|&protect| protect != 0) else {
            return if self.is_committed() { "unknown".into() } else { "none".into() };
        };
        let named: Vec<&str> =
            Pages::PROTECTIONS.iter().filter(|(bit, _)| protect & bit != 0).map(|(_, name)| *name).collect();
        if named.is_empty() { format!("{protect:#x}") } else { named.join(" | ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_protections_have_neutral_letters() {
        let pages = |protect, kind| Pages { state: Pages::COMMIT, kind: Some(kind), protect: Some(protect) };
        for (protect, kind, letters) in [
            (0x04, Pages::PRIVATE, "rw-p"),
            (0x104, Pages::PRIVATE, "rw-p"),
            (0x20, Pages::IMAGE, "r-xp"),
            (0x01, Pages::PRIVATE, "---p"),
            (0x04, Pages::MAPPED, "rw-s"),
            (0x08, Pages::MAPPED, "rw-p"),
            (0x40, Pages::PRIVATE, "rwxp"),
        ] {
            assert_eq!(pages(protect, kind).protection().to_string(), letters, "{protect:#x}");
        }
        let reserved = Pages { state: Pages::RESERVE, kind: Some(Pages::PRIVATE), protect: Some(0) };
        assert!(reserved.protection().is_none());
    }

    #[test]
    fn protections_are_named_as_windows_names_them() {
        let pages =
            |protect| Pages { state: Pages::COMMIT, kind: Some(Pages::PRIVATE), protect: Some(protect) };
        assert_eq!(pages(0x04).protection_name(), "PAGE_READWRITE");
        assert_eq!(pages(0x104).protection_name(), "PAGE_READWRITE | PAGE_GUARD");
        assert!(pages(0x104).is_guard() && !pages(0x04).is_guard());
        assert_eq!(Pages { protect: None, ..pages(0) }.protection_name(), "unknown");
        assert_eq!(Pages { state: Pages::RESERVE, ..pages(0) }.protection_name(), "none");
        assert_eq!(pages(0x8000_0000).protection_name(), "0x80000000");
    }
}
