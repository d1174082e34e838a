use std::sync::Arc;

use residue_model::{Address, Bytes, Gap, Protection, Region};

use super::notes::{MappedFile, Notes};

/// Gives regions the names of the files behind them, and adds those of which only the name is left.
pub(super) fn name(regions: &mut Vec<Region>, notes: &Notes, gaps: &mut Vec<Gap>) {
    for region in regions.iter_mut() {
        match holding(&notes.files, region.range.start) {
            Some(file) => put(region, file),
            // Without a list of files, executable memory is a program's as likely as a compiler's.
            None if !notes.has_files && region.protection.execute => region.name = Some("[code]".into()),
            None => {}
        }
    }
    let before = regions.len();
    let unseen: Vec<Region> =
        notes.files.iter().filter(|file| !is_covered(regions, file)).map(only_named).collect();
    regions.extend(unseen);
    if regions.len() > before {
        gaps.push(Gap::new(
            format!("protection and content of {} mapped files", regions.len() - before),
            "the core names them but has no segment for them",
        ));
    }
}

/// The mapped file at an address.
pub(super) fn holding(files: &[MappedFile], address: Address) -> Option<&MappedFile> {
    let behind = files.partition_point(|file| file.range.start <= address);
    files[..behind].last().filter(|file| file.range.contains(address))
}

fn put(region: &mut Region, file: &MappedFile) {
    const DELETED: &str = " (deleted)";
    region.deleted = file.name.ends_with(DELETED);
    let name = file.name.strip_suffix(DELETED).unwrap_or(&file.name);
    region.name = Some(if region.deleted { name.into() } else { file.name.clone() });
    region.offset = Bytes(file.offset.saturating_add(region.range.start.0 - file.range.start.0));
    // The list does not tell, but these are made for sharing only.
    region.protection.shared = name.starts_with("/SYSV") || name == "/dev/zero" && region.deleted;
}

fn is_covered(regions: &[Region], file: &MappedFile) -> bool {
    let next = regions.partition_point(|region| region.range.end <= file.range.start);
    regions.get(next).is_some_and(|region| region.range.start < file.range.end)
}

fn only_named(file: &MappedFile) -> Region {
    let protection = Protection { read: true, ..Protection::default() };
    let mut region =
        Region { range: file.range, protection, allocation_base: file.range.start, ..Region::default() };
    put(&mut region, file);
    region
}

/// Names what a live process's map names and a core does not: heap, stack, vdso.
pub(super) fn landmarks(regions: &mut [Region], notes: &Notes, cpu: &str) {
    let mut name = |address: Option<Address>, name: &str| {
        let index = address.and_then(|address| Region::find(regions, address));
        if let Some(region) = index.map(|index| &mut regions[index]).filter(|region| region.inode == 0) {
            region.name = Some(name.into());
        }
    };
    name(notes.auxv.in_stack, "[stack]");
    name(notes.auxv.vdso, "[vdso]");
    name(Some(VSYSCALL).filter(|_| cpu == "x86-64"), "[vsyscall]");
    kernel_data(regions);
    if let Some(heap) = heap(regions, notes, cpu) {
        regions[heap].name = Some("[heap]".into());
    }
}

/// The kernel's data for the vdso stands right below it, in one region or two, and is never dumped.
fn kernel_data(regions: &mut [Region]) {
    let Some(vdso) = regions.iter().position(|region| region.name() == "[vdso]") else { return };
    let only_read = Protection { read: true, ..Protection::default() };
    let below = regions[..=vdso].windows(2).rev().take_while(|pair| {
        pair[0].range.end == pair[1].range.start && pair[0].name.is_none() && pair[0].protection == only_read
    });
    let names = match below.count() {
        0 => return,
        1 => &["[vvar]"][..],
        _ => &["[vvar]", "[vvar_vclock]"],
    };
    for (region, name) in regions[vdso - names.len()..vdso].iter_mut().zip(names) {
        region.name = Some((*name).into());
    }
}

/// Where x86-64 kernels show a page of their own to every process.
const VSYSCALL: Address = Address(0xffff_ffff_ff60_0000);

/// The brk heap: the first writable memory without a file behind the program's own segments, as far off as the kernel
/// may put it at random.
///
/// Source: `arch_randomize_brk`: 1 GiB on 64-bit arm and, since Linux 6.9, on x86-64; 32 MiB elsewhere.
fn heap(regions: &[Region], notes: &Notes, cpu: &str) -> Option<usize> {
    let reach = if matches!(cpu, "aarch64" | "x86-64") { Bytes::gib(1) } else { Bytes::mib(32) };
    let program: Arc<str> = regions[Region::find(regions, notes.auxv.entry?)?].name.clone()?;
    let last = regions.iter().rposition(|region| region.name.as_ref() == Some(&program))?;
    let mut end = regions[last].range.end;
    for (index, region) in regions.iter().enumerate().skip(last + 1) {
        let is_plain = region.name.is_none() && region.protection.write && !region.protection.execute;
        if !is_plain || region.range.start.0 - end.0 >= reach.0 + 0x1000 {
            return None;
        }
        // What touches the program's data is the part of it that starts as zeros.
        if region.range.start != end {
            return Some(index);
        }
        end = region.range.end;
    }
    None
}
