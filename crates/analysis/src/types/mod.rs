//! What a block is, without debug information: its class by the table of functions that it points at, or what its bytes
//! look like.

mod class;
mod node;
mod python;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use residue_model::{Address, Memory, Pieces, Range, Region};

use crate::constants::{constants, holds};
use crate::content::{Content, Layout, preview};

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockType {
    /// An object of a C++ class.
    Class(Arc<str>),
    /// An object with a table of functions of which no name is known: where it stands, as `libfoo.so+0x1234`.
    Table(Arc<str>),
    /// An object of Python, by the name of its type.
    Python(Arc<str>),
    /// A node of a red-black tree as `std::map` and `std::set` have them.
    TreeNode,
    /// A node of a doubly linked list as `std::list` has them.
    ListNode,
    /// Told from its bytes.
    Content(Content),
}

/// What only files of the target tell.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The class whose table of functions stands at an address.
    pub class_at: &'a dyn Fn(Address) -> Option<String>,
    /// A place in a module, the same in every run: `libfoo.so+0x1234`.
    pub place_of: &'a dyn Fn(Address) -> Option<String>,
    /// A mangled name as people read it.
    pub demangle: &'a dyn Fn(&[u8]) -> String,
}

/// Tells types of blocks.
pub struct Types<'a> {
    pieces: &'a Pieces<'a>,
    /// Memory with what stands in files: type names are constants.
    memory: &'a dyn Memory,
    names: Names<'a>,
    /// Where tables of functions may stand.
    constants: Vec<Range>,
    layout: Layout,
    tables: HashMap<u64, Option<BlockType>>,
    python: HashMap<u64, Option<Arc<str>>>,
}

/// More of a block is not looked at to tell what it holds.
const LOOK: usize = 1024;

/// Words of a block that are followed to find a text.
const WORDS: usize = 16;

/// Characters of a preview.
const SHOWN: usize = 48;

/// The first row of plain characters that is long enough to be a text.
fn readable(bytes: &[u8]) -> Option<&str> {
    // A pointer has six bytes that may look like letters, and two that do not.
    const SHORTEST: usize = 7;
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte);
    let mut rows = bytes.split(|byte| !is_plain(byte));
    let row = rows.find(|row| row.len() >= SHORTEST && row.iter().any(|byte| *byte != row[0]))?;
    std::str::from_utf8(&row[..row.len().min(SHOWN)]).ok()
}

impl BlockType {
    /// The name that people read, and by which blocks of two runs are compared.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            BlockType::Class(name) => Cow::Borrowed(name),
            BlockType::Table(place) => format!("object with a vtable at {place}").into(),
            BlockType::Python(name) => format!("Python {name}").into(),
            BlockType::TreeNode => "node of std::map or std::set".into(),
            BlockType::ListNode => "node of a linked list".into(),
            BlockType::Content(content) => content.label().into(),
        }
    }
}

impl<'a> Types<'a> {
    /// Gets to know a target. Regions stand in order of address.
    pub fn new(
        pieces: &'a Pieces<'a>,
        memory: &'a dyn Memory,
        regions: &[Region],
        layout: Layout,
        names: Names<'a>,
    ) -> Types<'a> {
        Types {
            pieces,
            memory,
            names,
            constants: constants(regions),
            layout,
            tables: HashMap::new(),
            python: HashMap::new(),
        }
    }

    /// The type of a block.
    pub fn of(&mut self, block: Range) -> BlockType {
        if let Some(class) = self.class(block) {
            return class;
        }
        if let Some(name) = self.python_type(block) {
            return BlockType::Python(name);
        }
        if let Some(node) = node::of(self.pieces, block) {
            return node;
        }
        BlockType::Content(Content::of(self.bytes(block, LOOK), &self.layout))
    }

    /// Whether a block is an object with a table of functions, which is quickly told.
    pub fn class(&mut self, block: Range) -> Option<BlockType> {
        let table = self.pieces.word(block.start)?;
        if table % 8 != 0 || !holds(&self.constants, Address(table)) {
            return None;
        }
        if let Some(known) = self.tables.get(&table) {
            return known.clone();
        }
        let class = match class::at(self.memory, &self.constants, Address(table), self.names) {
            class::Table::Named(name) => Some(BlockType::Class(name.into())),
            class::Table::Unnamed => {
                let place =
                    (self.names.place_of)(Address(table)).unwrap_or_else(|| Address(table).to_string());
                Some(BlockType::Table(place.into()))
            }
            class::Table::None => None,
        };
        self.tables.insert(table, class.clone());
        class
    }

    fn python_type(&mut self, block: Range) -> Option<Arc<str>> {
        // Objects that the collector of cycles knows have two words more in front, since 3.11 some have four.
        [0, 16, 32].into_iter().find_map(|front| {
            let object = Address(block.start.0 + front);
            let (references, kind) = (self.pieces.word(object)?, self.pieces.word(Address(object.0 + 8))?);
            if references == 0 || kind % 8 != 0 || !python::may_count(references) {
                return None;
            }
            let known = self.python.get(&kind).cloned();
            known.unwrap_or_else(|| {
                // Most words are no type: only those that lie where something stands are worth remembering.
                let name = python::type_name(self.pieces, self.memory, Address(kind)).map(Arc::from);
                if name.is_some() {
                    self.python.insert(kind, name.clone());
                }
                name
            })
        })
    }

    /// A text in a block: the first that is long enough to be one, or else one that a word of the block points at, as a
    /// string's object points at its characters.
    pub fn preview(&self, block: Range) -> Option<String> {
        let bytes = self.bytes(block, LOOK);
        let text = readable(bytes).map(str::to_owned);
        let wide = || preview(bytes, SHOWN).filter(|_| Content::of(bytes, &self.layout).is_text());
        text.or_else(wide).or_else(|| self.pointed_at(bytes))
    }

    fn pointed_at(&self, bytes: &[u8]) -> Option<String> {
        let words = bytes.chunks_exact(8).take(WORDS);
        words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).find_map(|word| {
            let there = self.pieces.from(Address(word));
            // It begins right there: a text in the midst of something else is not what the word means.
            let text = readable(&there[..there.len().min(SHOWN)])?;
            there.starts_with(text.as_bytes()).then(|| format!("-> {text}"))
        })
    }

    fn bytes(&self, block: Range, most: usize) -> &'a [u8] {
        let held = self.pieces.from(block.start);
        let size = usize::try_from(block.size().0).unwrap_or(usize::MAX).min(most);
        &held[..held.len().min(size)]
    }
}

fn word(memory: &dyn Memory, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (memory.read(Address(at), &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
}

/// The text up to the first zero, if it is plain and not longer than names are.
fn text(memory: &dyn Memory, at: u64) -> Option<String> {
    const LONGEST: usize = 1024;
    let mut bytes = [0; LONGEST];
    let read = memory.read(Address(at), &mut bytes);
    let length = bytes[..read].iter().position(|&byte| byte == 0)?;
    let plain = bytes[..length].iter().all(|byte| (0x20..0x7f).contains(byte));
    (length > 0 && plain).then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests;
