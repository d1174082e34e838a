use super::preview::is_plain;

/// A stretch of constant text, cut into strings of 8 to 64 characters that mean something by themselves.
///
/// Tags and statements stay whole, longer stretches part between words.
pub(super) fn units(stretch: &[u8]) -> impl Iterator<Item = &str> {
    let text = whole_characters(stretch);
    let mut rest = text;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (unit, behind) = rest.split_at(cut(rest));
            rest = behind;
            unit.trim()
        })
    })
    .filter(|unit| is_worth(unit))
}

const SHORTEST: usize = 8;
const LONGEST: usize = 64;

/// A stretch is found by its bytes: it may begin and end inside a character.
fn whole_characters(stretch: &[u8]) -> &str {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let from = stretch.iter().position(|byte| !is_inner(byte)).unwrap_or(stretch.len());
    stretch[from..].utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Where the first string of a text ends: before a tag, behind a statement, or between words.
fn cut(text: &str) -> usize {
    let longest = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    let head = &text.as_bytes()[..longest];
    let tag = head.iter().skip(1).position(|&byte| byte == b'<').map(|at| at + 1);
    let statement = head.iter().position(|byte| matches!(byte, b';' | b'{' | b'}')).map(|at| at + 1);
    let statement = statement.filter(|&at| at >= SHORTEST * 2);
    if let Some(end) = tag.into_iter().chain(statement).min() {
        return end;
    }
    if longest == text.len() {
        return longest;
    }
    head.iter().rposition(|&byte| byte == b' ' || byte == b'>').map_or(longest, |at| at + 1)
}

fn is_worth(unit: &str) -> bool {
    let length = unit.chars().count();
    let mut kinds = [false; 128];
    unit.bytes().for_each(|byte| kinds[usize::from(byte & 0x7f)] = true);
    // A ruler or a table of dashes repeats, and tells nothing.
    (SHORTEST..=LONGEST).contains(&length)
        && kinds.iter().filter(|seen| **seen).count() >= 4
        && unit.chars().all(is_plain)
}

/// How many characters of a string stand in words that its format has not given it.
pub(super) fn specific(text: &str) -> usize {
    let words = text.split(|character: char| !character.is_alphanumeric());
    let own = words.filter(|word| {
        word.chars().any(char::is_alphabetic) && word.chars().count() >= 3 && !is_generic(word)
    });
    own.map(|word| word.chars().count()).sum()
}

fn is_generic(word: &str) -> bool {
    let mut lower = [0; 16];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).is_ok_and(|lower| GENERIC.binary_search(&lower).is_ok())
}

/// Words of formats and protocols, in order: markup, style sheets, scripts, HTTP, programs.
const GENERIC: &[&str] = &[
    "8859",
    "absolute",
    "accept",
    "align",
    "alive",
    "alt",
    "and",
    "application",
    "article",
    "ascii",
    "async",
    "auto",
    "background",
    "block",
    "body",
    "border",
    "bottom",
    "button",
    "cannot",
    "center",
    "charset",
    "class",
    "clear",
    "close",
    "code",
    "color",
    "com",
    "compatible",
    "connection",
    "content",
    "control",
    "css",
    "date",
    "device",
    "display",
    "div",
    "doctype",
    "document",
    "dos",
    "dtd",
    "edge",
    "else",
    "encoding",
    "equiv",
    "false",
    "family",
    "fff",
    "ffffff",
    "float",
    "font",
    "footer",
    "for",
    "form",
    "function",
    "get",
    "gif",
    "gzip",
    "head",
    "header",
    "height",
    "hidden",
    "host",
    "href",
    "html",
    "http",
    "https",
    "icon",
    "image",
    "img",
    "initial",
    "inline",
    "input",
    "iso",
    "javascript",
    "jpeg",
    "jpg",
    "json",
    "keep",
    "lang",
    "language",
    "left",
    "length",
    "link",
    "main",
    "margin",
    "max",
    "media",
    "meta",
    "method",
    "min",
    "mode",
    "name",
    "nav",
    "new",
    "none",
    "null",
    "org",
    "padding",
    "path",
    "pdf",
    "php",
    "png",
    "position",
    "post",
    "program",
    "property",
    "public",
    "quot",
    "rel",
    "relative",
    "return",
    "right",
    "run",
    "scale",
    "script",
    "section",
    "server",
    "set",
    "shortcut",
    "size",
    "solid",
    "span",
    "src",
    "standalone",
    "static",
    "strict",
    "strong",
    "style",
    "stylesheet",
    "svg",
    "table",
    "target",
    "tbody",
    "text",
    "the",
    "this",
    "title",
    "top",
    "transitional",
    "true",
    "type",
    "url",
    "utf",
    "value",
    "var",
    "version",
    "viewport",
    "void",
    "weight",
    "width",
    "window",
    "with",
    "www",
    "xhtml",
    "xml",
    "xmlns",
    "zoom",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        units(text.as_bytes()).collect()
    }

    #[test]
    fn tags_and_statements_stay_whole() {
        let text = "rn</b></div><div class=\"forecast-widget\">Rain <a href=\"/stations/\">";
        assert_eq!(of(text), ["<div class=\"forecast-widget\">Rain", "<a href=\"/stations/\">"]);
        assert_eq!(
            of("var forecastCache = {}; loadStations(forecastCache);"),
            ["var forecastCache = {", "; loadStations(forecastCache);"]
        );
    }

    #[test]
    fn long_text_parts_between_words() {
        let text =
            "the forecast for tomorrow says that it will rain in the north and that the wind will turn";
        let found = of(text);
        assert_eq!(found, [&text[..62], &text[63..]]);
        assert_eq!(of(&"abcdefgh".repeat(10))[0].len(), 64);
    }

    #[test]
    fn rulers_and_what_a_terminal_obeys_are_no_strings() {
        assert_eq!(of("----------------"), [""; 0]);
        assert_eq!(of("forecast\u{202e}txt.exe"), [""; 0]);
        let cut = "\u{e9}t\u{e9} \u{e0} Gen\u{e8}ve";
        assert_eq!(units(&cut.as_bytes()[1..]).collect::<Vec<_>>(), ["t\u{e9} \u{e0} Gen\u{e8}ve"]);
    }

    #[test]
    fn words_of_a_format_are_not_specific() {
        assert!(GENERIC.is_sorted());
        assert_eq!(specific("<!DOCTYPE html><meta charset=\"utf-8\">"), 0);
        assert_eq!(specific("<div class=\"forecast-widget\">"), 14);
        assert_eq!(specific("Погода"), 6);
    }
}
