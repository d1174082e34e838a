use std::cmp::Reverse;

use regex::Regex;
use residue_model::{Bytes, Counter, Pages, Protection, Region, State, Usage};

use crate::{Error, Result};

/// Which regions are shown: every condition holds.
#[derive(Clone, Debug, Default)]
pub struct RegionFilter(Vec<Condition>);

#[derive(Clone, Debug)]
enum Condition {
    Usage(Vec<Usage>),
    Protection(Protection),
    State(State),
    Pages(PagesWord),
    Size(Bytes),
    MinSize(Bytes),
    MinRss(Bytes),
    Name(Regex),
}

impl RegionFilter {
    /// Reads `usage=anonymous,protection=rw-p,min-size=1M`. Several usages are parted by `|`.
    ///
    /// WinDbg's filters are taken as they are: `Unk,MEM_COMMIT` is a usage and a state.
    ///
    /// # Errors
    /// An unknown key or a value that does not fit it, with those that do.
    pub fn parse(text: &str) -> Result<RegionFilter> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(condition)
            .collect::<Result<_>>()
            .map(RegionFilter)
    }

    /// Whether a region passes.
    pub fn accepts(&self, region: &Region) -> bool {
        self.0.iter().all(|condition| condition.accepts(region))
    }

    /// Whether it asks for what only counters tell: the resident size.
    pub fn needs_counters(&self) -> bool {
        self.0.iter().any(|condition| matches!(condition, Condition::MinRss(_)))
    }

    /// Whether every region passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const KEYS: &str = "keys are usage, protection, state, size, min-size, min-rss and name: \
                    usage=anonymous,protection=rw-p,min-size=1M; or as in WinDbg: Unk,MEM_COMMIT,PAGE_READWRITE";

fn condition(text: &str) -> Result<Condition> {
    let Some((key, value)) = text.split_once('=') else { return bare(text) };
    let size = || {
        parse_size(value)
            .ok_or_else(|| Error::new(format!("`{value}` is no size"), "write 4096, 128K, 1M or 2G"))
    };
    Ok(match key {
        "usage" => Condition::Usage(usages(value)?),
        "protection" => Condition::Protection(protection(value)?),
        "state" => Condition::State(match value {
            "mapped" | "MEM_COMMIT" => State::Mapped,
            "reserved" | "MEM_RESERVE" => State::Reserved,
            _ => return Err(Error::new(format!("`{value}` is no state"), "states are mapped and reserved")),
        }),
        "size" => Condition::Size(size()?),
        "min-size" => Condition::MinSize(size()?),
        "min-rss" => Condition::MinRss(size()?),
        "name" => Condition::Name(
            Regex::new(value)
                .map_err(|error| Error::new(format!("`{value}` is no pattern"), error.to_string()))?,
        ),
        _ => return Err(Error::new(format!("unknown filter `{key}`"), KEYS)),
    })
}

/// A word without a key, as WinDbg's `!address -f:` takes them.
fn bare(word: &str) -> Result<Condition> {
    if let Some(pages) = PagesWord::parse(word) {
        return Ok(Condition::Pages(pages));
    }
    let usage = Usage::family(word).map(Condition::Usage);
    usage.ok_or_else(|| Error::new(format!("filter `{word}` has no `=` and is none of WinDbg's words"), KEYS))
}

/// A `MEM_` or `PAGE_` constant of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PagesWord {
    State(u32),
    Kind(u32),
    Protect(u32),
}

impl PagesWord {
    fn parse(word: &str) -> Option<PagesWord> {
        let word = word.to_ascii_uppercase();
        Some(match word.as_str() {
            "MEM_COMMIT" => PagesWord::State(Pages::COMMIT),
            "MEM_RESERVE" => PagesWord::State(Pages::RESERVE),
            "MEM_PRIVATE" => PagesWord::Kind(Pages::PRIVATE),
            "MEM_MAPPED" => PagesWord::Kind(Pages::MAPPED),
            "MEM_IMAGE" => PagesWord::Kind(Pages::IMAGE),
            page => PagesWord::Protect(Pages::PROTECTIONS.iter().find(|(_, name)| *name == page)?.0),
        })
    }

