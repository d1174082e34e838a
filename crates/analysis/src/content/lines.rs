use memchr::{memchr, memchr_iter, memmem};

use super::Content;

/// The first lines of a text that are not blank.
pub(super) struct Lines<'a> {
    lines: [&'a [u8]; LOOK],
    count: usize,
}

/// Enough lines to tell what they have in common.
const LOOK: usize = 100;

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Lines<'a> {
        let filled = text.split(|&byte| byte == b'\n' || byte == 0).map(<[u8]>::trim_ascii_end);
        let mut lines = Lines { lines: [&[]; LOOK], count: 0 };
        for (place, line) in lines.lines.iter_mut().zip(filled.filter(|line| !line.is_empty())) {
            *place = line;
            lines.count += 1;
        }
        // The last may be cut; where there are few, it has to do.
        lines.count -= usize::from(lines.count > 8);
        lines
    }

    fn all(&self) -> &[&'a [u8]] {
        &self.lines[..self.count]
    }

    /// Tables and logs.
    pub(super) fn kind(&self) -> Option<Content> {
        if self.is_table(2) {
            return Some(Content::Csv);
        }
        self.is_log().then_some(Content::Log)
    }

    /// Whether all lines have the same number of one separator, at least `least`, and are more separators than prose.
    pub(super) fn is_table(&self, least: usize) -> bool {
        self.count >= 3 && b",;\t|".iter().any(|&separator| is_parted(self.all(), separator, least))
    }

    /// Whether enough lines begin with a time or a level; others are what their entries say over several lines.
    fn is_log(&self) -> bool {
        let stamped = self.all().iter().filter(|line| is_stamped(line)).count();
        self.count >= 2 && stamped >= 2 && stamped * 100 >= self.count * 40
    }

    /// Whether most lines are base64 at full width.
    fn are_base64(&self) -> bool {
        let is_base64 = |line: &&&[u8]| {
            matches!(line.len(), 64 | 76)
                && line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
        };
        self.all().iter().filter(is_base64).count() * 2 > self.count
    }
}

/// Keys and certificates.
pub(super) fn armour(text: &[u8], lines: &Lines<'_>) -> Option<Content> {
    let begin = memmem::find(text, b"-----BEGIN ")?;
    let is_start = text[..begin].iter().all(u8::is_ascii_whitespace);
    // A name may stand before a certificate, but source that mentions the mark has no base64 behind it.
    (is_start || lines.are_base64()).then_some(Content::Pem)
}

/// The length of an HTTP message's header, when one stands here.
pub(super) fn http_header(text: &[u8]) -> Option<usize> {
    let end = memmem::find(text, b"\r\n\r\n").map_or(text.len(), |end| end + 4);
    let mut header = text[..end].split(|&byte| byte == b'\n');
    let first = header.next()?.trim_ascii_end();
    let second = header.next().unwrap_or_default();
    let is_field = second.iter().position(|&byte| byte == b':').is_some_and(|colon| {
        colon > 0 && second[..colon].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    });
    let is_response = first.starts_with(b"HTTP/1.") || first.starts_with(b"HTTP/2 ");
    let is_request = first.ends_with(b" HTTP/1.1") || first.ends_with(b" HTTP/1.0");
    (is_field && (is_response || is_request && first[0].is_ascii_uppercase())).then_some(end)
}

fn is_parted(lines: &[&[u8]], separator: u8, least: usize) -> bool {
    let usual = separators(lines[lines.len() / 2], separator);
    if usual < least || !are_alike(lines, separator, usual) {
        return false;
    }
    let blanks: usize = lines.iter().map(|line| words_apart(line, separator)).sum();
    // One comma a line is a table only if nothing else stands there that a sentence would have.
    let allowed = if usual == 1 { lines.len() / 4 } else { usual * lines.len() * 2 };
    let ends_open =
        lines.iter().filter(|line| line.last().is_some_and(|last| b";{}(,".contains(last))).count();
    let is_code = separator != b';' && separator != b',' && ends_open * 2 > lines.len();
    blanks <= allowed && !is_code
}

/// Whether nine of ten lines have so many separators; most text is told from a table by its first lines.
fn are_alike(lines: &[&[u8]], separator: u8, usual: usize) -> bool {
    let others = lines.iter().filter(|line| separators(line, separator) != usual);
    others.take(lines.len() / 10 + 1).count() <= lines.len() / 10
}

/// Separators outside of quotes.
fn separators(line: &[u8], separator: u8) -> usize {
    if memchr(b'"', line).is_none() {
        return memchr_iter(separator, line).count();
    }
    let mut quoted = false;
    let is_separator = |byte: &&u8| {
        quoted ^= **byte == b'"';
        **byte == separator && !quoted
    };
    line.iter().filter(is_separator).count()
}

/// Blanks that part words, and do not only stand behind a separator.
fn words_apart(line: &[u8], separator: u8) -> usize {
    line.windows(2).filter(|pair| pair[1] == b' ' && pair[0] != separator && pair[0] != b' ').count()
}

