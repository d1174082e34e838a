//! The units of debug information: which of them has code at an address, and each read but once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use gimli::{
    Abbreviations, DebugAbbrev, DebugInfoOffset, Dwarf, DwoId, Reader, Section, Unit, UnitHeader, UnitOffset,
    UnitType,
};

use super::effort::{Effort, Stop};
use super::elf::Slice;
use super::ranges::Code;

/// The units of one file, or of one split unit.
pub(super) struct Units<'a> {
    pub(super) dwarf: &'a Dwarf<Slice<'a>>,
    pub(super) effort: &'a Effort,
    /// Those of the file that it shares tables with.
    pub(super) shared: Option<&'a Units<'a>>,
    /// In order of offset, without those that only hold types.
    headers: Vec<UnitHeader<Slice<'a>>>,
    /// Where the tables of abbreviations begin: where one begins, that before it has ended.
    tables: Vec<usize>,
    abbreviations: RefCell<HashMap<usize, Arc<Abbreviations>>>,
    read: RefCell<HashMap<usize, Rc<Unit<Slice<'a>>>>>,
}

/// Addresses by the unit that has them.
type Holding = BTreeMap<usize, Vec<u64>>;
type Entry<'a> = (Rc<Unit<Slice<'a>>>, UnitOffset);

/// More units than this has no program.
const MOST: usize = 1 << 20;
/// More files than fit into this many bytes has no unit.
const LONGEST_HEADER: u64 = 2 << 20;

