//! A process made by name: blocks, variables that point at them, threads, and what else holds words.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use residue_model::{Address, Block, Blocks, Bytes, Pieces, Protection, Range, Region, Run, Thread, Usage};

use crate::content::Layout;
use crate::reachability::{Amount, Heuristics, LeakKind, Reachability, Reference, Rules, Scene};
use crate::types::{Names, Types};

/// Constants of the program: tables of functions, names of types.
pub(crate) const CONSTANTS: u64 = 0x40_0000;
/// A table of functions whose name a symbol tells.
pub(crate) const NAMED_TABLE: u64 = CONSTANTS + 0x8000;
/// Its variables.
pub(crate) const DATA: u64 = 0x60_0000;
pub(crate) const HEAP: u64 = 0x100_0000;
/// Blocks with a mapping of their own.
const MAPPED: u64 = 0x7000_0000;
/// Memory that the program mapped itself.
pub(crate) const OWN_MAPPING: u64 = 0x7800_0000;
pub(crate) const MAIN_STACK: u64 = 0x7fff_0000;
const DATA_SIZE: u64 = 0x3_0000;
const SMALL: u64 = 0x1_0000;

/// A process in the making.
#[derive(Default)]
pub(crate) struct Image {
    blocks: Vec<Made>,
    words: Vec<(u64, u64)>,
    variables: u64,
    /// The next word of each block that is not taken.
    next_word: HashMap<String, u64>,
    threads: Vec<Thread>,
    claimed: Vec<Range>,
    regions: Vec<Region>,
    unheld: Vec<Range>,
    heap_end: u64,
    mapped_end: u64,
}

struct Made {
    name: String,
    range: Range,
    live: bool,
    is_mapped: bool,
}

impl Image {
    pub(crate) fn new() -> Image {
        Image { heap_end: HEAP, mapped_end: MAPPED, ..Image::default() }
    }

    /// A live block of that many usable bytes, of which glibc hands out 24, 40, 56 and so on.
    pub(crate) fn block(self, name: &str, size: u64) -> Image {
        self.packed(name, size, true)
    }

    /// A block that was given back.
    pub(crate) fn freed(self, name: &str, size: u64) -> Image {
        self.packed(name, size, false)
    }

    fn packed(mut self, name: &str, size: u64, live: bool) -> Image {
        assert!(size >= 24 && size % 16 == 8, "no block of glibc has {size} bytes");
        let start = self.heap_end + 16;
        self.heap_end += size + 8;
        self.made(name, start, size, live, false)
    }

    /// A live block with a mapping of its own.
    pub(crate) fn mapped(mut self, name: &str, size: u64) -> Image {
        let start = self.mapped_end + 16;
        self.mapped_end = (start + size).next_multiple_of(0x1000) + 0x1000;
        self.made(name, start, size, true, true)
    }

    fn made(mut self, name: &str, start: u64, size: u64, live: bool, is_mapped: bool) -> Image {
        let range = Range { start: Address(start), end: Address(start + size) };
        self.blocks.push(Made { name: name.into(), range, live, is_mapped });
        self
    }

    /// The next word of a block points at the start of another.
    pub(crate) fn points(self, from: &str, to: &str) -> Image {
        self.points_into(from, to, 0)
    }

    /// The next word of a block points so far into another.
    pub(crate) fn points_into(mut self, from: &str, to: &str, offset: u64) -> Image {
        let place = self.next_word.entry(from.into()).or_default();
        let at = *place;
        *place += 8;
        let to = self.address(to).wrapping_add(offset);
        self.word(from, at, to)
    }

    /// A word of a block.
    pub(crate) fn word(mut self, name: &str, at: u64, is: u64) -> Image {
        let at = self.address(name) + at;
        self.words.push((at, is));
        self
    }

    /// A word anywhere.
    pub(crate) fn word_at(mut self, at: u64, is: u64) -> Image {
        self.words.push((at, is));
        self
    }

    /// Text and a zero anywhere.
    pub(crate) fn text_at(mut self, at: u64, text: &str) -> Image {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
        for (word, place) in bytes.chunks_exact(8).zip((at..).step_by(8)) {
            self.words.push((place, u64::from_le_bytes(word.try_into().expect("eight bytes"))));
        }
        self
    }

    /// Text from the start of a block on.
    pub(crate) fn text(self, name: &str, text: &str) -> Image {
        let at = self.address(name);
        self.text_at(at, text)
    }

    /// A variable of the program points at the start of a block.
    pub(crate) fn variable(self, to: &str) -> Image {
        self.variable_into(to, 0)
    }

    /// A variable of the program points so far from the start of a block.
    pub(crate) fn variable_into(mut self, to: &str, offset: u64) -> Image {
        let at = DATA + 8 * self.variables;
        self.variables += 1;
        let to = self.address(to).wrapping_add(offset);
        self.word_at(at, to)
    }

