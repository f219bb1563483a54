//! Finds a secret in a text, in every usual encoding of an echo: percent (either case, also twice), `+`, HTML
//! entities, JSON and other backslash escapes, Base64 at any offset and in either alphabet, hexadecimal.
//!
//! Encodings of single characters may be mixed: which characters an encoder leaves as they are differs between
//! libraries.

use std::ops::Range;

/// Backslashes before an escape that are read, at most: one is doubled by every encoder.
const BACKSLASHES: usize = 16;

/// A secret, prepared for the search.
pub(super) struct Pattern {
    text: String,
    base64: Vec<Base64>,
}

/// The characters of Base64 that depend on the secret alone, wherever it is in what was encoded.
struct Base64 {
    core: Vec<u8>,
    /// Whether the characters beside the core hold some of its bits.
    beside: (bool, bool),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let alphabets: [&[u8; 64]; 2] = [&alphabet(b"+/"), &alphabet(b"-_")];
        let mut base64 = Vec::<Base64>::new();
        for alphabet in alphabets {
            for offset in 0..3 {
                let one = Base64::new(text.as_bytes(), offset, alphabet);
                if !one.core.is_empty() && base64.iter().all(|other| other.core != one.core) {
                    base64.push(one);
                }
            }
        }
        Self { text: text.to_owned(), base64 }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Texts of which one is at the start of every occurrence.
    pub(super) fn starts(&self) -> Vec<Vec<u8>> {
        let mut chars = self.text.chars();
        let (Some(first), Some(second)) = (chars.next(), chars.next()) else { return Vec::new() };
        let mut starts: Vec<Vec<u8>> = [b"%", b"&", b"\\"].map(|start| start.to_vec()).into();
        let mut plain = vec![first.to_string()];
        if first == ' ' {
            plain.push("+".to_owned());
        }
        for start in plain {
            for next in ['%', '&', '\\', second].into_iter().chain((second == ' ').then_some('+')) {
                starts.push(format!("{start}{next}").into_bytes());
            }
        }
        starts.extend(self.base64.iter().map(|one| one.core.clone()));
        if let Some(byte) = self.text.bytes().next() {
            let digits = [format!("{byte:02x}"), format!("{byte:02X}")];
            starts.extend(digits.into_iter().map(String::into_bytes));
            // Mixed cases of one byte.
            let lower = format!("{byte:02x}").into_bytes();
            if let [high, low] = lower[..] {
                starts.push(vec![high.to_ascii_uppercase(), low]);
                starts.push(vec![high, low.to_ascii_uppercase()]);
            }
        }
        starts
    }

    /// The longest occurrence that starts at `at`; with Base64, the characters beside it that hold some of its
    /// bits belong to it.
    pub(super) fn occurrence(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let by_chars = self.by_chars(text, at).or_else(|| self.hexadecimal(text, at)).map(|end| at..end);
        let in_base64 = self.base64.iter().filter(|one| text[at..].starts_with(&one.core)).map(|one| {
            let end = at + one.core.len();
            let is_digit = |index: usize| text.get(index).is_some_and(|byte| is_base64(*byte));
            let before = usize::from(one.beside.0 && at > 0 && is_digit(at - 1));
            let after = usize::from(one.beside.1 && is_digit(end));
            at - before..end + after
        });
        in_base64.chain(by_chars).max_by_key(ExactSizeIterator::len)
    }

    /// The end of an occurrence whose characters are encoded one by one.
    fn by_chars(&self, text: &[u8], at: usize) -> Option<usize> {
        // Every position at which the characters so far may end: `\\` may be one backslash or two.
        let (mut ends, mut next) = (vec![at], Vec::new());
        for c in self.text.chars() {
            ends.drain(..).for_each(|end| encodings(c, text, end, &mut next));
            std::mem::swap(&mut ends, &mut next);
            if ends.is_empty() {
                return None;
            }
            ends.sort_unstable();
            ends.dedup();
        }
        ends.last().copied()
    }

