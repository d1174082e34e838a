use std::collections::HashMap;
use std::sync::Arc;

use gimli::{AttributeValue, Unit, UnitOffset};

use super::effort::Stop;
use super::elf::Slice;
use super::units::Units;
use crate::symbols::demangle;

/// What the functions of one unit are called.
pub(super) struct Names<'u, 'a> {
    units: &'u Units<'a>,
    unit: &'u Unit<Slice<'a>>,
    known: HashMap<UnitOffset, Option<Name>>,
}

/// What a function is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Demangled and printable.
    pub(super) text: Arc<str>,
    /// Whether it tells of scopes and parameters too, as linkers know them.
    pub(super) is_full: bool,
}

/// What an entry and those that it refers to say.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    linkage: Option<Slice<'a>>,
    name: Option<Slice<'a>>,
}

/// From what was inlined to the function, and from there to what it was declared as: no compiler goes further.
const FURTHEST: usize = 8;

impl<'u, 'a> Names<'u, 'a> {
    pub(super) fn of(units: &'u Units<'a>, unit: &'u Unit<Slice<'a>>) -> Names<'u, 'a> {
        Names { units, unit, known: HashMap::new() }
    }

    /// The name of the function that an entry tells of.
    pub(super) fn name(&mut self, entry: UnitOffset) -> Result<Option<Name>, Stop> {
        if let Some(known) = self.known.get(&entry) {
            return Ok(known.clone());
        }
        let said = match said(self.units, self.unit, entry, FURTHEST) {
            Err(Stop::Damaged) => Said::default(),
            said => said?,
        };
        let text = said.linkage.or(said.name);
        self.units.effort.spend(text.map_or(0, |text| text.len()))?;
        let name = text
            .filter(|text| !text.is_empty())
            .map(|text| Name { text: demangle(text.slice()).into(), is_full: said.linkage.is_some() });
        self.known.insert(entry, name.clone());
        Ok(name)
    }
}

fn said<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    entry: UnitOffset,
    far: usize,
) -> Result<Said<'a>, Stop> {
    let (mut said, mut next) = (Said::default(), None);
    let mut entries = unit.entries_raw(Some(entry))?;
    let Some(abbreviation) = entries.read_abbreviation()? else { return Ok(said) };
    units.effort.spend(1 + abbreviation.attributes().len())?;
    for spec in abbreviation.attributes() {
        let attribute = entries.read_attribute(*spec)?;
        let value = attribute.value();
        match attribute.name() {
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                said.linkage = units.dwarf.attr_string(unit, value).ok();
            }
            gimli::DW_AT_name => said.name = units.dwarf.attr_string(unit, value).ok(),
            gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => next = Some(value),
            _ => {}
        }
    }
    if said.linkage.is_none()
        && far > 0
        && let Some(next) = next
    {
        let more = follow(units, unit, next, far - 1)?;
        said = Said { linkage: more.linkage, name: said.name.or(more.name) };
    }
    Ok(said)
}

fn follow<'a>(
    units: &Units<'a>,
    unit: &Unit<Slice<'a>>,
    to: AttributeValue<Slice<'a>>,
    far: usize,
) -> Result<Said<'a>, Stop> {
    let (units, offset) = match to {
        AttributeValue::UnitRef(offset) => return said(units, unit, offset, far),
        AttributeValue::DebugInfoRef(offset) => (units, offset),
        AttributeValue::DebugInfoRefSup(offset) => match units.shared {
            Some(shared) => (shared, offset),
            None => return Ok(Said::default()),
        },
        _ => return Ok(Said::default()),
    };
    match units.entry(offset)? {
        Some((unit, inside)) => said(units, &unit, inside, far),
        None => Ok(Said::default()),
    }
}
