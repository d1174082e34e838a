use std::sync::{Arc, OnceLock};

use residue_model::{Address, Bytes, Memory, Module, Range};

use super::build::file_id;
use super::cfi::Cfi;
use super::contents::Contents;
use super::demangle::demangle;
use super::layout::{Layout, Part};
use super::separate::{debug_file, packed};
use super::symbol::{Symbol, SymbolKind};
use super::table::SymbolTable;

/// A program or library as it is loaded, with its file where that could be opened and is the same build.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) module: Module,
    pub(super) file_name: Arc<str>,
    /// How far from where it was linked it stands.
    pub(super) bias: u64,
    pub(super) layout: Layout,
    pub(super) file: Option<Contents>,
    /// Where its file stands in memory that nobody can have written.
    pub(super) filed: Vec<Filed>,
    pub(super) table: OnceLock<SymbolTable>,
    pub(super) cfi: OnceLock<Option<Cfi>>,
}

/// Memory that holds what the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filed {
    pub(super) range: Range,
    pub(super) offset: u64,
}

impl Loaded {
    /// Its symbols, read when they are first asked for.
    pub(super) fn table(&self) -> &SymbolTable {
        self.table.get_or_init(|| {
            let mut table = SymbolTable::default();
            if let Some(file) = &self.file {
                table.add(file);
                let debug = file_id(&self.layout, file).and_then(|id| debug_file(&id));
                if let Some(more) = debug.or_else(|| packed(file)) {
                    table.add(&more);
                }
            }
            table.sort();
            table
        })
    }

    /// What stands at an address inside of it.
    pub(super) fn symbol(&self, address: Address) -> Symbol {
        let linked = address.0.wrapping_sub(self.bias);
        let table = self.table();
        let at = |name, kind, start: u64, size| Symbol {
            name,
            module: self.file_name.clone(),
            kind,
            start: Address(start.wrapping_add(self.bias)),
            offset: Bytes(linked.wrapping_sub(start)),
            size,
        };
        if let Some(found) = table.find(linked) {
            let kind = if found.is_code { SymbolKind::Function } else { SymbolKind::Object };
            let size = (found.size > 0).then_some(Bytes(found.size));
            return at(demangle(found.name), kind, found.start, size);
        }
        if let Some(place) = table.place(linked) {
            return at(place.name.to_string(), SymbolKind::Section, place.start, Some(Bytes(place.size)));
        }
        let start = self.module.range.start.0.wrapping_sub(self.bias);
        at(self.file_name.to_string(), SymbolKind::Module, start, Some(self.module.range.size()))
    }

    /// Whether an address belongs to it: to a page of what it loads, not to what was mapped into a gap of it.
    pub(super) fn holds(&self, address: Address) -> bool {
        let is_whole = self.module.name.starts_with('[');
        let pages = |load: &Part| load.pages(self.bias).contains(address);
        self.module.range.contains(address) && (is_whole || self.layout.loads.iter().any(pages))
    }

    /// How to unwind its code, read when it is first asked for.
    pub(super) fn cfi(&self, memory: &dyn Memory) -> Option<&Cfi> {
        self.cfi.get_or_init(|| Cfi::read(&self.layout, self.bias, memory)).as_ref()
    }

    /// Whether code of it stands at an address.
    pub(super) fn executes(&self, address: Address) -> bool {
        self.layout.loads.iter().any(|load| load.can_execute && load.range(self.bias).contains(address))
    }
}
