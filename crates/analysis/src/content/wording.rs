use super::Content;

/// SQL, style sheets or programs, by their words and marks.
pub(super) fn kind(text: &[u8]) -> Option<Content> {
    let words = Words::of(text);
    if words.is_sql() {
        Some(Content::Sql)
    } else if words.is_css() {
        Some(Content::Css)
    } else if words.is_script() {
        Some(Content::JavaScript)
    } else {
        (text.starts_with(b"#!/") || words.is_source()).then_some(Content::Source)
    }
}

/// What the words of a text speak for.
#[derive(Default)]
struct Words {
    len: usize,
    all: usize,
    /// Statements of SQL that have their second part.
    statements: usize,
    /// Properties of style sheets with their colon.
    properties: usize,
    /// Weight of words that only JavaScript has.
    script: usize,
    /// Weight of words that other languages have.
    source: usize,
    /// Different words of either, by a bit for their place in the lists.
    kinds: u64,
    /// Braces, semicolons and the like.
    marks: usize,
    braces: usize,
}

impl Words {
    fn of(text: &[u8]) -> Words {
        let mut words = Words { len: text.len(), ..Words::default() };
        let mut wants: Option<&[u8]> = None;
        let (mut at, mut begins) = (0, true);
        while at < text.len() {
            let byte = text[at];
            if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'#' && begins {
                let end = at + 1 + text[at + 1..].iter().take_while(|byte| is_inner(**byte)).count();
                let word = &text[at..end];
                if begins && byte != b'#' {
                    wants = partner(word).or(wants);
                } else if wants.is_some_and(|partner| word.eq_ignore_ascii_case(partner)) {
                    words.statements += 1;
                    wants = None;
                }
                words.add(word, text.get(end).copied().unwrap_or(0));
                (at, begins) = (end, false);
                continue;
            }
            words.mark(byte, &text[at..]);
            begins = matches!(byte, b';' | b'\n' | b'(' | b'"' | b'`' | b'\'' | 0) || begins && byte == b' ';
            at += 1;
        }
        words
    }

    fn mark(&mut self, byte: u8, rest: &[u8]) {
        self.marks += usize::from(b"{}();=[]<>".contains(&byte));
        self.braces += usize::from(byte == b'{');
        self.script += if rest.starts_with(b"===") || rest.starts_with(b"!==") { 2 } else { 0 };
        self.script += usize::from(rest.starts_with(b"=> {") || rest.starts_with(b"=>{"));
    }

    fn add(&mut self, word: &[u8], next: u8) {
        self.all += 1;
        self.properties += usize::from(next == b':' && is_property(word));
        if let Some(place) = SCRIPT.iter().position(|(known, _)| *known == word) {
            self.script += SCRIPT[place].1;
            self.kinds |= 1 << place;
        } else if let Some(place) = SOURCE.iter().position(|(known, _)| *known == word) {
            self.source += SOURCE[place].1;
            self.kinds |= 1 << (place % 48 + 16);
        }
    }

    fn is_sql(&self) -> bool {
        self.statements >= 1
            && self.statements * 1500 >= self.len
            && self.script + self.source * 2 <= self.statements * 8
    }

    fn is_css(&self) -> bool {
        self.properties >= 3
            && self.braces >= 1
            && self.properties * 200 >= self.len
            && self.properties > self.script
    }

    /// A program has its own words, several of them, and more marks than prose.
    fn is_program(&self, weight: usize) -> bool {
        weight >= 3 && weight * 60 >= self.all && self.kinds.count_ones() >= 2 && self.marks * 40 >= self.len
    }

    fn is_script(&self) -> bool {
        self.script >= self.source && self.is_program(self.script)
    }

    fn is_source(&self) -> bool {
        self.is_program(self.source + self.script)
    }
}

fn is_inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What has to come later in a statement that begins with this word.
fn partner(word: &[u8]) -> Option<&'static [u8]> {
    const STATEMENTS: [(&[u8], &[u8]); 8] = [
        (b"SELECT", b"FROM"),
        (b"INSERT", b"INTO"),
        (b"UPDATE", b"SET"),
        (b"DELETE", b"FROM"),
        (b"CREATE", b"TABLE"),
        (b"ALTER", b"TABLE"),
        (b"DROP", b"TABLE"),
        (b"REPLACE", b"INTO"),
    ];
    let found = STATEMENTS.iter().find(|(first, _)| word.eq_ignore_ascii_case(first));
    found.map(|(_, second)| *second)
}

