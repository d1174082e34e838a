use gimli::{Abbreviation, AttributeValue, EntriesRaw, RangeListsOffset, Unit};

use super::effort::Stop;
use super::elf::Slice;
use super::units::Units;

/// Where the code of an entry stands, and what else it says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Code {
    low: Option<u64>,
    high: Option<u64>,
    size: Option<u64>,
    list: Option<RangeListsOffset>,
    pub(super) call_file: Option<u64>,
    pub(super) call_line: Option<u64>,
}

impl Code {
    /// Reads the attributes of an entry.
    pub(super) fn read<'a>(
        entries: &mut EntriesRaw<'_, Slice<'a>>,
        abbreviation: &Abbreviation,
        units: &Units<'a>,
        unit: &Unit<Slice<'a>>,
    ) -> Result<Code, Stop> {
        let mut code = Code::default();
        for spec in abbreviation.attributes() {
            let attribute = entries.read_attribute(*spec)?;
            let value = attribute.value();
            match attribute.name() {
                gimli::DW_AT_low_pc => code.low = units.dwarf.attr_address(unit, value)?,
                gimli::DW_AT_high_pc => match value {
                    AttributeValue::Udata(size) => code.size = Some(size),
                    value => code.high = units.dwarf.attr_address(unit, value)?,
                },
                gimli::DW_AT_ranges => code.list = units.dwarf.attr_ranges_offset(unit, value)?,
                // In DWARF 4 the number 0 stands for no file.
                gimli::DW_AT_call_file => {
                    let number = attribute.udata_value();
                    code.call_file = number.filter(|&number| number > 0 || unit.header.version() >= 5);
                }
                gimli::DW_AT_call_line => code.call_line = attribute.udata_value(),
                _ => {}
            }
        }
        Ok(code)
    }

    /// Shows each range, and says whether there was any.
    ///
    /// What begins at 0 was thrown away by the linker: it would cover the code that a shared library begins with.
    pub(super) fn each<'a>(
        &self,
        units: &Units<'a>,
        unit: &Unit<Slice<'a>>,
        show: &mut dyn FnMut(u64, u64) -> Result<(), Stop>,
    ) -> Result<bool, Stop> {
        let Some(list) = self.list else {
            let Some(begin) = self.low else { return Ok(false) };
            let end = self.size.map(|size| begin.saturating_add(size)).or(self.high);
            let Some(end) = end.filter(|&end| begin < end) else { return Ok(false) };
            if begin > 0 {
                show(begin, end)?;
            }
            return Ok(true);
        };
        let mut ranges = units.dwarf.ranges(unit, list)?;
        let mut is_told = false;
        while let Some(range) = ranges.next()? {
            units.effort.spend(1)?;
            is_told = true;
            if range.begin > 0 && range.begin < range.end {
                show(range.begin, range.end)?;
            }
        }
        Ok(is_told)
    }
}