impl<'a> Units<'a> {
    /// Finds where they begin; those behind a damage are lost.
    pub(super) fn of(
        dwarf: &'a Dwarf<Slice<'a>>,
        shared: Option<&'a Units<'a>>,
        effort: &'a Effort,
    ) -> Units<'a> {
        let mut headers = Vec::new();
        let mut all = dwarf.units();
        while let Ok(Some(header)) = all.next() {
            let is_type = matches!(header.type_(), UnitType::Type { .. } | UnitType::SplitType { .. });
            if !is_type && headers.len() < MOST {
                headers.push(header);
            }
        }
        let mut tables: Vec<usize> = headers.iter().map(|header| header.debug_abbrev_offset().0).collect();
        tables.sort_unstable();
        tables.dedup();
        Units {
            dwarf,
            effort,
            shared,
            headers,
            tables,
            abbreviations: RefCell::default(),
            read: RefCell::default(),
        }
    }

    /// For each unit that has code at some of the addresses, in order: which they are.
    ///
    /// The index of all addresses (`.debug_aranges`) tells it at once; units that it does not have are looked into.
    pub(super) fn holding(&self, addresses: &[u64]) -> Result<Holding, Stop> {
        let (mut holding, listed) = self.listed(addresses)?;
        let mut known: Vec<u64> = holding.values().flatten().copied().collect();
        known.sort_unstable();
        let rest: Vec<u64> =
            addresses.iter().copied().filter(|address| known.binary_search(address).is_err()).collect();
        if rest.is_empty() {
            return Ok(holding);
        }
        for (index, header) in self.headers.iter().enumerate() {
            if listed.get(index).copied().unwrap_or_default() || header.type_() == UnitType::Partial {
                continue;
            }
            match self.inside(index, &rest) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => drop(holding.insert(index, found)),
                Err(Stop::Damaged) => {}
                Err(Stop::Exhausted) => return Err(Stop::Exhausted),
            }
        }
        Ok(holding)
    }

    /// What the index says, and which units it has.
    fn listed(&self, addresses: &[u64]) -> Result<(Holding, Vec<bool>), Stop> {
        let mut holding = Holding::new();
        let mut listed = vec![false; self.headers.len()];
        let mut sets = self.dwarf.debug_aranges.headers();
        while let Ok(Some(set)) = sets.next() {
            self.effort.spend(1)?;
            let Some(index) = self.index(set.debug_info_offset()) else { continue };
            let mut entries = set.entries();
            while let Ok(Some(entry)) = entries.next_raw() {
                self.effort.spend(1)?;
                let (begin, end) = (entry.address(), entry.address().saturating_add(entry.length()));
                if begin == end {
                    continue;
                }
                listed[index] = true;
                let found = within(addresses, begin, end);
                if begin > 0 && !found.is_empty() {
                    self.effort.spend(found.len())?;
                    holding.entry(index).or_default().extend(found);
                }
            }
        }
        for found in holding.values_mut() {
            found.sort_unstable();
            found.dedup();
        }
        Ok((holding, listed))
    }

    fn index(&self, offset: DebugInfoOffset) -> Option<usize> {
        self.headers.binary_search_by_key(&Some(offset), UnitHeader::debug_info_offset).ok()
    }

    /// Those of the addresses that lie in a unit, as it says itself. What has no ranges of its own may have lines.
    fn inside(&self, index: usize, addresses: &[u64]) -> Result<Vec<u64>, Stop> {
        let header = &self.headers[index];
        let abbreviations = self.abbreviations(header)?;
        let mut entries = header.entries_raw(&abbreviations, None)?;
        let Some(root) = entries.read_abbreviation()? else { return Ok(Vec::new()) };
        if root.tag() == gimli::DW_TAG_partial_unit {
            return Ok(Vec::new());
        }
        let unit = self.build(index)?;
        let code = Code::read(&mut entries, root, self, &unit)?;
        let mut found = Vec::new();
        let is_told = code.each(self, &unit, &mut |begin, end| {
            let inside = within(addresses, begin, end);
            self.effort.spend(inside.len())?;
            found.extend(inside);
            Ok(())
        })?;
        if !is_told {
            found = super::rows::covered(self, &unit, addresses)?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The unit at a place in the list, read when it is first asked for.
    pub(super) fn unit(&self, index: usize) -> Result<Rc<Unit<Slice<'a>>>, Stop> {
        if let Some(unit) = self.read.borrow().get(&index) {
            return Ok(unit.clone());
        }
        let unit = Rc::new(self.build(index)?);
        self.read.borrow_mut().insert(index, unit.clone());
        Ok(unit)
    }

    /// The split unit of that ID, which takes from `skeleton` what only the linker knew.
    pub(super) fn split_unit(
        &self,
        id: DwoId,
        skeleton: &Unit<Slice<'a>>,
    ) -> Result<Option<Rc<Unit<Slice<'a>>>>, Stop> {
        for index in 0..self.headers.len() {
            let mut unit = self.build(index)?;
            if unit.dwo_id == Some(id) {
                unit.copy_relocated_attributes(skeleton);
                let unit = Rc::new(unit);
                self.read.borrow_mut().insert(index, unit.clone());
                return Ok(Some(unit));
            }
        }
        Ok(None)
    }

    /// The unit that an entry stands in, and where in it.
    pub(super) fn entry(&self, offset: DebugInfoOffset) -> Result<Option<Entry<'a>>, Stop> {
        let behind = self.headers.partition_point(|header| header.debug_info_offset() <= Some(offset));
        let Some(index) = behind.checked_sub(1) else { return Ok(None) };
        let unit = self.unit(index)?;
        let inside = offset.to_unit_offset(&unit.header);
        Ok(inside.map(|inside| (unit, inside)))
    }

    fn build(&self, index: usize) -> Result<Unit<Slice<'a>>, Stop> {
        let header = self.headers[index];
        let abbreviations = self.abbreviations(&header)?;
        self.check_files(&header, &abbreviations)?;
        Ok(Unit::new_with_abbreviations(self.dwarf, header, abbreviations)?)
    }

    /// A table of abbreviations ends where the next begins at the latest: each byte is read once.
    fn abbreviations(&self, header: &UnitHeader<Slice<'a>>) -> Result<Arc<Abbreviations>, Stop> {
        let offset = header.debug_abbrev_offset();
        if let Some(known) = self.abbreviations.borrow().get(&offset.0) {
            return Ok(known.clone());
        }
        let section = *self.dwarf.debug_abbrev.reader();
        let next = self.tables.partition_point(|&table| table <= offset.0);
        let end = self.tables.get(next).map_or(section.len(), |&end| end.min(section.len()));
        let table = DebugAbbrev::from(section.range_to(..end)).abbreviations(offset)?;
        let table = Arc::new(table);
        self.abbreviations.borrow_mut().insert(offset.0, table.clone());
        Ok(table)
    }

    /// Makes sure that a unit's list of files is worth to be read: it becomes much larger than it was.
    fn check_files(&self, header: &UnitHeader<Slice<'a>>, abbreviations: &Abbreviations) -> Result<(), Stop> {
        let mut entries = header.entries_raw(abbreviations, None)?;
        let Some(root) = entries.read_abbreviation()? else { return Err(Stop::Damaged) };
        self.effort.spend(root.attributes().len() + 1)?;
        for spec in root.attributes() {
            let attribute = entries.read_attribute(*spec)?;
            let gimli::AttributeValue::DebugLineRef(offset) = attribute.value() else { continue };
            let mut table = *self.dwarf.debug_line.reader();
            table.skip(offset.0)?;
            let (length, format) = table.read_initial_length()?;
            table.truncate(length.min(table.len()))?;
            let version = table.read_u16()?;
            if version >= 5 {
                table.skip(2)?;
            }
            let length = table.read_length(format)? as u64;
            if length > LONGEST_HEADER {
                return Err(Stop::Exhausted);
            }
            self.effort.spend(usize::try_from(length).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }
}

/// Those of the sorted addresses that lie in a range.
pub(super) fn within(addresses: &[u64], begin: u64, end: u64) -> &[u64] {
    let first = addresses.partition_point(|&address| address < begin);
    let behind = addresses.partition_point(|&address| address < end);
    addresses.get(first..behind).unwrap_or_default()
}
