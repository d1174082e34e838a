use std::fmt::{self, Write};

use cpp_demangle::{BorrowedSymbol, DemangleOptions, ParseOptions};

use crate::procfs::printable;

/// Longer names help nobody, and a hostile one can unfold to gigabytes.
const LONGEST: usize = 4096;
/// Deep enough for every name that a compiler made.
const DEEPEST: u32 = 96;

/// A symbol's name as its programmer wrote it, printable: C++ and Rust names are demangled, others stay.
///
/// Versions (`malloc@GLIBC_2.2.5`) are cut off; `_ZTV5Shape` becomes `vtable for Shape`.
pub fn demangle(mangled: &[u8]) -> String {
    let name = mangled.split(|&byte| byte == b'@').next().filter(|name| !name.is_empty()).unwrap_or(mangled);
    let name = &name[..name.len().min(LONGEST)];
    let demangled = std::str::from_utf8(name).ok().and_then(|name| rust(name).or_else(|| cpp(name)));
    match demangled {
        Some(text) => printable(text.as_bytes()),
        None => printable(name),
    }
}

/// Before C++: the older form of Rust's names is valid C++ too.
fn rust(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Bounded::default();
    write!(text, "{demangled:#}").ok()?;
    Some(text.0)
}

fn cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") && !name.starts_with("__Z") && !name.starts_with("_GLOBAL_") {
        return None;
    }
    let options = ParseOptions::default().recursion_limit(DEEPEST);
    let (symbol, rest) = BorrowedSymbol::with_tail_and_options(name.as_bytes(), &options).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut text = Bounded::default();
    let options = DemangleOptions::new().no_return_type().recursion_limit(DEEPEST);
    symbol.structured_demangle(&mut text, &options).ok()?;
    Some(spoken(text.0))
}

/// `{vtable(Shape)}` in the words that everybody else uses: `vtable for Shape`.
fn spoken(text: String) -> String {
    let parts = text.strip_prefix('{').and_then(|text| text.strip_suffix(")}")?.split_once('('));
    match parts {
        Some(("vtt", class)) => format!("VTT for {class}"),
        Some((word @ ("vtable" | "typeinfo" | "typeinfo name"), class)) => format!("{word} for {class}"),
        _ => text,
    }
}

/// Text that ends where it gets too long.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_were_written() {
        assert_eq!(demangle(b"g_cache"), "g_cache");
        assert_eq!(demangle(b"malloc@@GLIBC_2.2.5"), "malloc");
        assert_eq!(demangle(b"_ZN5Shape4areaEv"), "Shape::area()");
        assert_eq!(demangle(b"_ZN5Shape4areaEv.part.0"), "Shape::area() [clone .part.0]");
        assert_eq!(demangle(b"_ZTV5Shape"), "vtable for Shape");
        assert_eq!(demangle(b"_ZTIN3geo5ShapeE"), "typeinfo for geo::Shape");
        assert_eq!(demangle(b"_ZTS5Shape"), "typeinfo name for Shape");
        assert_eq!(demangle(b"_ZTVSt6vectorIiSaIiEE"), "vtable for std::vector<int, std::allocator<int> >");
        assert_eq!(
            demangle(b"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"),
            "core::fmt::Write::write_fmt"
        );
        assert_eq!(demangle(b"_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    }

    #[test]
    fn a_name_cannot_reach_the_terminal_nor_unfold_without_end() {
        assert_eq!(demangle(b"evil\x1b[2J\xff"), "evil\\x1b[2J\\xff");
        assert_eq!(demangle(b"_Znonsense\x07"), "_Znonsense\\x07");
        assert_eq!(demangle(b""), "");
        assert_eq!(demangle(b"@plt"), "@plt");
        let mut doubling = b"_Z1fI1A".to_vec();
        for index in 0..40 {
            doubling.extend(format!("S{index:X}_S{index:X}_").bytes());
        }
        assert!(demangle(&doubling).len() <= 4 * LONGEST);
        let nested = ["_Z", &"N".repeat(3000)].concat();
        assert!(demangle(nested.as_bytes()).len() <= LONGEST);
        let pointers = ["_Z1f", &"P".repeat(4000), "i"].concat();
        assert!(demangle(pointers.as_bytes()).len() <= LONGEST);
    }
}
