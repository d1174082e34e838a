//! What of a demangled name says whose function it is.

/// Whose function it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A name with the spaces it stands in: `std::vector::push_back`, `operator new`.
    Plain(String),
    /// Rust's `<on as of>::method`.
    Method {
        /// The type.
        on: String,
        /// The trait.
        of: Option<String>,
    },
}

/// Takes from a demangled name what is not its own: the type it gives, its parameters, and those of templates. That a
/// program's function gives a `std::vector` does not make it one of the library.
pub(super) fn words(function: &str) -> Word {
    if let Some(inner) = function.strip_prefix('<')
        && let Some(end) = closing(inner)
    {
        let (on, of) = match split_as(&inner[..end]) {
            Some((on, of)) => (on, Some(of)),
            None => (&inner[..end], None),
        };
        return Word::Method { on: outline(on), of: of.map(outline) };
    }
    let outline = outline(function);
    if let Some(at) = outline.find("operator").filter(|&at| is_word_start(&outline, at)) {
        // Behind `operator` a space belongs to the name.
        let start = own_start(&outline[..at]);
        return Word::Plain(outline[start..].to_owned());
    }
    let outline = outline.trim_end();
    Word::Plain(outline[own_start(outline)..].to_owned())
}

/// Where the name begins behind what the function gives. Spaces in brackets and braces part nothing.
fn own_start(outline: &str) -> usize {
    let mut depth = 0_u32;
    let mut start = 0;
    for (at, letter) in outline.char_indices() {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    start
}

fn is_word_start(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| before == ' ' || before == ':')
}

/// Where the bracket closes that was open before this text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            // Not that of an arrow.
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = letter;
    }
    None
}

/// `Vec<T> as Clone`: the type and its trait, where ` as ` is not inside of brackets.
fn split_as(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 && text[at..].starts_with(" as ") => {
                return Some((&text[..at], &text[at + 4..]));
            }
            _ => {}
        }
    }
    None
}

/// The text without what templates and functions take. Braces are names: `{closure}`, `{lambda(int)#1}`.
pub(super) fn outline(text: &str) -> String {
    const ANONYMOUS: &str = "(anonymous namespace)";
    let mut kept = String::new();
    let (mut depth, mut braces, mut passed) = (0_usize, 0_usize, 0_usize);
    for (at, letter) in text.char_indices() {
        if at < passed {
            continue;
        }
        let rest = &text[at..];
        let is_operator = depth == 0 && kept.trim_end_matches(['<', '>', '=', '-']).ends_with("operator");
        match letter {
            '{' if depth == 0 => (braces, kept) = (braces + 1, kept + "{"),
            '}' if depth == 0 => (braces, kept) = (braces.saturating_sub(1), kept + "}"),
            _ if braces > 0 && depth == 0 => kept.push(letter),
            '(' if depth == 0 && rest.starts_with(ANONYMOUS) => {
                kept.push_str(ANONYMOUS);
                passed = at + ANONYMOUS.len();
            }
            '<' | '>' if is_operator => kept.push(letter),
            '(' if is_operator && rest.starts_with("()") => return kept + "()",
            '(' if depth == 0 && !kept.is_empty() && !kept.ends_with("::") => break,
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(letter),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(function: &str) -> String {
        match words(function) {
            Word::Plain(name) => name,
            method @ Word::Method { .. } => panic!("{method:?}"),
        }
    }

    #[test]
    fn what_a_function_gives_and_takes_is_not_its_name() {
        assert_eq!(plain("main"), "main");
        assert_eq!(plain("std::vector<int> app::make<int>(std::string const&)"), "app::make");
        assert_eq!(
            plain("void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int const&)"),
            "std::vector::_M_realloc_insert"
        );
        assert_eq!(plain("app::Cache::size() const"), "app::Cache::size");
        assert_eq!(plain("app::(anonymous namespace)::helper(int)"), "app::(anonymous namespace)::helper");
    }

    #[test]
    fn closures_keep_theirs() {
        assert_eq!(plain("app::main::{{closure}}"), "app::main::{{closure}}");
        assert_eq!(
            plain("main::{lambda(int, int)#1}::operator()(int, int) const"),
            "main::{lambda(int, int)#1}::operator()"
        );
    }

    #[test]
    fn operators_keep_what_belongs_to_their_names() {
        assert_eq!(plain("operator new(unsigned long)"), "operator new");
        assert_eq!(plain("operator new[](unsigned long, std::align_val_t)"), "operator new[]");
        assert_eq!(plain("app::Less::operator()(int, int) const"), "app::Less::operator()");
        assert_eq!(plain("std::ostream& app::operator<<(std::ostream&, app::T)"), "app::operator<<");
    }

    #[test]
    fn a_method_of_a_trait_has_two_owners() {
        let method = |on: &str, of: &str| Word::Method { on: on.into(), of: Some(of.into()) };
        assert_eq!(
            words("<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<T>>::from_iter"),
            method("alloc::vec::Vec", "core::iter::traits::collect::FromIterator")
        );
        assert_eq!(
            words("<app::Store as core::clone::Clone>::clone"),
            method("app::Store", "core::clone::Clone")
        );
        assert_eq!(
            words("<str as alloc::string::ToString>::to_string"),
            method("str", "alloc::string::ToString")
        );
    }
}
