use serde::{Deserialize, Serialize};

macro_rules! usages {
    ($($name:ident $key:literal $label:literal $doc:literal),* $(,)?) => {
        /// What a region is used for.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Usage {
            $(#[doc = $doc] #[serde(rename = $key)] $name,)*
            /// None of these, or not classified yet.
            #[default]
            #[serde(rename = "other", other)]
            Unknown,
        }

        impl Usage {
            /// Every usage, related ones side by side.
            pub const ALL: &'static [Usage] = &[$(Usage::$name,)* Usage::Unknown];

            /// The name in documents and filters.
            pub fn key(self) -> &'static str {
                match self { $(Usage::$name => $key,)* Usage::Unknown => "other" }
            }

            /// The name that people read.
            pub fn label(self) -> &'static str {
                match self { $(Usage::$name => $label,)* Usage::Unknown => "other" }
            }
        }
    };
}

usages! {
    Heap "heap" "main heap (brk)" "The brk heap: where glibc's main arena keeps small blocks.",
    Arena "arena" "allocator arenas" "A heap of an allocator's second or later arena: 64 MiB reserved together, committed from below.",
    AnonymousTiny "anonymous_under_128k" "anonymous < 128 KiB" "Private anonymous, smaller than glibc's first mmap threshold.",
    AnonymousSmall "anonymous_128k_to_1m" "anonymous 128 KiB … 1 MiB" "Private anonymous: single large blocks of most allocators.",
    AnonymousMedium "anonymous_1m_to_64m" "anonymous 1 … 64 MiB" "Private anonymous: large blocks, or pools of an allocator.",
    AnonymousLarge "anonymous_over_64m" "anonymous ≥ 64 MiB" "Private anonymous: very large blocks, or pools of an allocator.",
    MainStack "main_stack" "main stack" "The stack of the first thread.",
    ThreadStack "thread_stack" "thread stacks" "The stack of another thread.",
    Guard "guard" "stack guards" "No access, right below a thread's stack.",
    Text "text" "text" "Executable code of a module.",
    Rodata "rodata" "rodata" "Constants of a module, and what its loader made read-only.",
    Data "data" "data" "Writable data of a module.",
    Bss "bss" "bss" "Zero-initialised data of a module.",
    MappedFile "mapped_file" "mapped files" "A file that is no module.",
    SysvShm "sysv_shm" "System V shared memory" "A System V segment.",
    PosixShm "posix_shm" "POSIX shared memory" "`shm_open`: a file in /dev/shm.",
    Memfd "memfd" "memfd" "`memfd_create`: a file without a path.",
    SharedAnonymous "shared_anonymous" "shared anonymous" "`MAP_SHARED | MAP_ANONYMOUS`: shared with children.",
    Vdso "vdso" "vdso, vvar" "Code and data that the kernel lends.",
    Jit "jit" "JIT code" "Executable memory without a file.",
    Device "device" "devices" "Memory of a device.",
    Hugetlb "hugetlb" "hugetlb" "Pages from the pool of huge pages; not part of RSS.",
    Reserved "reserved" "reserved" "Address space set aside without access.",
    Image "Image" "Image" "A program or library of Windows or macOS, all sections of it.",
    Stack "Stack" "Stack" "A thread's stack on Windows, its reserve and guard too.",
    Stack32 "Stack32" "Stack32" "The stack that a 32-bit program's thread on 64-bit Windows runs its own code on.",
    Stack64 "Stack64" "Stack64" "The stack that a 32-bit program's thread on 64-bit Windows runs the system's code on.",
    Teb "TEB" "TEB" "What Windows knows of a thread.",
    Peb "PEB" "PEB" "What Windows knows of a process.",
    NtHeap "Heap" "Heap" "A heap of Windows: `HeapAlloc`, and `malloc` with it.",
    FileMapping "MappedFile" "MappedFile" "A section of Windows: a file, or memory that can be shared.",
    Unclaimed "unknown" "<unknown>" "Private memory of Windows that is none of these: `VirtualAlloc` by the program itself.",
}

impl Usage {
    /// The usages that a filter word means, in whatever case: a key, WinDbg's word for it, or one of the families
    /// `anonymous`, `module`, `stack`, `shared`, `unknown`.
    pub fn family(word: &str) -> Option<Vec<Usage>> {
        let word = word.to_ascii_lowercase();
        let family = match word.as_str() {
            "anonymous" => Usage::ANONYMOUS.to_vec(),
            "module" => vec![Usage::Text, Usage::Rodata, Usage::Data, Usage::Bss, Usage::Image],
            "stack" => {
                vec![Usage::MainStack, Usage::ThreadStack, Usage::Stack, Usage::Stack32, Usage::Stack64]
            }
            "shared" => vec![Usage::SysvShm, Usage::PosixShm, Usage::Memfd, Usage::SharedAnonymous],
            "heap" => vec![Usage::Heap, Usage::NtHeap],
            "unknown" | "<unknown>" | "unk" | "var" => vec![Usage::Unclaimed, Usage::Unknown],
            "filemap" => vec![Usage::FileMapping],
            key => vec![*Usage::ALL.iter().find(|usage| usage.key().eq_ignore_ascii_case(key))?],
        };
        Some(family)
    }

    /// Private anonymous memory that belongs to no heap that we know, by size.
    pub const ANONYMOUS: [Usage; 4] =
        [Usage::AnonymousTiny, Usage::AnonymousSmall, Usage::AnonymousMedium, Usage::AnonymousLarge];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_finds_its_usage_and_survives_json() {
        for &usage in Usage::ALL {
            assert!(Usage::family(usage.key()).is_some_and(|family| family.contains(&usage)), "{usage:?}");
            let text = serde_json::to_string(&usage).expect("a unit variant");
            assert_eq!(text, format!("\"{}\"", usage.key()));
            assert_eq!(serde_json::from_str::<Usage>(&text).expect("its own key"), usage);
        }
        assert_eq!(Usage::family("anonymous").map(|family| family.len()), Some(4));
        assert_eq!(Usage::family("Unk"), Usage::family("<unknown>"));
        assert_eq!(Usage::family("teb"), Some(vec![Usage::Teb]));
        assert_eq!(Usage::family("nonsense"), None);
    }
}