    /// The end of an occurrence in hexadecimal.
    fn hexadecimal(&self, text: &[u8], at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let digits = text.get(at..at + 2 * bytes.len())?;
        let is_same = digits.chunks(2).zip(bytes).all(|(pair, byte)| hex(pair) == Some(u32::from(*byte)));
        is_same.then_some(at + 2 * bytes.len())
    }
}

impl Base64 {
    fn new(secret: &[u8], offset: usize, alphabet: &[u8; 64]) -> Self {
        let bits: Vec<bool> =
            secret.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        // The first bit that starts a character.
        let skipped = (6 - offset * 8 % 6) % 6;
        let bits = bits.get(skipped..).unwrap_or_default();
        let whole = bits.chunks_exact(6);
        let is_cut = !whole.remainder().is_empty();
        let number = |bits: &[bool]| bits.iter().fold(0, |number, bit| number << 1 | usize::from(*bit));
        let core = whole.map(|bits| alphabet[number(bits)]).collect();
        Self { core, beside: (skipped > 0, is_cut) }
    }
}

fn alphabet(last: &[u8; 2]) -> [u8; 64] {
    let mut all = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*last);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// Adds the end of every encoding of `c` that starts at `at`.
fn encodings(c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let Some(rest) = text.get(at..) else { return };
    let mut utf8 = [0; 4];
    let utf8 = c.encode_utf8(&mut utf8).as_bytes();
    if rest.starts_with(utf8) {
        ends.push(at + utf8.len());
    }
    let encoded = match rest.first() {
        Some(b'+') if c == ' ' => Some(1),
        Some(b'%') => percent(utf8, rest),
        Some(b'&') => entity(c, rest),
        Some(b'\\') => {
            // A backslash, doubled once for every encoder.
            let run = rest.iter().take(BACKSLASHES).take_while(|byte| **byte == b'\\').count();
            if c == '\\' {
                ends.extend([2, 4, 8].into_iter().filter(|length| *length <= run).map(|length| at + length));
            }
            escape(c, rest.get(run..).unwrap_or_default()).map(|length| run + length)
        }
        _ => None,
    };
    ends.extend(encoded.map(|length| at + length));
}

/// The length of percent-encoded bytes; the `%` of some may be encoded, too.
fn percent(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for byte in bytes {
        if text.get(at) != Some(&b'%') {
            return None;
        }
        at += 1;
        while hex(text.get(at..at + 2)?) != Some(u32::from(*byte)) {
            if text.get(at..at + 2) != Some(b"25") {
                return None;
            }
            at += 2;
        }
        at += 2;
    }
    Some(at)
}

/// The length of an HTML entity; its `&` may be encoded, too.
fn entity(c: char, text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while text.get(at..)?.starts_with(b"amp;") {
        // `&amp;` itself.
        if c == '&' && !text.get(at + 4..)?.starts_with(b"amp;") && !text.get(at + 4..)?.starts_with(b"#") {
            return Some(at + 4);
        }
        at += 4;
    }
    let rest = text.get(at..)?;
    let length = rest.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&rest[..length]).ok()?;
    let is_c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code == Ok(u32::from(c))
        }
        None => matches!((name, c), ("lt", '<') | ("gt", '>') | ("quot", '"') | ("apos", '\'')),
    };
    is_c.then_some(at + length + 1)
}

/// The length of what follows the backslashes of an escape.
fn escape(c: char, text: &[u8]) -> Option<usize> {
    let short = match c {
        '"' | '\'' | '/' => c,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        _ => 'u',
    };
    match text.first()? {
        b'u' => {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units);
            let mut at = 0;
            for (index, unit) in units.iter().enumerate() {
                if index > 0 {
                    at += text.get(at..)?.iter().take(BACKSLASHES).take_while(|byte| **byte == b'\\').count();
                }
                if text.get(at) != Some(&b'u') || hex(text.get(at + 1..at + 5)?) != Some(u32::from(*unit)) {
                    return None;
                }
                at += 5;
            }
            Some(at)
        }
        b'x' => (hex(text.get(1..3)?) == Some(u32::from(c))).then_some(3),
        first => (u32::from(*first) == u32::from(short)).then_some(1),
    }
}

/// The number in hexadecimal digits of either case.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}
