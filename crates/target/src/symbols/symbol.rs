use std::fmt;
use std::sync::Arc;

use residue_model::{Address, Bytes};

/// What stands at an address, as far as it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, demangled and printable: `g_cache`, `vtable for Shape`; that of a section where no symbol tells more.
    pub name: String,
    /// The file name of its module.
    pub module: Arc<str>,
    /// What it is.
    pub kind: SymbolKind,
    /// Where it begins in the target.
    pub start: Address,
    /// How far behind its start the address lies.
    pub offset: Bytes,
    /// How large it is, where the symbol tells.
    pub size: Option<Bytes>,
}

/// What a [`Symbol`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolKind {
    /// Code.
    Function,
    /// A variable, a constant, a vtable.
    Object,
    /// No symbol covers the address: the section it lies in.
    Section,
    /// Not even sections are known: the module as a whole.
    Module,
}

impl Symbol {
    /// Whether the symbol says itself that it covers the address; otherwise it is the nearest one before it, or a place.
    pub fn is_exact(&self) -> bool {
        matches!(self.kind, SymbolKind::Function | SymbolKind::Object)
            && self.size.is_some_and(|size| self.offset < size)
    }

    /// The class whose vtable it is.
    pub fn class(&self) -> Option<&str> {
        self.name.strip_prefix("vtable for ")
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Symbol { name, module, offset, .. } = self;
        match (self.kind, offset.0) {
            (SymbolKind::Module, offset) => write!(f, "{module}+{offset:#x}"),
            (_, 0) => write!(f, "{name} in {module}"),
            (_, offset) => write!(f, "{name}+{offset:#x} in {module}"),
        }
    }
}
