use std::sync::Arc;

use residue_model::recording::{Code, Place, RecordedModule};

use super::name::{Word, words};

/// A function of a call path, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Its name, demangled. Where there is none, module and address tell where it is.
    pub function: Option<Arc<str>>,
    /// The source file.
    pub file: Option<Arc<str>>,
    /// The line of the call.
    pub line: Option<u32>,
    /// The path of the image that it is in; None for code that was made at run time.
    pub module: Option<Arc<str>>,
    /// The return address, as in the module's own headers. Where the line is known, that of one call of perhaps several.
    pub address: u64,
    /// It has no code of its own: the next frame outwards contains it.
    pub is_inlined: bool,
}

impl Frame {
    /// The frames that a return address stands for, the innermost first: one where nothing was inlined, or nothing is known.
    pub fn of(code: &Code, module: Option<&Arc<str>>) -> Vec<Frame> {
        let bare = Frame { module: module.cloned(), address: code.address, ..Frame::default() };
        if code.places.is_empty() {
            return vec![bare];
        }
        code.places.iter().map(|place| bare.at(place)).collect()
    }

    fn at(&self, place: &Place) -> Frame {
        Frame {
            function: place.function.clone(),
            file: place.file.clone(),
            line: place.line,
            is_inlined: place.is_inlined,
            ..self.clone()
        }
    }

    /// The module's file name: `libfoo.so.1`.
    pub fn module_name(&self) -> Option<&str> {
        self.module.as_deref().map(file_name)
    }

    /// The function without what it gives and takes: `app::Cache::insert`. Rust's `<T as Trait>::method` stays as it is.
    pub fn short_function(&self) -> Option<String> {
        let function = self.function.as_deref()?;
        match words(function) {
            Word::Plain(name) => Some(name),
            Word::Method { .. } => Some(function.to_owned()),
        }
    }

    /// The source's file name, without folders.
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_deref().map(file_name)
    }

    /// The same code, but not where in it: what recursion and flame graphs go by.
    pub(super) fn function_key(&self) -> Frame {
        match &self.function {
            Some(function) => Frame {
                function: Some(Arc::clone(function)),
                module: self.module.clone(),
                ..Frame::default()
            },
            None => {
                Frame { module: self.module.clone(), address: self.address, file: None, ..Frame::default() }
            }
        }
    }

    /// The same call: a line is one place, however many addresses it has; without a line only the address tells.
    pub(super) fn call_key(&self) -> Frame {
        let is_line = self.function.is_some() && self.line.is_some();
        Frame { address: if is_line { 0 } else { self.address }, ..self.clone() }
    }
}

/// The paths of all modules, shared by frames. The vdso has none.
pub fn module_paths(modules: &[RecordedModule]) -> Vec<Arc<str>> {
    let path = |module: &RecordedModule| if module.path.is_empty() { "[vdso]" } else { &module.path }.into();
    modules.iter().map(path).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
