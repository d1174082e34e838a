use gimli::{Unit, UnitOffset};

use super::effort::Stop;
use super::elf::Slice;
use super::ranges::Code;
use super::units::Units;

/// A function that has an address, or one that was inlined there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// The entry that tells of it.
    pub(super) entry: UnitOffset,
    pub(super) is_inlined: bool,
    /// Where it was called that was inlined.
    pub(super) file: Option<u64>,
    pub(super) line: Option<u64>,
}

/// An entry that the walk is inside of.
struct Open {
    entry: UnitOffset,
    depth: isize,
    /// Which of the addresses lie in it.
    hits: Vec<usize>,
}

/// Nobody inlines deeper.
const DEEPEST: usize = 256;

/// Walks through a unit once, and gives for each of the sorted addresses the functions around it, the outermost first.
pub(super) fn around<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    addresses: &[u64],
) -> Result<Vec<Vec<Call>>, Stop> {
    let mut chains: Vec<Vec<Call>> = vec![Vec::new(); addresses.len()];
    let all: Vec<usize> = (0..addresses.len()).collect();
    let mut open: Vec<Open> = Vec::new();
    let mut entries = unit.entries_raw(None)?;
    while !entries.is_empty() {
        let (entry, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        units.effort.spend(1 + abbreviation.attributes().len())?;
        while open.last().is_some_and(|outer| outer.depth >= depth) {
            open.pop();
        }
        let is_inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine;
        let outer = open.last();
        let candidates = match outer {
            Some(outer) if is_inlined => &outer.hits,
            _ if abbreviation.tag() == gimli::DW_TAG_subprogram => &all,
            _ => &Vec::new(),
        };
        if candidates.is_empty() || open.len() == DEEPEST {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let code = Code::read(&mut entries, abbreviation, units, unit)?;
        let mut hits = hits(&code, units, unit, addresses, candidates)?;
        let is_free = |index: &usize| match outer {
            // Where two were inlined side by side, an address lies in one of them.
            Some(outer) if is_inlined => chains[*index].last().is_some_and(|call| call.entry == outer.entry),
            Some(outer) if outer.hits.binary_search(index).is_ok() => true,
            _ => chains[*index].is_empty(),
        };
        hits.retain(is_free);
        let call = Call { entry, is_inlined, file: code.call_file, line: code.call_line };
        for &index in &hits {
            if !is_inlined {
                chains[index].clear();
            }
            chains[index].push(call);
        }
        // One without hits hides the functions inside of it from the one around.
        if !hits.is_empty() || !open.is_empty() {
            open.push(Open { entry, depth, hits });
        }
    }
    Ok(chains)
}

/// Those of the candidates that lie in the code of an entry.
fn hits<'a>(
    code: &Code,
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    addresses: &[u64],
    candidates: &[usize],
) -> Result<Vec<usize>, Stop> {
    let mut hits = Vec::new();
    code.each(units, unit, &mut |begin, end| {
        let first = candidates.partition_point(|&index| addresses[index] < begin);
        let behind = candidates.partition_point(|&index| addresses[index] < end);
        units.effort.spend(behind - first)?;
        hits.extend_from_slice(&candidates[first..behind]);
        Ok(())
    })?;
    hits.sort_unstable();
    hits.dedup();
    Ok(hits)
}
