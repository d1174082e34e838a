use std::collections::HashSet;
use std::sync::Arc;

use residue_model::{Address, Bytes, Counter, Protection, Region, Thread, Usage};

/// Says of each region of a Linux process what it is used for, and where its allocation begins.
///
/// Regions must be in order of address. Without threads, their stacks pass for plain anonymous memory.
pub(super) fn classify(regions: &mut [Region], threads: &[Thread], bits: u8) {
    let modules = modules(regions);
    let mut module_base = ModuleBase::default();
    for index in 0..regions.len() {
        let (before, rest) = regions.split_at_mut(index);
        let region = &mut rest[0];
        region.usage = match file_of(region).filter(|file| modules.contains(file)) {
            Some(_) => segment(region.protection),
            None => plain(region),
        };
        region.allocation_base = module_base.of(region, &modules);
        if let Some(data) = before.last().filter(|data| is_bss(data, region)) {
            region.usage = Usage::Bss;
            region.allocation_base = data.allocation_base;
        }
    }
    mark_arenas(regions, bits);
    mark_stacks(regions, threads);
}

/// Device and inode; of a file that a core names, only its name.
type FileId = ((u32, u32), u64, Option<Arc<str>>);

fn file_of(region: &Region) -> Option<FileId> {
    let name = || region.name.clone().filter(|_| region.inode == 0);
    (region.is_file() && !region.protection.shared).then(|| (region.device, region.inode, name()))
}

/// Files of which some part is executable: a program or a library.
fn modules(regions: &[Region]) -> HashSet<FileId> {
    let code = |region: &&Region| region.protection.execute && region.name().starts_with('/');
    regions.iter().filter(code).filter_map(file_of).collect()
}

fn segment(protection: Protection) -> Usage {
    match protection {
        _ if protection.is_none() => Usage::Reserved,
        Protection { execute: true, .. } => Usage::Text,
        Protection { write: true, .. } => Usage::Data,
        _ => Usage::Rodata,
    }
}

fn plain(region: &Region) -> Usage {
    match region.name() {
        "[heap]" => Usage::Heap,
        "[stack]" => Usage::MainStack,
        // Linux 3.4 to 4.4 named the stacks of threads.
        name if name.starts_with("[stack:") => Usage::ThreadStack,
        "[vdso]" | "[vvar]" | "[vvar_vclock]" | "[vsyscall]" | "[sigpage]" | "[vectors]" => Usage::Vdso,
        name if name.starts_with("/SYSV") && region.protection.shared => Usage::SysvShm,
        name if name.starts_with("/memfd:") => Usage::Memfd,
        name if name.starts_with("/dev/shm/") => Usage::PosixShm,
        // The kernel backs `MAP_SHARED | MAP_ANONYMOUS` by an unlinked file of this name.
        "/dev/zero" if region.deleted => Usage::SharedAnonymous,
        _ if is_hugetlb(region) => Usage::Hugetlb,
        name if name.starts_with("/dev/") || name.starts_with("anon_inode:") => Usage::Device,
        _ if region.is_file() => Usage::MappedFile,
        _ if region.protection.shared => Usage::SharedAnonymous,
        _ if region.is_private_anonymous() => anonymous(region),
        _ => Usage::Unknown,
    }
}

/// Transparent huge pages keep the small page size here; only the reserved pool shows another.
fn is_hugetlb(region: &Region) -> bool {
    let page = region.counters.get(Counter::KernelPageSize);
    region.name().starts_with("/anon_hugepage") || page.is_some_and(|size| size >= Bytes::mib(1))
}

fn anonymous(region: &Region) -> Usage {
    let size = region.size();
    match region.protection {
        protection if protection.is_none() => Usage::Reserved,
        Protection { execute: true, .. } => Usage::Jit,
        _ if size < Bytes::kib(128) => Usage::AnonymousTiny,
        _ if size < Bytes::mib(1) => Usage::AnonymousSmall,
        _ if size < Bytes::mib(64) => Usage::AnonymousMedium,
        _ => Usage::AnonymousLarge,
    }
}

/// The start of the module whose segments are passing by: the same file mapped again from its beginning is a new one.
#[derive(Default)]
struct ModuleBase {
    file: Option<FileId>,
    base: Address,
}

impl ModuleBase {
    fn of(&mut self, region: &Region, modules: &HashSet<FileId>) -> Address {
        let Some(file) = file_of(region).filter(|file| modules.contains(file)) else {
            return region.range.start;
        };
        if self.file.as_ref() != Some(&file) || region.offset == Bytes::ZERO {
            (self.file, self.base) = (Some(file), region.range.start);
        }
        self.base
    }
}