    pub(crate) fn thread(mut self, thread: Thread) -> Image {
        self.threads.push(thread);
        self
    }

    /// Words of an allocator.
    pub(crate) fn claimed(mut self, start: u64, end: u64) -> Image {
        self.claimed.push(Range { start: Address(start), end: Address(end) });
        self
    }

    /// More memory, beside what every process has.
    pub(crate) fn region(mut self, start: u64, size: u64, letters: &str, usage: Usage) -> Image {
        self.regions.push(region(start, size, letters, usage, None));
        self
    }

    /// The data of one more module.
    pub(crate) fn module(mut self, start: u64, size: u64, file: &str) -> Image {
        self.regions.push(region(start, size, "rw-p", Usage::Data, Some(file)));
        self
    }

    /// Memory that is not in the dump.
    pub(crate) fn unheld(mut self, start: u64, end: u64) -> Image {
        self.unheld.push(Range { start: Address(start), end: Address(end) });
        self
    }

    /// Where a block starts.
    pub(crate) fn address(&self, name: &str) -> u64 {
        let made = self.blocks.iter().find(|made| made.name == name);
        made.unwrap_or_else(|| panic!("no block is called {name}")).range.start.0
    }

    pub(crate) fn build(mut self) -> Process {
        let mut regions = vec![
            region(CONSTANTS, SMALL, "r--p", Usage::Text, Some("/bin/shop")),
            region(DATA, DATA_SIZE, "rw-p", Usage::Data, Some("/bin/shop")),
            region(MAIN_STACK, SMALL, "rw-p", Usage::MainStack, Some("[stack]")),
        ];
        regions.append(&mut self.regions);
        let heap =
            Range { start: Address(HEAP), end: Address((self.heap_end + 16).next_multiple_of(0x1000)) };
        regions.push(region(HEAP, heap.size().0, "rw-p", Usage::Heap, Some("[heap]")));
        let (mut runs, mut packed) = (Vec::new(), Run::packed(heap, 16, 8));
        for made in &self.blocks {
            let chunk = Address(made.range.start.0 - 16);
            if made.is_mapped {
                let end = Address(made.range.end.0.next_multiple_of(0x1000));
                let whole = Range { start: chunk, end };
                regions.push(region(chunk.0, whole.size().0, "rw-p", Usage::AnonymousSmall, None));
                runs.push(Run::single(whole, 16, made.range.size().0));
            } else {
                packed.begin(chunk);
                packed.set_live(chunk, made.live);
            }
        }
        // The top, which is not live.
        packed.begin(Address(self.heap_end));
        runs.push(packed);
        regions.sort_by_key(|region| region.range.start);
        let (blocks, refused) = Blocks::new(runs);
        assert!(refused.is_empty(), "blocks of the image overlap");
        self.claimed.sort_by_key(|range| range.start);
        let names = self.blocks.into_iter().map(|made| (made.name, made.range)).collect();
        let memory = held(&regions, &self.unheld, &self.words);
        Process { names, blocks, regions, threads: self.threads, claimed: self.claimed, memory }
    }
}

fn region(start: u64, size: u64, letters: &str, usage: Usage, name: Option<&str>) -> Region {
    Region {
        range: Range { start: Address(start), end: Address(start + size) },
        protection: Protection::from_letters(letters.as_bytes()).expect("four letters"),
        name: name.map(Into::into),
        inode: u64::from(name.is_some_and(|name| name.starts_with('/'))),
        allocation_base: Address(start),
        usage,
        ..Region::default()
    }
}

fn held(regions: &[Region], unheld: &[Range], words: &[(u64, u64)]) -> Vec<(Address, Vec<u8>)> {
    let parts = regions.iter().flat_map(|region| crate::reachability::roots::without(region.range, unheld));
    let mut memory: Vec<(Address, Vec<u8>)> = parts
        .map(|part| (part.start, vec![0; usize::try_from(part.size().0).expect("it is small")]))
        .collect();
    for &(at, is) in words {
        let place = memory.partition_point(|(start, _)| start.0 <= at).checked_sub(1).expect("it is mapped");
        let (start, bytes) = &mut memory[place];
        let offset = usize::try_from(at - start.0).expect("it is small");
        if let Some(into) = bytes.get_mut(offset..offset + 8) {
            into.copy_from_slice(&is.to_le_bytes());
        }
    }
    memory
}

/// A process that was made.
pub(crate) struct Process {
    names: Vec<(String, Range)>,
    pub(crate) blocks: Blocks,
    pub(crate) regions: Vec<Region>,
    pub(crate) threads: Vec<Thread>,
    claimed: Vec<Range>,
    memory: Vec<(Address, Vec<u8>)>,
}