    /// Elsewhere than on Windows the neutral terms decide; what a dump does not tell is not what was asked for.
    fn accepts(self, region: &Region) -> bool {
        match (self, region.pages) {
            (PagesWord::State(state), Some(pages)) => pages.state == state,
            (PagesWord::State(state), None) => (region.state() == State::Mapped) == (state == Pages::COMMIT),
            (PagesWord::Kind(kind), Some(pages)) => pages.kind == Some(kind),
            (PagesWord::Kind(kind), None) => match kind {
                Pages::PRIVATE => region.is_private_anonymous(),
                Pages::IMAGE => Usage::family("module").is_some_and(|usages| usages.contains(&region.usage)),
                _ => !region.is_private_anonymous(),
            },
            (PagesWord::Protect(bit), pages) => {
                pages.and_then(|pages| pages.protect).is_some_and(|protect| protect & bit != 0)
            }
        }
    }
}

fn usages(value: &str) -> Result<Vec<Usage>> {
    let mut usages = Vec::new();
    for word in value.split('|') {
        let family = Usage::family(word).ok_or_else(|| {
            let keys: Vec<&str> = Usage::ALL.iter().map(|usage| usage.key()).collect();
            Error::new(
                format!("`{word}` is no usage"),
                format!("usages are {}; families are anonymous, module, stack, shared", keys.join(", ")),
            )
        })?;
        usages.extend(family);
    }
    Ok(usages)
}

/// `rw-` is taken for `rw-p`: shared memory is the exception that has to be named.
fn protection(value: &str) -> Result<Protection> {
    let letters = if value.len() == 3 { format!("{value}p") } else { value.to_owned() };
    Protection::from_letters(letters.as_bytes()).ok_or_else(|| {
        Error::new(format!("`{value}` is no protection"), "write it as maps does: rw-p, r-xp, rw-s")
    })
}

/// Reads `4096`, `0x20000`, `128K`, `1.5M`, `2GiB`: binary units.
pub fn parse_size(text: &str) -> Option<Bytes> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Bytes);
    }
    let digits =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().trim_end_matches(['B', 'b']).trim_end_matches('i');
    let scale = match unit {
        "" => 1_u64,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        "T" | "t" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale).map(Bytes);
    }
    let bytes = number.parse::<f64>().ok()? * scale as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    (0.0..1e18).contains(&bytes).then_some(Bytes(bytes as u64))
}

impl Condition {
    fn accepts(&self, region: &Region) -> bool {
        match self {
            Condition::Usage(usages) => usages.contains(&region.usage),
            Condition::Protection(protection) => region.protection == *protection,
            Condition::State(state) => region.state() == *state,
            Condition::Pages(word) => word.accepts(region),
            Condition::Size(size) => region.size() == *size,
            Condition::MinSize(size) => region.size() >= *size,
            Condition::MinRss(size) => region.counters.get(Counter::Rss).is_some_and(|rss| rss >= *size),
            Condition::Name(pattern) => pattern.is_match(region.name()),
        }
    }
}

/// In which order regions are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegionOrder {
    /// By address.
    #[default]
    Address,
    /// Largest first.
    Size,
    /// Most of a counter first.
    Counter(Counter),
    /// By usage, then address.
    Usage,
    /// By name, then address.
    Name,
}

impl RegionOrder {
    /// Reads `address`, `size`, `usage`, `name`, or the name of a counter: `rss`, `pss`, `uss`, `swap` …
    ///
    /// # Errors
    /// An unknown word, with those that are known.
    pub fn parse(text: &str) -> Result<RegionOrder> {
        let counter = Counter::ALL.iter().find(|counter| counter.name() == text);
        Ok(match text {
            "address" => RegionOrder::Address,
            "size" => RegionOrder::Size,
            "usage" => RegionOrder::Usage,
            "name" => RegionOrder::Name,
            _ => RegionOrder::Counter(*counter.ok_or_else(|| {
                Error::new(
                    format!("cannot sort regions by `{text}`"),
                    "sort by address, size, usage, name, rss, pss, uss, swap or any other counter of smaps",
                )
            })?),
        })
    }