/// The loader maps the part of the data segment that the file does not hold right behind the part that it does.
fn is_bss(data: &Region, region: &Region) -> bool {
    let writable = Protection { read: true, write: true, execute: false, shared: false };
    data.usage == Usage::Data
        && data.range.end == region.range.start
        && region.name.is_none()
        && region.inode == 0
        && region.protection == writable
}

/// An arena's heap is reserved at this size, aligned to it, and committed from below. Source: glibc `malloc/arena.c`,
/// `HEAP_MAX_SIZE`: twice `DEFAULT_MMAP_THRESHOLD_MAX`, so 64 MiB on 64-bit and 1 MiB on 32-bit machines.
fn arena_size(bits: u8) -> Bytes {
    if bits == 32 { Bytes::mib(1) } else { Bytes::mib(64) }
}

fn mark_arenas(regions: &mut [Region], bits: u8) {
    let whole = arena_size(bits);
    for index in 1..regions.len() {
        let reserve = &regions[index];
        let is_tail = reserve.usage == Usage::Reserved
            && reserve.is_private_anonymous()
            && reserve.range.end.is_aligned(whole)
            && reserve.size() < whole;
        if !is_tail {
            continue;
        }
        let base = Address(reserve.range.end.0 - whole.0);
        let first = chain_start(regions, index, base);
        if first == index || regions[first].range.start < base && !mostly_above(&regions[first], base) {
            continue;
        }
        if regions[first].range.start <= base {
            for region in &mut regions[first..=index] {
                region.usage = Usage::Arena;
                region.allocation_base = base;
            }
        }
    }
}

/// The first of the neighbours below `last`, all of them private anonymous memory, that reach down to `base`.
fn chain_start(regions: &[Region], last: usize, base: Address) -> usize {
    let mut first = last;
    while first > 0 && regions[first].range.start > base {
        let below = &regions[first - 1];
        let joins = below.range.end == regions[first].range.start
            && (Usage::ANONYMOUS.contains(&below.usage) || below.usage == Usage::Reserved);
        if !joins {
            break;
        }
        first -= 1;
    }
    first
}

/// A block that was mapped right below an arena is one region with its committed part.
fn mostly_above(region: &Region, base: Address) -> bool {
    region.range.end.0.saturating_sub(base.0) > region.size().0 / 2
}

fn mark_stacks(regions: &mut [Region], threads: &[Thread]) {
    // The first thread's stack is named by the kernel; its control block is no sign of a stack.
    for thread in threads.iter().filter(|thread| !thread.is_main) {
        if let Some(index) = stack_of(regions, thread) {
            regions[index].usage = Usage::ThreadStack;
            regions[index].threads.push(thread.tid);
            mark_guard(regions, index);
        }
    }
}

/// Where a thread's stack is: the control block lies in it, or the stack pointer does and a guard below proves it.
///
/// The stack pointer alone proves nothing: a Go program runs on pieces of its heap.
fn stack_of(regions: &[Region], thread: &Thread) -> Option<usize> {
    let may_be = |index: &usize| {
        let usage = regions[*index].usage;
        Usage::ANONYMOUS.contains(&usage) || matches!(usage, Usage::ThreadStack | Usage::Jit)
    };
    let by_block = thread.control_block.and_then(|address| Region::find(regions, address)).filter(may_be);
    let by_pointer = || {
        let index = thread.stack_pointer.and_then(|address| Region::find(regions, address)).filter(may_be)?;
        guard_below(regions, index).is_some().then_some(index)
    };
    by_block.or_else(by_pointer)
}

fn guard_below(regions: &[Region], stack: usize) -> Option<usize> {
    let below = stack.checked_sub(1)?;
    let guard = &regions[below];
    let is_guard = guard.range.end == regions[stack].range.start
        && matches!(guard.usage, Usage::Reserved | Usage::Guard)
        && guard.size() <= Bytes::mib(16);
    is_guard.then_some(below)
}

fn mark_guard(regions: &mut [Region], stack: usize) {
    let base = match guard_below(regions, stack) {
        Some(guard) => {
            regions[guard].usage = Usage::Guard;
            regions[guard].range.start
        }
        None => regions[stack].range.start,
    };
    regions[stack].allocation_base = base;
}

#[cfg(test)]
mod tests {
    use residue_model::Range;

    use super::*;

    fn region(start: u64, size: u64, letters: &str, name: &str) -> Region {
        let inode = if name.starts_with('/') { 7 } else { 0 };
        Region {
            range: Range { start: Address(start), end: Address(start + size) },
            protection: Protection::from_letters(letters.as_bytes()).expect("four letters"),
            name: (!name.is_empty()).then(|| name.into()),
            inode,
            ..Region::default()
        }
    }