/// No pointer into a block counts as one to its start: what the tests say of those is then exact.
pub(crate) const PLAIN: Rules = Rules { heuristics: Heuristics::NONE, tagged: false, workers: 1 };

impl Process {
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        Pieces(self.memory.iter().map(|(start, bytes)| (*start, bytes.as_slice())).collect())
    }

    pub(crate) fn with_scene<T>(&self, then: impl FnOnce(&Scene<'_>) -> T) -> T {
        let pieces = self.pieces();
        then(&Scene {
            pieces: &pieces,
            regions: &self.regions,
            threads: &self.threads,
            blocks: &self.blocks,
            claimed: &self.claimed,
        })
    }

    pub(crate) fn search(&self, rules: Rules) -> Reachability {
        self.with_scene(|scene| Reachability::of(scene, rules, &|_| ControlFlow::Continue(())))
    }

    /// How each live block is held, by name.
    pub(crate) fn kinds(&self, rules: Rules) -> BTreeMap<&str, LeakKind> {
        let found = self.search(rules);
        let kind = |block: Block| {
            let lost = found.lost.blocks.iter().find(|lost| lost.id == block.id);
            match lost {
                Some(lost) if lost.is_definite => LeakKind::Definite,
                Some(_) => LeakKind::Indirect,
                None if found.possible_blocks.contains(&block.id) => LeakKind::Possible,
                None => LeakKind::Reachable,
            }
        };
        self.blocks.live().map(|block| (self.name(block.range.start), kind(block))).collect()
    }

    /// How one block is held when no heuristic counts.
    #[track_caller]
    pub(crate) fn kind(&self, name: &str) -> LeakKind {
        self.kind_by(name, PLAIN)
    }

    #[track_caller]
    pub(crate) fn kind_by(&self, name: &str, rules: Rules) -> LeakKind {
        *self.kinds(rules).get(name).unwrap_or_else(|| panic!("no live block is called {name}"))
    }

    pub(crate) fn name(&self, address: Address) -> &str {
        let named = self.names.iter().find(|(_, range)| range.contains(address));
        named.map_or("nothing", |(name, _)| name)
    }

    pub(crate) fn range(&self, name: &str) -> Range {
        self.names.iter().find(|(other, _)| other == name).expect("it was made").1
    }

    pub(crate) fn block(&self, name: &str) -> Block {
        self.blocks.at(self.range(name).start).expect("it was made")
    }

    /// Of each kind as many blocks and bytes as the blocks themselves sum to.
    #[track_caller]
    pub(crate) fn assert_sums(&self, rules: Rules) {
        let (found, kinds) = (self.search(rules), self.kinds(rules));
        for kind in LeakKind::ALL {
            let mut amount = Amount::default();
            let of_kind = kinds.iter().filter(|(_, other)| **other == kind);
            of_kind.for_each(|(name, _)| amount.add(self.range(name).size()));
            assert_eq!(found.total(kind, &self.blocks), amount, "{kind:?}");
        }
        let retained: Bytes = found.lost.losses.iter().map(|loss| loss.retained_bytes).sum();
        let lost = [LeakKind::Definite, LeakKind::Indirect]
            .map(|kind| found.total(kind, &self.blocks).bytes)
            .into_iter()
            .sum();
        assert_eq!(retained, lost, "each lost byte came with one loss");
    }

    /// Calls with the means to tell types. No file of the target tells a name; mangled names are read when they are
    /// plain ones.
    pub(crate) fn with_types<T>(&self, then: impl FnOnce(&mut Types<'_>) -> T) -> T {
        let pieces = self.pieces();
        let demangle = |mangled: &[u8]| {
            let mangled = String::from_utf8_lossy(mangled).into_owned();
            let plain = mangled
                .strip_prefix("_ZTS")
                .map(|name| name.trim_start_matches(|c: char| c.is_ascii_digit()));
            plain
                .filter(|name| !name.ends_with('?'))
                .map_or(mangled.clone(), |name| format!("typeinfo name for {name}"))
        };
        let place_of = |at: Address| Some(format!("shop+{:#x}", at.0.checked_sub(CONSTANTS)?));
        let class_at = |at: Address| (at.0 == NAMED_TABLE).then(|| "Symbol".to_owned());
        let names = Names { class_at: &class_at, place_of: &place_of, demangle: &demangle };
        let layout = Layout::of(&self.regions, 64, false);
        then(&mut Types::new(&pieces, &pieces, &self.regions, layout, names))
    }

    /// Where words stand that point at a range, by the name of the block that holds them or as an address.
    pub(crate) fn named(&self, references: &[Reference]) -> Vec<String> {
        let named = |reference: &Reference| match reference.at {
            Some(at) if self.name(at) != "nothing" => self.name(at).to_owned(),
            Some(at) => at.to_string(),
            None => "register".to_owned(),
        };
        references.iter().map(named).collect()
    }
}
