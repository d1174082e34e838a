//! `smaps`: each region with its counters.
//!
//! The dearest file of `/proc` (24 lines a region, and the target's `mmap` waits while it is read), so it is read in one
//! pass with nothing allocated per line or region.
//!
//! Source: `proc_pid_smaps(5)`, `show_smap` in `fs/proc/task_mmu.c`. The file says kB and means KiB.

use std::io::Read;
use std::sync::Arc;

use residue_model::{Bytes, Counter, Counters, Region};

use super::maps::{self, Header, Names};
use super::number::{decimal, key_value};
use super::{Lines, printable};
use crate::{Error, Result};

/// One region as it is read; reused for the next.
#[derive(Debug, Default)]
pub struct Record {
    /// Where it stands and what may be done with it.
    pub header: Header,
    /// Its name as the kernel prints it.
    pub name: Vec<u8>,
    /// Its counters.
    pub counters: Counters,
    /// Its kernel flags: `rd wr mr mw me ac`.
    pub flags: Vec<u8>,
}

/// Hands each region to `each`, and returns the keys that this version does not know.
///
/// # Errors
/// [`crate::ErrorKind::Syntax`] with the line's number, when a known field holds no number or the first line is no
/// region.
pub fn visit(input: impl Read, mut each: impl FnMut(&Record)) -> Result<Vec<String>> {
    let mut lines = Lines::of(input);
    let mut layout = Layout::default();
    let mut record = Record::default();
    let mut started = false;
    while let Some(line) = lines.advance().map_err(|error| Error::reading("smaps", error))? {
        // Fields start with a capital letter, regions with an address in small letters.
        if !line.first().is_some_and(u8::is_ascii_uppercase) {
            let Some((header, name)) = maps::parse(line) else {
                return Err(Error::syntax("smaps", lines.number(), "not a region"));
            };
            if started {
                each(&record);
            }
            started = true;
            record.begin(header, name);
            layout.rewind();
            let taken = layout.block(lines.ahead(), &mut record);
            lines.skip(taken.bytes, taken.lines);
        } else if !started || layout.field(line, &mut record).is_none() {
            return Err(Error::syntax("smaps", lines.number(), "a field without its number"));
        }
    }
    if started {
        each(&record);
    }
    Ok(layout.unknown)
}

/// Reads all regions, and returns the keys that this version does not know.
///
/// # Errors
/// As [`visit`].
pub fn read(input: impl Read, regions: &mut Vec<Region>) -> Result<Vec<String>> {
    let mut names = Names::default();
    let mut flags = Flags::default();
    regions.clear();
    visit(input, |record| {
        let mut region = names.region(&record.header, &record.name);
        region.counters = record.counters.clone();
        region.flags = flags.share(&record.flags);
        regions.push(region);
    })
}

impl Record {
    fn begin(&mut self, header: Header, name: &[u8]) {
        self.header = header;
        self.name.clear();
        self.name.extend_from_slice(name);
        self.counters.clear();
        self.flags.clear();
    }
}

/// The order of the fields, learned from the first region.
///
/// Within one kernel every region prints the same keys, and values from the same column on. So the key of the next line
/// is known before it is read, one comparison confirms it, and whole blocks of lines need not be searched for their ends:
/// that is a third of the time of reading 60 000 regions. Whatever looks different is read the slow way.
#[derive(Default)]
struct Layout {
    keys: Vec<(Padded, Meaning)>,
    next: usize,
    unknown: Vec<String>,
}

/// A key with its colon and padding: the kernel prints values from column 16 on.
type Padded = [u8; 16];

/// No kernel prints more; a forged capture may, and every one learned makes the next slower.
const MOST_KEYS: usize = 64;

/// A line of a counter: the key, a number of eight columns, ` kB`.
const LINE: usize = 28;
const UNIT: &[u8; 4] = b" kB\n";
const ZERO: &[u8; 8] = b"       0";

#[derive(Clone, Copy)]
enum Meaning {
    Counter(Counter),
    Other,
}

/// How much of the input was taken at once.
#[derive(Default)]
struct Taken {
    bytes: usize,
    lines: usize,
}

impl Layout {
    fn rewind(&mut self) {
        self.next = 0;
    }

    /// Takes the lines that look just as expected; it ends at the first that does not.
    fn block(&mut self, ahead: &[u8], record: &mut Record) -> Taken {
        let mut taken = Taken::default();
        while let Some((expected, meaning)) = self.keys.get(self.next)
            && let Some(line) = ahead[taken.bytes..].first_chunk::<LINE>()
            && line.starts_with(expected)
            && line.ends_with(UNIT)
            && let Some(kib) = column(&line[16..24])
        {
            if let Meaning::Counter(counter) = *meaning {
                record.counters.set(counter, Bytes::kib(kib));
            }
            self.next += 1;
            taken.bytes += LINE;
            taken.lines += 1;
        }
        taken
    }

    /// Takes one field; `None` when a known one holds no number.
    fn field(&mut self, line: &[u8], record: &mut Record) -> Option<()> {
        if let Some((key, value)) = line.split_first_chunk::<16>()
            && let Some((expected, meaning)) = self.keys.get(self.next)
            && key == expected
        {
            self.next += 1;
            if let Meaning::Counter(counter) = *meaning {
                record.counters.set(counter, Bytes::kib(decimal(value)?));
            }
            return Some(());
        }
        self.learn(line, record)
    }

