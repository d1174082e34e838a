use memchr::memchr;

use super::Content;

/// HTML or XML, by the tags of a text.
pub(super) fn kind(text: &[u8]) -> Option<Content> {
    let tags = Tags::of(text);
    if tags.is_html(text.len()) {
        return Some(Content::Html);
    }
    tags.is_xml(text.len()).then_some(Content::Xml)
}

/// The tags of a text by what they are.
#[derive(Default)]
struct Tags {
    opening: usize,
    closing: usize,
    /// Of both, those whose name HTML knows.
    html: usize,
    /// Opening tags that close themselves, instructions, CDATA.
    xml: usize,
    /// The text says itself that it is HTML.
    page: bool,
    /// `<?xml`
    declared: bool,
}

impl Tags {
    fn of(text: &[u8]) -> Tags {
        let mut tags = Tags::default();
        let mut at = 0;
        while let Some(next) = memchr(b'<', &text[at..]) {
            at += next + 1;
            tags.add(&text[at..text.len().min(at + LONGEST)]);
        }
        tags
    }

    fn add(&mut self, tag: &[u8]) {
        match tag.first() {
            Some(b'/') if is_named(&tag[1..]) => {
                self.closing += 1;
                self.html += usize::from(is_html_name(name(&tag[1..])));
            }
            Some(b'?') => {
                self.declared |= tag.starts_with(b"?xml ");
                self.xml += 1;
            }
            Some(b'!') => {
                self.page |= tag.len() > 12 && tag[1..13].eq_ignore_ascii_case(b"doctype html");
                self.xml += usize::from(tag.starts_with(b"![CDATA["));
            }
            Some(_) if is_named(tag) => {
                let name = name(tag);
                self.opening += 1;
                self.html += usize::from(is_html_name(name));
                self.page |= name.eq_ignore_ascii_case(b"html");
                let is_empty = memchr(b'>', tag).is_some_and(|end| end > 0 && tag[end - 1] == b'/');
                self.xml += usize::from(is_empty);
            }
            _ => {}
        }
    }

    fn all(&self) -> usize {
        self.opening + self.closing
    }

    /// A page with a long script has few tags for its length, but it says what it is.
    fn is_html(&self, len: usize) -> bool {
        let is_dense = self.closing >= 1 && self.html >= 3 && self.html * DENSITY >= len;
        let is_most = self.html * 2 > self.all();
        // A feed names its parts as pages do, and carries pieces of them.
        let is_feed = self.declared && !self.page;
        is_most && !is_feed && (is_dense || self.page)
    }

    fn is_xml(&self, len: usize) -> bool {
        let is_closed = (self.closing + self.xml) * 3 >= self.opening && self.closing + self.xml >= 1;
        let is_dense = self.all() >= 3 && self.all() * DENSITY >= len;
        self.declared && self.opening >= 1 || is_closed && is_dense
    }
}

/// Longer than most tags with their attributes.
const LONGEST: usize = 256;
/// Bytes a tag, at most: prose with markup in it, not source with a few tags in its comments.
const DENSITY: usize = 300;

fn name(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(tag.len());
    &tag[..end]
}

/// A name, and behind it what may follow one in a tag: `a < b` and `Vec<u8>, x` are none.
fn is_named(tag: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte);
    let end = tag.iter().position(|byte| !is_name(byte)).unwrap_or(tag.len());
    let starts = tag.first().is_some_and(u8::is_ascii_alphabetic);
    starts && matches!(tag.get(end), Some(b'>' | b'/' | b' ' | b'\n' | b'\r' | b'\t'))
}

fn is_html_name(name: &[u8]) -> bool {
    let mut lower = [0; 10];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"a" | b"abbr"
            | b"article"
            | b"aside"
            | b"b"
            | b"blockquote"
            | b"body"
            | b"br"
            | b"button"
            | b"center"
            | b"code"
            | b"dd"
            | b"details"
            | b"div"
            | b"dl"
            | b"dt"
            | b"em"
            | b"fieldset"
            | b"figure"
            | b"font"
            | b"footer"
            | b"form"
            | b"h1"
            | b"h2"
            | b"h3"
            | b"h4"
            | b"h5"
            | b"h6"
            | b"head"
            | b"header"
            | b"hr"
            | b"html"
            | b"i"
            | b"iframe"
            | b"img"
            | b"input"
            | b"label"
            | b"li"
            | b"link"
            | b"main"
            | b"meta"
            | b"nav"
            | b"noscript"
            | b"ol"
            | b"option"
            | b"p"
            | b"pre"
            | b"script"
            | b"section"
            | b"select"
            | b"small"
            | b"span"
            | b"strong"
            | b"style"
            | b"sub"
            | b"summary"
            | b"sup"
            | b"table"
            | b"tbody"
            | b"td"
            | b"template"
            | b"textarea"
            | b"th"
            | b"thead"
            | b"title"
            | b"tr"
            | b"tt"
            | b"u"
            | b"ul"
            | b"video"
            | b"wbr"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Content> {
        kind(text.as_bytes())
    }

    #[test]
    fn pages_and_parts_of_them_are_html() {
        assert_eq!(
            of("<!DOCTYPE html>\n<html lang=\"en\"><head><title>x</title></head>"),
            Some(Content::Html)
        );
        assert_eq!(
            of("class=\"x\">Rain</td><td>5</td></tr>\n<tr><td>Sun</td><td>6</td></tr>"),
            Some(Content::Html)
        );
        assert_eq!(of("<HTML><BODY>old <P>page<BR>"), Some(Content::Html));
        let script = "var a = 1; if (a < 2) { a++; }\n".repeat(400);
        assert_eq!(of(&format!("<!doctype html><html><head><script>{script}")), Some(Content::Html));
        let xhtml = "<?xml version=\"1.0\"?><html><head><title>x</title></head><body><p>y</p></body></html>";
        assert_eq!(of(xhtml), Some(Content::Html));
    }

    #[test]
    fn other_tags_are_xml() {
        assert_eq!(
            of("<?xml version=\"1.0\"?><rss><channel><item>x</item></channel></rss>"),
            Some(Content::Xml)
        );
        assert_eq!(
            of("<station id=\"1\"><degrees>5</degrees></station><station id=\"2\"/>"),
            Some(Content::Xml)
        );
        assert_eq!(
            of("<svg viewBox=\"0 0 9 9\"><path d=\"M0 0h9\"/><g><circle r=\"2\"/></g></svg>"),
            Some(Content::Xml)
        );
        assert_eq!(of("<soap:Envelope><soap:Body><m:Get/></soap:Body></soap:Envelope>"), Some(Content::Xml));
    }

    #[test]
    fn angle_brackets_of_programs_are_no_tags() {
        for text in [
            "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { return a < b && c > d; }",
            "std::map<std::string, std::vector<int> > m; std::vector<Foo> v; template <class T> void f();",
            "fn f(x: Vec<String>) -> Option<Box<dyn Fn(u8) -> Result<T> > > { x < y }",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