/// How far into a line its time or level may stand: an address of a web server's client stands before it.
const STAMP: usize = 64;

fn is_stamped(line: &[u8]) -> bool {
    let head = &line[..line.len().min(STAMP)];
    has_time(head) || is_kernel_time(head) || has_level(head)
}

/// `dd:dd:dd`, not inside a longer number: no MAC address, no ratio.
fn has_time(head: &[u8]) -> bool {
    let is_time = |window: &[u8]| {
        let pair = |at: usize| window[at].is_ascii_digit() && window[at + 1].is_ascii_digit();
        pair(0)
            && window[2] == b':'
            && pair(3)
            && window[5] == b':'
            && pair(6)
            && window[0] <= b'2'
            && window[3] <= b'5'
    };
    head.windows(8).any(is_time)
}

/// `[    3.141592] usb 1-1: new device`
fn is_kernel_time(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"[") else { return false };
    let number = rest.trim_ascii_start();
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = &number[digits..];
    digits > 0 && behind.first() == Some(&b'.') && behind.get(1..8).is_some_and(|part| part.ends_with(b"]"))
}

/// A level in capitals or in brackets near the start of a line.
fn has_level(head: &[u8]) -> bool {
    const LEVELS: [&[u8]; 11] = [
        b"TRACE",
        b"DEBUG",
        b"INFO",
        b"NOTICE",
        b"WARN",
        b"WARNING",
        b"ERROR",
        b"SEVERE",
        b"CRITICAL",
        b"FATAL",
        b"ERR",
    ];
    let head = &head[..head.len().min(40)];
    let mut words =
        head.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').filter(|word| !word.is_empty());
    // A level that stands alone before a colon or in brackets, in any case: `[warn]`, `error:`.
    let opens = head.first() == Some(&b'[');
    let bracketed = opens
        && words
            .clone()
            .next()
            .is_some_and(|word| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level)));
    bracketed || words.any(|word| LEVELS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Content> {
        Lines::of(text.as_bytes()).kind()
    }

    fn armoured(text: &str) -> Option<Content> {
        armour(text.as_bytes(), &Lines::of(text.as_bytes()))
    }

    #[test]
    fn logs_of_many_programs_are_logs() {
        for text in [
            "2024-05-01 12:00:01,123 INFO  [main] started\n2024-05-01 12:00:02,456 WARN  [pool-1] slow\n",
            "May  1 12:00:01 host sshd[412]: Accepted key\nMay  1 12:00:09 host cron[77]: job, done, well\n",
            "[    0.000000] Linux version 6.1\n[    0.004113] x86/fpu: xsave\n[   12.031415] usb 1-1: new\n",
            "10.0.0.1 - - [10/Oct/2024:13:55:36 +0200] \"GET / HTTP/1.1\" 200 2326\n10.0.0.2 - - [10/Oct/2024:13:55:37 +0200] \"GET /a HTTP/1.1\" 404 12\n",
            "[error] cannot open\n[warn] will retry\n[info] open\n",
            "ERROR: x failed\n  at a.b(C.java:3)\nINFO: y\nDEBUG: z\n",
        ] {
            assert_eq!(kind(text), Some(Content::Log), "{text}");
        }
    }

    #[test]
    fn equal_separators_make_a_table() {
        for text in [
            "id,name,degrees\n1,Bern,21.5\n2,Basel,22.0\n3,\"Biel, lake\",20.1\n",
            "a\tb\tc\n1\t2\t3\n4\t5\t6\n",
            "2024-05-01 12:00:00;1.5;2.5\n2024-05-01 12:10:00;1.6;2.6\n2024-05-01 12:20:00;1.7;2.7\n",
        ] {
            assert_eq!(kind(text), Some(Content::Csv), "{text}");
        }
        assert!(Lines::of(b"a,1\nb,2\nc,3\n").is_table(1));
        assert!(!Lines::of(b"Rain, then sun.\nWind, but not much.\nCold, as always here.\n").is_table(1));
    }

    #[test]
    fn prose_is_neither() {
        let text =
            "It rained at noon.\nAn error was found, and it was reported.\nThe wind, the rain, the sun.\n";
        assert_eq!(kind(text), None);
    }

    #[test]
    fn keys_and_messages_begin_with_their_mark() {
        assert_eq!(armoured("-----BEGIN CERTIFICATE-----\nMIIB"), Some(Content::Pem));
        assert_eq!(armoured("if text.startswith(\"-----BEGIN RSA\"):\n"), None);
        assert!(http_header(b"GET /index HTTP/1.1\r\nHost: example.com\r\n\r\n").is_some());
        assert_eq!(http_header(b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\nrest"), Some(38));
        assert_eq!(http_header(b"HTTP/1.1 is a protocol.\nIt has headers\n"), None);
    }
}
