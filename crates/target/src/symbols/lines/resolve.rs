use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use gimli::{EndianSlice, Unit};
use residue_model::recording::Place;

use super::effort::{Effort, Stop};
use super::elf::{Elf, Sections, Slice, size};
use super::functions::{Call, around};
use super::names::{Name, Names};
use super::rows::{Row, path, rows};
use super::split::{Off, Split};
use super::units::Units;

/// What the debug information of an image tells of its addresses.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) places: HashMap<u64, Places>,
    /// What of it cannot be believed.
    pub(super) stops: BTreeSet<&'static str>,
    /// The files that functions were split off to, and that are not here.
    pub(super) unsplit: BTreeSet<String>,
}

/// What stands at one address.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) places: Vec<Place>,
    /// Whether the function that has the code is known by no more than its bare name.
    pub(super) is_bare: bool,
}

/// Looks up sorted addresses.
pub(super) fn resolve(debug: &Elf, shared: Option<&Elf>, split: &Split, addresses: &[u64]) -> Told {
    let mut told = Told::default();
    if let Err(stop) = resolve_in(debug, shared, split, addresses, &mut told) {
        told.stop(stop);
    }
    told
}

fn resolve_in(
    debug: &Elf,
    shared: Option<&Elf>,
    split: &Split,
    addresses: &[u64],
    told: &mut Told,
) -> Result<(), Stop> {
    let sections = debug.sections()?;
    let shared_sections = shared.map_or_else(|| Ok(Sections::default()), Elf::sections)?;
    let effort = Effort::of(size(&sections) + size(&shared_sections));
    let borrow = |bytes| EndianSlice::new(bytes, debug.endian);
    let shared_dwarf = shared_sections.borrow(|bytes| borrow(bytes));
    let shared_units = Units::of(&shared_dwarf, None, &effort);
    let dwarf = sections.borrow_with_sup(shared.is_some().then_some(&shared_sections), |bytes| borrow(bytes));
    let units = Units::of(&dwarf, shared.is_some().then_some(&shared_units), &effort);
    for (index, addresses) in units.holding(addresses)? {
        let unit = match units.unit(index) {
            Ok(unit) => unit,
            Err(stop) => {
                told.stop(stop);
                continue;
            }
        };
        if let Err(stop) = told.add(&units, &unit, split, &addresses) {
            told.stop(stop);
            if stop == Stop::Exhausted {
                break;
            }
        }
    }
    Ok(())
}

impl Told {
    fn stop(&mut self, stop: Stop) {
        self.stops.insert(match stop {
            Stop::Damaged => "some of its debug information is damaged",
            Stop::Exhausted => "its debug information asks for far more work than any compiler's",
        });
    }

    /// Adds what one unit tells.
    fn add<'a>(
        &mut self,
        units: &Units<'a>,
        unit: &Rc<Unit<Slice<'a>>>,
        split: &Split,
        addresses: &[u64],
    ) -> Result<(), Stop> {
        let rows = match rows(units, unit, addresses) {
            Err(Stop::Damaged) => {
                self.stop(Stop::Damaged);
                vec![None; addresses.len()]
            }
            rows => rows?,
        };
        let lines = Lines { units, unit, addresses, rows, paths: HashMap::new() };
        let Some(off) = Off::of(units.dwarf, unit)? else {
            return self.join(lines, units, unit);
        };
        for file in split.files(&off) {
            let effort = Effort::of(file.size());
            let Ok(Some(dwarf)) = file.dwarf(off.id, units.dwarf) else { continue };
            let split_units = Units::of(&dwarf, None, &effort);
            if let Ok(Some(whole)) = split_units.split_unit(off.id, unit) {
                return self.join(lines, &split_units, &whole);
            }
        }
        self.unsplit.insert(off.shown());
        self.join(lines, units, unit)
    }

    /// Puts together lines, and the functions that another unit may tell of.
    fn join<'a>(
        &mut self,
        mut lines: Lines<'_, '_>,
        units: &Units<'a>,
        unit: &Unit<Slice<'a>>,
    ) -> Result<(), Stop> {
        let chains = match around(units, unit, lines.addresses) {
            Err(Stop::Damaged) => {
                self.stop(Stop::Damaged);
                vec![Vec::new(); lines.addresses.len()]
            }
            chains => chains?,
        };
        let mut names = Names::of(units, unit);
        for (index, chain) in chains.into_iter().enumerate() {
            let places = lines.places(index, &chain, &mut names)?;
            // Of two units that claim an address, the one that knows more of it is right.
            let known = self.places.entry(lines.addresses[index]).or_default();
            if places.places.len() > known.places.len() {
                *known = places;
            }
        }
        Ok(())
    }
}

/// The lines of one unit's addresses.
struct Lines<'u, 'a> {
    units: &'u Units<'a>,
    unit: &'u Unit<Slice<'a>>,
    addresses: &'u [u64],
    rows: Vec<Option<Row>>,
    /// Files by their number.
    paths: HashMap<u64, Option<Arc<str>>>,
}

impl Lines<'_, '_> {
    /// What stands at an address around which there are these functions, the outermost first.
    fn places(&mut self, index: usize, chain: &[Call], names: &mut Names<'_, '_>) -> Result<Places, Stop> {
        let mut at = self.rows[index];
        let mut found = Places::default();
        for call in chain.iter().rev() {
            let name = names.name(call.entry)?;
            found.is_bare = name.as_ref().is_none_or(|Name { is_full, .. }| !is_full);
            let function = name.map(|name| name.text);
            found.places.push(Place { is_inlined: call.is_inlined, ..self.place(at, function)? });
            at = call.file.map(|file| Row { file, line: call.line.unwrap_or_default() });
        }
        if chain.is_empty() && at.is_some() {
            found.is_bare = true;
            found.places.push(self.place(at, None)?);
        }
        Ok(found)
    }

    fn place(&mut self, at: Option<Row>, function: Option<Arc<str>>) -> Result<Place, Stop> {
        let Some(row) = at else { return Ok(Place { function, ..Place::default() }) };
        if !self.paths.contains_key(&row.file) {
            let path = path(self.units, self.unit, row.file);
            self.units.effort.spend(path.as_ref().map_or(1, String::len))?;
            self.paths.insert(row.file, path.map(Into::into));
        }
        let file = self.paths.get(&row.file).cloned().flatten();
        let line = u32::try_from(row.line).ok().filter(|&line| line > 0);
        Ok(Place { function, file, line, is_inlined: false })
    }
}