    /// Whether this is the order of addresses.
    pub fn is_by_address(self) -> bool {
        self == RegionOrder::Address
    }

    /// Puts regions into this order; unknown values last.
    pub fn sort(self, regions: &mut [&Region]) {
        let start = |region: &&Region| region.range.start;
        match self {
            RegionOrder::Address => regions.sort_by_key(start),
            RegionOrder::Size => regions.sort_by_key(|region| (Reverse(region.size()), start(region))),
            RegionOrder::Counter(Counter::Uss) => {
                regions.sort_by_key(|region| (Reverse(region.counters.uss()), start(region)));
            }
            RegionOrder::Counter(counter) => {
                regions.sort_by_key(|region| (Reverse(region.counters.get(counter)), start(region)));
            }
            RegionOrder::Usage => regions.sort_by_key(|region| (region.usage, start(region))),
            RegionOrder::Name => regions.sort_by(|a, b| a.name().cmp(b.name()).then(start(a).cmp(&start(b)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use residue_model::{Address, Range};

    use super::*;

    fn region(size: u64, usage: Usage) -> Region {
        let range = Range { start: Address(0x1000), end: Address(0x1000 + size) };
        let protection = Protection { read: true, write: true, ..Protection::default() };
        Region { range, usage, protection, ..Region::default() }
    }

    #[test]
    fn every_condition_must_hold() {
        let filter =
            RegionFilter::parse("usage=anonymous|heap,protection=rw-p,min-size=128K").expect("known keys");
        assert!(filter.accepts(&region(128 << 10, Usage::AnonymousSmall)));
        assert!(filter.accepts(&region(1 << 20, Usage::Heap)));
        assert!(!filter.accepts(&region(4096, Usage::Heap)));
        assert!(!filter.accepts(&region(1 << 20, Usage::Text)));
    }

    #[test]
    fn the_words_of_windbg_are_understood() {
        let pages = |state, protect| {
            let pages = Pages { state, kind: Some(Pages::PRIVATE), protect: Some(protect) };
            Region { pages: Some(pages), ..region(0x2_0000, Usage::Unclaimed) }
        };
        let filter = RegionFilter::parse("Unk,MEM_COMMIT,size=0x20000").expect("as WinDbg takes them");
        assert!(filter.accepts(&pages(Pages::COMMIT, 4)));
        assert!(!filter.accepts(&pages(Pages::RESERVE, 0)));
        let guard = RegionFilter::parse("page_guard").expect("in whatever case");
        assert!(guard.accepts(&pages(Pages::COMMIT, 0x104)) && !guard.accepts(&pages(Pages::COMMIT, 4)));
        assert!(!guard.accepts(&region(4096, Usage::Heap)));
        let private = RegionFilter::parse("MEM_PRIVATE").expect("a type");
        assert!(private.accepts(&region(4096, Usage::AnonymousTiny)));
    }

    #[test]
    fn what_cannot_be_asked_says_what_can() {
        for text in ["nonsense", "usage=nonsense", "rank=4", "min-size=lots", "protection=rwz", "name=("] {
            let error = RegionFilter::parse(text).expect_err(text);
            assert!(error.remedy().is_some_and(|help| !help.is_empty()), "{text}");
        }
        assert!(RegionOrder::parse("nonsense").is_err());
        assert_eq!(RegionOrder::parse("swap").expect("a counter"), RegionOrder::Counter(Counter::Swap));
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("4096"), Some(Bytes(4096)));
        assert_eq!(parse_size("128K"), Some(Bytes::kib(128)));
        assert_eq!(parse_size("1.5MiB"), Some(Bytes::kib(1536)));
        assert_eq!(parse_size("18446744073709551615G"), None);
        assert_eq!(parse_size("1X"), None);
    }

    #[test]
    fn unknown_values_come_last() {
        let mut known = region(4096, Usage::Heap);
        known.counters.set(Counter::Rss, Bytes(1));
        let unknown = region(8192, Usage::Heap);
        let mut regions = [&unknown, &known];
        RegionOrder::Counter(Counter::Rss).sort(&mut regions);
        assert_eq!(regions[0].counters.get(Counter::Rss), Some(Bytes(1)));
    }
}