/// Words that begin or end a property of a style sheet: `margin`, `margin-left`.
fn is_property(word: &[u8]) -> bool {
    matches!(
        word,
        b"color"
            | b"background"
            | b"margin"
            | b"padding"
            | b"border"
            | b"font"
            | b"width"
            | b"height"
            | b"display"
            | b"position"
            | b"float"
            | b"left"
            | b"right"
            | b"top"
            | b"bottom"
            | b"size"
            | b"family"
            | b"weight"
            | b"style"
            | b"align"
            | b"decoration"
            | b"overflow"
            | b"radius"
            | b"opacity"
            | b"cursor"
            | b"transition"
            | b"transform"
            | b"content"
            | b"index"
            | b"shadow"
            | b"image"
            | b"repeat"
            | b"flex"
            | b"grid"
            | b"gap"
            | b"spacing"
            | b"space"
            | b"animation"
            | b"fill"
            | b"sizing"
            | b"collapse"
            | b"visibility"
            | b"outline"
            | b"items"
            | b"direction"
    )
}

/// Words of JavaScript, with how strongly they speak for it.
const SCRIPT: [(&[u8], usize); 16] = [
    (b"function", 2),
    (b"typeof", 3),
    (b"undefined", 3),
    (b"document", 1),
    (b"window", 1),
    (b"prototype", 3),
    (b"var", 1),
    (b"let", 1),
    (b"const", 1),
    (b"require", 1),
    (b"exports", 2),
    (b"async", 1),
    (b"await", 1),
    (b"instanceof", 1),
    (b"console", 2),
    (b"this", 1),
];

/// Words of other languages. Those that are also plain English weigh little, and count only among marks.
const SOURCE: [(&[u8], usize); 46] = [
    (b"return", 1),
    (b"#include", 5),
    (b"#define", 4),
    (b"#ifdef", 4),
    (b"#ifndef", 4),
    (b"#endif", 3),
    (b"def", 2),
    (b"self", 2),
    (b"elif", 4),
    (b"import", 2),
    (b"class", 1),
    (b"public", 2),
    (b"private", 2),
    (b"static", 2),
    (b"void", 3),
    (b"int", 2),
    (b"char", 2),
    (b"struct", 3),
    (b"unsigned", 3),
    (b"size_t", 4),
    (b"fn", 3),
    (b"impl", 3),
    (b"pub", 3),
    (b"mut", 3),
    (b"package", 1),
    (b"func", 3),
    (b"namespace", 2),
    (b"using", 1),
    (b"std", 3),
    (b"nullptr", 4),
    (b"NULL", 2),
    (b"typedef", 4),
    (b"enum", 2),
    (b"None", 1),
    (b"raise", 2),
    (b"except", 1),
    (b"lambda", 2),
    (b"isinstance", 4),
    (b"template", 1),
    (b"virtual", 1),
    (b"override", 1),
    (b"extern", 2),
    (b"uint32_t", 4),
    (b"boolean", 2),
    (b"throws", 2),
    (b"println", 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Content> {
        kind(text.as_bytes())
    }

    #[test]
    fn statements_are_sql() {
        assert_eq!(
            of("SELECT a.id, b.name FROM a JOIN b ON a.id = b.id WHERE b.open = 1;"),
            Some(Content::Sql)
        );
        assert_eq!(
            of("insert into stations (id, name) values (1, 'Bern'), (2, 'Basel');"),
            Some(Content::Sql)
        );
        assert_eq!(of("Select a good seat, far from the door.\nUpdate your plans, and set out."), None);
    }

    #[test]
    fn rules_are_css() {
        assert_eq!(
            of("body{color:#333;margin:0;padding:0}a:hover{text-decoration:underline}"),
            Some(Content::Css)
        );
        let rules = ".forecast .day {\n  display: flex;\n  font-size: 12px;\n  border-left: 1px solid;\n}\n";
        assert_eq!(of(rules), Some(Content::Css));
    }

    #[test]
    fn scripts_and_other_programs_differ() {
        let minified = "!function(e,t){\"use strict\";var n=t.document;if(typeof e===\"undefined\")return;n.x=function(){}}(a,b);";
        assert_eq!(of(minified), Some(Content::JavaScript));
        let modern = "const fs = require('fs');\nmodule.exports = async (x) => { const y = await fs.read(x); return y; };";
        assert_eq!(of(modern), Some(Content::JavaScript));
        let c = "#include <stdio.h>\n\nint main(void)\n{\n\tconst char *x = NULL;\n\treturn printf(\"%s\", x);\n}\n";
        assert_eq!(of(c), Some(Content::Source));
        let python =
            "import os\n\nclass A:\n    def f(self, x=None):\n        return os.path.join(self.y, x)\n";
        assert_eq!(of(python), Some(Content::Source));
        let rust = "pub fn f(x: &mut Vec<u8>) -> usize {\n    let y = x.len();\n    impl_it(y);\n    y\n}\n";
        assert_eq!(of(rust), Some(Content::Source));
    }

    #[test]
    fn prose_is_no_program() {
        assert_eq!(of("Let this class return to the public package; import the rest (as before)."), None);
    }
}
