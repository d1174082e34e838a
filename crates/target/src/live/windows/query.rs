use residue_model::{Address, Pages, Range};
use windows_sys::Win32::System::Memory::{MEMORY_BASIC_INFORMATION, VirtualQueryEx};

use super::access::Handle;
use crate::windows::Queried;

/// Shows every range that is not free, in order of address; gives how many there were.
///
/// Source: `VirtualQueryEx`; above the last address it fails.
pub(super) fn walk(process: &Handle, visit: &mut dyn FnMut(&Queried)) -> usize {
    let (mut at, mut seen) = (0, 0);
    while let Some(info) = at_address(process, at) {
        let start = info.BaseAddress as u64;
        let end = start.saturating_add(info.RegionSize as u64);
        if info.State != Pages::FREE {
            visit(&queried(&info, Range { start: Address(start), end: Address(end) }));
            seen += 1;
        }
        if end <= at {
            break;
        }
        at = end;
    }
    seen
}

/// The range that an address is in, unless it is free or out of reach.
pub(super) fn containing(process: &Handle, address: Address) -> Option<Queried> {
    let info = at_address(process, address.0)?;
    let start = info.BaseAddress as u64;
    let range = Range { start: Address(start), end: Address(start.saturating_add(info.RegionSize as u64)) };
    Some(queried(&info, range))
}

fn at_address(process: &Handle, at: u64) -> Option<MEMORY_BASIC_INFORMATION> {
    let address = usize::try_from(at).ok()?;
    let mut info = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: the structure is a local of the size that is told; the address is only looked up, never followed.
    let written = unsafe {
        VirtualQueryEx(
            process.raw(),
            address as *const _,
            &raw mut info,
            size_of::<MEMORY_BASIC_INFORMATION>(),
        )
    };
    (written == size_of::<MEMORY_BASIC_INFORMATION>()).then_some(info)
}

fn queried(info: &MEMORY_BASIC_INFORMATION, range: Range) -> Queried {
    // Reserved memory has no protection. Wine tells the one that it was reserved with.
    let protect = if info.State == Pages::COMMIT { info.Protect } else { 0 };
    Queried {
        range,
        allocation_base: Address(info.AllocationBase as u64),
        pages: Pages { state: info.State, kind: Some(info.Type), protect: Some(protect) },
        resident: None,
    }
}
