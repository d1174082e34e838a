/// How many characters of a string stand in words that its format has not given it. Words with digits in them are
/// numbers of versions or sums, which tell no one anything.
pub(super) fn specific(text: &str) -> usize {
    let words = text.split(|character: char| !character.is_alphanumeric());
    let own = words.filter(|word| {
        word.chars().all(char::is_alphabetic) && word.chars().count() >= 3 && !is_generic(word)
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
#[rustfmt::skip]
const GENERIC: &[&str] = &[
    "8859", "absolute", "accept", "align", "alive", "alt", "and", "application", "article", "ascii",
    "async", "auto", "background", "block", "body", "border", "bottom", "button", "cannot", "center",
    "charset", "class", "clear", "close", "code", "color", "com", "compatible", "connection", "content",
    "control", "css", "date", "device", "display", "div", "doctype", "document", "dos", "dtd", "edge",
    "else", "encoding", "equiv", "false", "family", "fff", "ffffff", "float", "font", "footer", "for",
    "form", "function", "get", "gif", "gzip", "head", "header", "height", "hidden", "host", "href", "html",
    "http", "https", "icon", "image", "img", "initial", "inline", "input", "iso", "javascript", "jpeg",
    "jpg", "json", "keep", "lang", "language", "left", "length", "link", "main", "margin", "max", "media",
    "meta", "method", "min", "mode", "name", "nav", "new", "none", "null", "org", "padding", "path", "pdf",
    "php", "png", "position", "post", "program", "property", "public", "quot", "rel", "relative", "return",
    "right", "run", "scale", "script", "section", "server", "set", "shortcut", "size", "solid", "span",
    "src", "standalone", "static", "strict", "strong", "style", "stylesheet", "svg", "table", "target",
    "tbody", "text", "the", "this", "title", "top", "transitional", "true", "type", "url", "utf", "value",
    "var", "version", "viewport", "void", "weight", "width", "window", "with", "www", "xhtml", "xml",
    "xmlns", "zoom",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_format_are_not_specific() {
        assert!(GENERIC.is_sorted());
        assert_eq!(specific("<!DOCTYPE html><meta charset=\"utf-8\">"), 0);
        assert_eq!(specific("<div class=\"forecast-widget\">"), 14);
        assert_eq!(specific("Погода"), 6);
        assert_eq!(specific("style-6b053e98.css"), 0);
    }
}
