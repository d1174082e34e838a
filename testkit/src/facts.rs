use std::collections::BTreeMap;

/// What a program says about itself: one line, `word name=value name=value …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    word: String,
    values: BTreeMap<String, String>,
}

impl Facts {
    /// Reads a line. What is not `name=value` is left out.
    pub fn of(line: &str) -> Self {
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default().to_owned();
        let values = words
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { word, values }
    }

    /// The word that the line begins with.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// The names of all that the program says, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The value as it was printed.
    ///
    /// # Panics
    /// When the program did not say it.
    pub fn text(&self, name: &str) -> &str {
        let Some(value) = self.values.get(name) else {
            panic!("the program says nothing of `{name}`, only of {:?}", self.values.keys())
        };
        value
    }

    /// A size, count or address: decimal, or hexadecimal behind `0x`.
    ///
    /// # Panics
    /// When the program did not say it, or it is no number.
    pub fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|error| panic!("`{name}` is no number: {text:?}: {error}"))
    }

    /// A number with a fraction, such as a time in seconds.
    ///
    /// # Panics
    /// When the program did not say it, or it is no number.
    pub fn decimal(&self, name: &str) -> f64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|error| panic!("`{name}` is no number: {text:?}: {error}"))
    }

    /// Bytes that the program printed as hexadecimal digits: names that need not be UTF-8.
    ///
    /// # Panics
    /// When the program did not say it, or it is not made of pairs of digits.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let text = self.text(name);
        assert!(text.is_ascii() && text.len().is_multiple_of(2), "`{name}` is not hexadecimal: {text:?}");
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16))
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("`{name}` is not hexadecimal: {text:?}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_numbers_text_and_bytes() {
        let facts = Facts::of("ready start=0x1000 count=12 mode=flat name=61ff20 uptime=1.500 empty=");

        assert_eq!(facts.word(), "ready");
        assert_eq!((facts.number("start"), facts.number("count")), (4096, 12));
        assert_eq!((facts.text("mode"), facts.text("empty")), ("flat", ""));
        assert_eq!(facts.bytes("name"), b"a\xff ");
        assert_eq!(facts.decimal("uptime").to_bits(), 1.5_f64.to_bits());
    }

    #[test]
    #[should_panic(expected = "says nothing of `size`")]
    fn a_fact_that_was_not_told_is_not_zero() {
        Facts::of("ready count=1").number("size");
    }
}
