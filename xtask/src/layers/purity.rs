//! Which crates do no I/O, read no clock and know no operating system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const PURE: [&str; 5] = ["model", "analysis", "report", "recording", "heap"];
const FORBIDDEN: [&str; 5] = ["std::fs", "std::net", "std::process", "SystemTime::now", "Instant::now"];

/// Counts the files of the pure crates and lists the lines that make one impure.
pub(super) fn judge(crates: &Path) -> Result<(usize, Vec<String>)> {
    let mut files = Vec::new();
    for name in PURE {
        let source = crates.join(name).join("src");
        if source.is_dir() {
            gather(&source, &mut files)?;
        }
    }
    let mut offences = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
        let shown = file.strip_prefix(crates).unwrap_or(file).display();
        for (line, word) in impurities(&text) {
            offences.push(format!("crates/{shown}:{line}: {word} in a pure crate"));
        }
    }
    Ok((files.len(), offences))
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue; // `#[cfg(test)] mod tests;` in a file of its own
        }
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Lines, counted from 1, with the forbidden word that stands in each, outside comments and test modules.
fn impurities(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let code = line.split("//").next().unwrap_or_default();
        if code.trim() == "#[cfg(test)]" {
            skip_item(&mut lines);
        } else if let Some(word) = impurity(code) {
            found.push((index + 1, word));
        }
    }
    found
}

/// Leaves out the item under an attribute. rustfmt puts its closing brace under the line that opens it: counting
/// braces would have to know strings and characters.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let Some((_, first)) = lines.find(|(_, line)| !line.trim_start().starts_with("#[")) else { return };
    if !first.trim_end().ends_with('{') {
        return;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let _ = lines.find(|(_, line)| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}')));
}

fn impurity(code: &str) -> Option<String> {
    let plain = FORBIDDEN.into_iter().find(|word| code.contains(word)).map(str::to_owned);
    plain
        .or_else(|| nested(code))
        .or_else(|| (code.contains("cfg") && code.contains("target_os")).then(|| "cfg(target_os)".to_owned()))
}

/// `use std::{fs, io}` names it too.
fn nested(code: &str) -> Option<String> {
    let list = code.trim_start().strip_prefix("use std::{")?;
    list.split([',', '}', ' ', '{'])
        .map(|path| format!("std::{}", path.trim().split("::").next().unwrap_or_default()))
        .find(|path| FORBIDDEN.contains(&path.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_clock_and_system_are_found() {
        let text = "use std::io;\nlet a = std::fs::read(p);\nlet b = Instant::now();\n#[cfg(target_os = \"linux\")]\n";

        let lines: Vec<usize> = impurities(text).into_iter().map(|(line, _)| line).collect();

        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn a_list_of_imports_is_read() {
        assert_eq!(impurities("use std::{fmt, process::Command};\n"), [(1, "std::process".to_owned())]);
        assert_eq!(impurities("use std::{fmt, io};\n"), []);
    }

    #[test]
    fn comments_and_tests_may() {
        let text = "\
//! Never std::fs here.
#[cfg(test)]
mod tests {
    fn f() {
        std::fs::read(\"}\");
    }
}
fn g() { std::process::exit(1) }
";

        assert_eq!(impurities(text), [(8, "std::process".to_owned())]);
    }

    #[test]
    fn a_module_of_tests_elsewhere_hides_nothing() {
        let text = "#[cfg(test)]\nmod tests;\nuse std::net::TcpStream;\n";

        assert_eq!(impurities(text), [(3, "std::net".to_owned())]);
    }
}
