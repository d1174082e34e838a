//! What single words speak for.

/// Whether a statement may begin with the first word and go on to the second.
pub(super) fn is_statement(first: &[u8], second: &[u8]) -> bool {
    let is = |word: &[u8], known: &[&[u8]]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    is(first, &[b"SELECT", b"DELETE"]) && is(second, &[b"FROM"])
        || is(first, &[b"INSERT", b"REPLACE"]) && is(second, &[b"INTO"])
        || is(first, &[b"UPDATE"]) && is(second, &[b"SET"])
        || is(first, &[b"CREATE", b"ALTER", b"DROP"])
            && is(
                second,
                &[
                    b"TABLE",
                    b"FUNCTION",
                    b"INDEX",
                    b"VIEW",
                    b"TRIGGER",
                    b"TYPE",
                    b"OPERATOR",
                    b"SEQUENCE",
                    b"EXTENSION",
                ],
            )
}

pub(super) fn begins_statement(word: &[u8]) -> bool {
    const FIRST: [&[u8]; 8] =
        [b"SELECT", b"DELETE", b"INSERT", b"REPLACE", b"UPDATE", b"CREATE", b"ALTER", b"DROP"];
    (4..=7).contains(&word.len()) && FIRST.iter().any(|first| word.eq_ignore_ascii_case(first))
}

/// Words of SQL that stand inside of statements.
pub(super) fn is_clause(word: &[u8]) -> bool {
    matches!(
        word,
        b"WHERE"
            | b"VALUES"
            | b"JOIN"
            | b"VARCHAR"
            | b"PRIMARY"
            | b"NULL"
            | b"GROUP"
            | b"LIMIT"
            | b"INTEGER"
            | b"UNIQUE"
            | b"CONSTRAINT"
            | b"DISTINCT"
            | b"RETURNS"
            | b"LANGUAGE"
    ) || matches!(
        word,
        b"where"
            | b"values"
            | b"join"
            | b"varchar"
            | b"primary"
            | b"null"
            | b"group"
            | b"limit"
            | b"integer"
            | b"unique"
            | b"constraint"
            | b"distinct"
            | b"returns"
            | b"language"
    )
}

/// Words that begin or end a property of a style sheet: `margin`, `margin-left`.
pub(super) fn is_property(word: &[u8]) -> bool {
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

/// How strongly a word speaks for JavaScript, by what stands behind it: many of them are plain English.
pub(super) fn script(word: &[u8], next: u8) -> usize {
    match (word, next) {
        (b"typeof" | b"undefined" | b"prototype", _) => 3,
        (b"function", b' ' | b'(')
        | (b"console" | b"exports" | b"document" | b"window", b'.')
        | (b"require", b'(') => 2,
        (b"var" | b"let" | b"const" | b"async" | b"await" | b"instanceof", b' ') | (b"this", b'.') => 1,
        _ => 0,
    }
}

/// How strongly a word speaks for another language. Those that are also plain English weigh little, and count only
/// among marks.
pub(super) fn source(word: &[u8]) -> usize {
    match word {
        b"#include" => 5,
        b"#define" | b"#ifdef" | b"#ifndef" | b"elif" | b"size_t" | b"nullptr" | b"typedef"
        | b"isinstance" | b"uint32_t" => 4,
        b"assert_eq" | b"usize" | b"unwrap" | b"crate" | b"nonlocal" | b"__init__" | b"#endif" | b"void"
        | b"struct" | b"unsigned" | b"fn" | b"impl" | b"pub" | b"mut" | b"func" | b"std" => 3,
        b"def" | b"self" | b"import" | b"public" | b"private" | b"static" | b"int" | b"char"
        | b"namespace" | b"NULL" | b"enum" | b"raise" | b"lambda" | b"extern" | b"boolean" | b"throws"
        | b"println" => 2,
        b"Some" | b"Vec" | b"let" | b"const" | b"printf" | b"return" | b"class" | b"package" | b"using"
        | b"None" | b"except" | b"template" | b"virtual" | b"override" => 1,
        _ => 0,
    }
}
