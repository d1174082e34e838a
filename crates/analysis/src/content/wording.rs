use super::Content;
use super::keywords::{begins_statement, is_clause, is_property, is_statement, script, source};

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
    /// Of those, the ones in capitals.
    loud: usize,
    /// Other words of SQL.
    clauses: usize,
    /// Properties of style sheets with their colon.
    properties: usize,
    /// Weight of words that only JavaScript has.
    script: usize,
    /// Weight of words that other languages have.
    source: usize,
    /// Different words of either: a bit each, seldom one for two.
    kinds: u64,
    /// Braces, semicolons and the like.
    marks: usize,
    braces: usize,
}

impl Words {
    fn of(text: &[u8]) -> Words {
        let mut words = Words { len: text.len(), ..Words::default() };
        let mut open: Option<&[u8]> = None;
        let (mut at, mut begins) = (0, true);
        while at < text.len() {
            let byte = text[at];
            if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'#' && begins {
                let end = at + 1 + text[at + 1..].iter().take_while(|byte| is_inner(**byte)).count();
                let word = &text[at..end];
                if begins && begins_statement(word) {
                    open = Some(word);
                } else if open.is_some_and(|first| is_statement(first, word)) {
                    words.statements += 1;
                    words.loud += usize::from(word[0].is_ascii_uppercase());
                    open = None;
                }
                words.add(word, text.get(end).copied().unwrap_or(0));
                (at, begins) = (end, false);
                continue;
            }
            words.mark(byte, at.checked_sub(1).map_or(0, |before| text[before]), &text[at..]);
            begins = matches!(byte, b';' | b'\n' | b'(' | b'"' | b'`' | b'\'' | 0) || begins && byte == b' ';
            at += 1;
        }
        words
    }

    fn mark(&mut self, byte: u8, before: u8, rest: &[u8]) {
        self.marks += usize::from(match byte {
            b'{' | b'}' | b'=' | b'[' | b']' | b'<' | b'>' => true,
            // Prose has these too, but not there.
            b'(' => is_inner(before),
            b';' => before == b')' || matches!(rest.get(1), None | Some(b'\n' | b'\r' | b'}')),
            b':' => before == b')' || rest.get(1) == Some(&b':'),
            _ => false,
        });
        self.braces += usize::from(byte == b'{');
        self.script += if rest.starts_with(b"===") || rest.starts_with(b"!==") { 2 } else { 0 };
        self.script += usize::from(rest.starts_with(b"=> {") || rest.starts_with(b"=>{"));
    }

    fn add(&mut self, word: &[u8], next: u8) {
        self.all += 1;
        self.clauses += usize::from(is_clause(word));
        self.properties += usize::from(next == b':' && is_property(word));
        let (script, source) = (script(word, next), source(word));
        self.script += script;
        self.source += source;
        if script + source > 0 {
            self.kinds |= bit(word);
        }
    }

    fn is_sql(&self) -> bool {
        // People select seats from plans, too: in small letters more of the language has to be there.
        let is_sure = self.loud * 2 > self.statements || self.clauses >= self.statements;
        let has_room = self.script + self.source * 2 <= self.statements * 8;
        self.statements >= 1 && is_sure && has_room && (self.statements + self.clauses / 4) * 1500 >= self.len
    }

    fn is_css(&self) -> bool {
        self.properties >= 3
            && self.braces >= 1
            && self.properties * 200 >= self.len
            && self.properties > self.script
    }

    /// A program has its own words, several of them, and more marks than prose.
    fn is_program(&self, weight: usize) -> bool {
        weight >= 3 && weight * 50 >= self.all && self.kinds.count_ones() >= 2 && self.marks * 80 >= self.len
    }

    fn is_script(&self) -> bool {
        self.script >= self.source && self.is_program(self.script)
    }

    fn is_source(&self) -> bool {
        self.is_program(self.source + self.script)
    }
}

/// One of 64 bits for a word: different words seldom share one.
fn bit(word: &[u8]) -> u64 {
    let (first, last) = (usize::from(word[0]), usize::from(word[word.len() - 1]));
    1 << ((word.len() * 11 + first + last * 7) % 64)
}

fn is_inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

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
