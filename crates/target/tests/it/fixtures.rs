use std::fs;
use std::path::{Path, PathBuf};

/// A file of `fixtures/`, as it was captured or made.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = root().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the files in a folder of `fixtures/` that pass, in order.
pub(crate) fn names(folder: &str, passes: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).expect("the fixtures are part of the repository");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it is listed").file_name().into_string().expect("plain names"))
        .filter(|name| passes(name))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "nothing of {folder} passes");
    names
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