    fn learn(&mut self, line: &[u8], record: &mut Record) -> Option<()> {
        let (key, value) = key_value(line)?;
        let meaning = if let Some(counter) = Counter::from_key(key) {
            record.counters.set(counter, Bytes::kib(decimal(value)?));
            Meaning::Counter(counter)
        } else {
            self.other(key, value, record);
            Meaning::Other
        };
        if key == b"VmFlags" {
            return Some(());
        }
        if let Some(padded) = line.first_chunk::<16>()
            && key.len() < padded.len()
        {
            match self.keys.iter().position(|(known, _)| known == padded) {
                Some(place) => self.next = place + 1,
                // A value that starts further left would become part of the key.
                None if self.keys.len() < MOST_KEYS
                    && padded[key.len() + 1..].iter().all(|&byte| byte == b' ') =>
                {
                    self.keys.push((*padded, meaning));
                    self.next = self.keys.len();
                }
                None => {}
            }
        }
        Some(())
    }

    fn other(&mut self, key: &[u8], value: &[u8], record: &mut Record) {
        match key {
            b"VmFlags" => record.flags.extend_from_slice(value),
            // `Size` is the range itself; the other two count no memory.
            b"Size" | b"THPeligible" | b"ProtectionKey" => {}
            _ => {
                let name = printable(key);
                if self.unknown.len() < 64 && !self.unknown.contains(&name) {
                    self.unknown.push(name);
                }
            }
        }
    }
}

/// A number that fills its column from the right. Most are zero.
fn column(digits: &[u8]) -> Option<u64> {
    if digits == ZERO {
        return Some(0);
    }
    let padding = digits.iter().take_while(|&&byte| byte == b' ').count();
    let number = &digits[padding..];
    if number.iter().all(u8::is_ascii_digit) { decimal(number) } else { None }
}

/// The few combinations of flags that a process has, each kept once.
#[derive(Default)]
struct Flags(Vec<Arc<str>>);

impl Flags {
    fn share(&mut self, raw: &[u8]) -> Option<Arc<str>> {
        if raw.is_empty() {
            return None;
        }
        if let Some(known) = self.0.iter().find(|known| known.as_bytes() == raw) {
            return Some(Arc::clone(known));
        }
        let flags: Arc<str> = printable(raw).into();
        if self.0.len() < 256 {
            self.0.push(Arc::clone(&flags));
        }
        Some(flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
10000-20000 rw-p 00000000 00:00 0 
Size:                 64 kB
Rss:                  12 kB
Pss:                   8 kB
Pss_Dirty:             4 kB
Private_Dirty:         4 kB
THPeligible:           0
VmFlags: rd wr mr mw me ac 
20000-21000 r--p 00000000 00:00 0                                        [vvar]
Size:                  4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Private_Dirty:         0 kB
THPeligible:           0
VmFlags: rd mr 
";

    fn regions(text: &str) -> (Vec<Region>, Vec<String>) {
        let mut regions = Vec::new();
        let unknown = read(text.as_bytes(), &mut regions).expect("well formed");
        (regions, unknown)
    }

    #[test]
    fn parts_of_pss_are_not_pss() {
        let (regions, unknown) = regions(TWO);
        assert_eq!(regions[0].counters.get(Counter::Pss), Some(Bytes::kib(8)));
        assert_eq!(regions[0].counters.get(Counter::PssDirty), Some(Bytes::kib(4)));
        assert_eq!(regions[1].counters.get(Counter::Pss), Some(Bytes::ZERO));
        assert_eq!(regions[0].flags.as_deref(), Some("rd wr mr mw me ac"));
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn what_a_kernel_does_not_print_stays_unknown() {
        let (regions, _) = regions(TWO);
        assert_eq!(regions[0].counters.get(Counter::Swap), None);
        assert_eq!(regions[0].counters.uss(), None);
    }

    #[test]
    fn a_field_of_a_newer_kernel_is_named_and_disturbs_nothing() {
        let text = TWO.replace(
            "Pss_Dirty:             4 kB",
            "Pss_Purple:            3 kB\nPss_Dirty:             4 kB",
        );
        let (regions, unknown) = regions(&text);
        assert_eq!(unknown, ["Pss_Purple"]);
        assert_eq!(regions[0].counters.get(Counter::PssDirty), Some(Bytes::kib(4)));
        assert_eq!(regions[1].counters.get(Counter::PssDirty), Some(Bytes::ZERO));
    }

    #[test]
    fn a_field_that_only_some_regions_have_is_still_found() {
        let text = TWO.replacen("Pss:                   8 kB\n", "", 1);
        let (regions, _) = regions(&text);
        assert_eq!(regions[0].counters.get(Counter::Pss), None);
        assert_eq!(regions[1].counters.get(Counter::Pss), Some(Bytes::ZERO));
        assert_eq!(regions[1].counters.get(Counter::Rss), Some(Bytes::ZERO));
    }

    #[test]
    fn a_known_field_without_a_number_is_an_error_with_its_line() {
        let mut regions = Vec::new();
        let error = read(TWO.replace("12 kB", "many").as_bytes(), &mut regions).expect_err("no number");
        assert_eq!(error.to_string(), "line 3 of smaps: a field without its number");
        assert!(read(&b"Rss: 4 kB\n"[..], &mut regions).is_err());
    }

    #[test]
    fn values_wider_than_their_column_are_read_whole() {
        let (regions, _) =
            regions(&TWO.replace("Rss:                  12 kB", "Rss:            123456789012 kB"));
        assert_eq!(regions[0].counters.get(Counter::Rss), Some(Bytes::kib(123_456_789_012)));
    }
}
