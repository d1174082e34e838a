mod linux;
mod windows;

use residue_model::{Memory, Os, Region, Snapshot, Usage};

/// Says of each region what it is used for, and where its allocation begins.
///
/// Regions must be in order of address. `memory` is looked at for what only it tells: the blocks in which Windows
/// keeps where stacks and heaps are.
pub fn classify(snapshot: &mut Snapshot, memory: &dyn Memory) {
    match snapshot.machine.os {
        Os::Windows => windows::classify(snapshot, memory),
        Os::Linux => linux::classify(&mut snapshot.regions, &snapshot.threads, snapshot.space.bits),
        Os::MacOs | Os::Other => by_modules(snapshot),
    }
    mark_saved_stacks(snapshot);
}

/// Where the system lists no regions, its modules tell what is a program's.
fn by_modules(snapshot: &mut Snapshot) {
    for region in &mut snapshot.regions {
        region.usage = if region.name.is_some() { Usage::Image } else { Usage::Unknown };
    }
}

/// A dump that saved little else saved the stack of each thread: what a stack pointer points at, and nothing else
/// claims, is one.
fn mark_saved_stacks(snapshot: &mut Snapshot) {
    let is_derived = snapshot.dump.is_some() && snapshot.regions.iter().all(|region| region.flags.is_none());
    if !is_derived || snapshot.machine.os == Os::Linux && snapshot.regions.iter().any(Region::is_file) {
        return;
    }
    let stack = if snapshot.machine.os == Os::Windows { Usage::Stack } else { Usage::ThreadStack };
    for thread in &snapshot.threads {
        let Some(pointer) = thread.stack_pointer else { continue };
        let Some(index) = Region::find(&snapshot.regions, pointer) else { continue };
        let region = &mut snapshot.regions[index];
        if matches!(region.usage, Usage::Unknown | Usage::Unclaimed) {
            region.usage = stack;
            region.threads.push(thread.tid);
        }
    }
}