    fn usages(regions: &mut [Region], threads: &[Thread]) -> Vec<&'static str> {
        classify(regions, threads, 64);
        regions.iter().map(|region| region.usage.key()).collect()
    }

    #[test]
    fn a_module_has_segments_and_its_bss_follows_its_data() {
        let mut regions = [
            region(0x1000, 0x1000, "r--p", "/lib/x.so"),
            Region { offset: Bytes(0x1000), ..region(0x2000, 0x1000, "r-xp", "/lib/x.so") },
            Region { offset: Bytes(0x2000), ..region(0x3000, 0x1000, "rw-p", "/lib/x.so") },
            region(0x4000, 0x1000, "rw-p", ""),
            region(0x6000, 0x1000, "rw-p", ""),
        ];
        assert_eq!(usages(&mut regions, &[]), ["rodata", "text", "data", "bss", "anonymous_under_128k"]);
        assert!(regions[..4].iter().all(|region| region.allocation_base == Address(0x1000)));
    }

    #[test]
    fn a_file_without_code_is_a_mapped_file() {
        let mut regions = [region(0x1000, 0x1000, "r--p", "/usr/lib/locale/C.utf8/LC_CTYPE")];
        assert_eq!(usages(&mut regions, &[]), ["mapped_file"]);
    }

    #[test]
    fn an_arena_is_a_reservation_of_64_mib_committed_from_below() {
        let base = 0x7f00_0000_0000;
        let mut regions = [
            region(base, 0x21000, "rw-p", ""),
            region(base + 0x21000, (64 << 20) - 0x21000, "---p", ""),
            region(base + (64 << 20) + 0x1000, 0x21000, "rw-p", ""),
            region(base + (64 << 20) + 0x22000, 0x100_0000, "---p", ""),
        ];
        assert_eq!(usages(&mut regions, &[]), ["arena", "arena", "anonymous_128k_to_1m", "reserved"]);
        assert_eq!(regions[1].allocation_base, Address(base));
    }

    #[test]
    fn a_block_mapped_right_below_an_arena_does_not_hide_it() {
        let base = 0x7f00_0000_0000;
        let mut regions = [
            region(base - 0x1000, 0x30000, "rw-p", ""),
            region(base + 0x2f000, (64 << 20) - 0x2f000, "---p", ""),
        ];
        assert_eq!(usages(&mut regions, &[]), ["arena", "arena"]);
    }

    #[test]
    fn a_stack_is_proved_by_its_control_block_or_by_its_guard() {
        let thread = |tid, stack_pointer, control_block| Thread {
            tid,
            stack_pointer: Some(Address(stack_pointer)),
            control_block,
            ..Thread::default()
        };
        let mut regions = [
            region(0x10000, 0x1000, "---p", ""),
            region(0x11000, 0x80_0000, "rw-p", ""),
            region(0x100_0000, 0x80_0000, "rw-p", ""),
            region(0x200_0000, 0x400_0000, "rw-p", ""),
        ];
        let threads = [
            Thread { is_main: true, ..thread(9, 0x1_2000, Some(Address(0x17f_0000))) },
            thread(2, 0x12000, None),
            thread(3, 0, Some(Address(0x17f_0000))),
            thread(4, 0x300_0000, None),
        ];
        assert_eq!(
            usages(&mut regions, &threads),
            ["guard", "thread_stack", "thread_stack", "anonymous_over_64m"]
        );
        assert_eq!((regions[1].threads.as_slice(), regions[2].threads.as_slice()), (&[2][..], &[3][..]));
        assert_eq!(regions[1].allocation_base, Address(0x10000));
    }

    #[test]
    fn names_of_the_kernel_and_of_shared_memory_decide() {
        let deleted = |region: Region| Region { deleted: true, ..region };
        let mut regions = [
            region(0x1000, 0x1000, "rw-p", "[heap]"),
            region(0x3000, 0x1000, "rw-s", "/SYSV00000000"),
            region(0x5000, 0x1000, "rw-s", "/dev/shm/x"),
            region(0x7000, 0x1000, "rw-s", "/memfd:x"),
            deleted(region(0x9000, 0x1000, "rw-s", "/dev/zero")),
            region(0xb000, 0x1000, "rw-s", "/dev/dri/card0"),
            region(0xd000, 0x1000, "rwxp", ""),
            region(0xf000, 0x1000, "r-xp", "[vdso]"),
            region(0x1_1000, 0x1000, "rw-p", "[stack]"),
            region(0x1_3000, 0x1000, "---p", ""),
        ];
        assert_eq!(
            usages(&mut regions, &[]),
            [
                "heap",
                "sysv_shm",
                "posix_shm",
                "memfd",
                "shared_anonymous",
                "device",
                "jit",
                "vdso",
                "main_stack",
                "reserved"
            ]
        );
    }
}
