//! Keeps secrets out of everything that is recorded, written and printed: a service may echo what it received,
//! in any encoding.
//!
//! A secret is replaced by its placeholder (`${env:NAME}`); another encoding of it by the placeholder with a
//! number (`${env:NAME#2}`), which is the same for the same text throughout a run. So two texts that differ
//! still differ, and series whose labels hold a secret in two encodings stay two series.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::{
    HIDDEN,
    encoded::Pattern,
    fields::{Part, Reader},
};

/// Values of fewer bytes are not searched for: they would be found by coincidence.
pub const LEAST: usize = 6;
/// Encodings of a secret that are told apart.
const ENCODINGS: usize = 1000;

/// Replaces secrets in texts. Its clones share their numbers of encodings.
#[derive(Clone, Default)]
pub struct Redactor {
    inner: Arc<Inner>,
    /// Encodings that were found, with their numbers, by secret.
    encodings: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
}

#[derive(Default)]
struct Inner {
    /// Each with its placeholder.
    secrets: Vec<(Pattern, String)>,
    /// Finds the starts of possible occurrences; `None` without secrets.
    starts: Option<AhoCorasick>,
    /// By start: the secrets that may follow.
    of_start: Vec<Vec<usize>>,
}

/// A secret in a text: its place, and its index.
struct Found {
    range: Range<usize>,
    secret: usize,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&str> = self.inner.secrets.iter().map(|(_, shown)| shown.as_str()).collect();
        f.debug_tuple("Redactor").field(&shown).finish()
    }
}

impl Redactor {
    /// Replaces each of `secrets`, values with their placeholders. Values of less than [`LEAST`] bytes are left
    /// out.
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::default().with(secrets)
    }

    /// The same with further secrets.
    #[must_use]
    pub fn with(&self, secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = self.inner.secrets.iter();
        let mut all: Vec<(String, String)> =
            known.map(|(pattern, shown)| (pattern.text().to_owned(), shown.clone())).collect();
        for (value, shown) in secrets {
            match all.iter_mut().find(|(other, _)| *other == value) {
                // A name says more than that there is something.
                Some((_, known)) if known == HIDDEN => *known = shown,
                Some(_) => {}
                None if value.len() >= LEAST => all.push((value, shown)),
                None => {}
            }
        }
        Self { inner: Arc::new(Inner::new(all)), encodings: Arc::clone(&self.encodings) }
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.inner.secrets.is_empty()
    }

    /// A text with every secret replaced.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replaced(text, |_| Part::Text)
    }

    /// An exposition with every secret replaced in names, labels and comments. Samples stay as they are: a
    /// secret of digits may be part of any number.
    pub fn redact_exposition<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut reader = Reader::new(text);
        self.replaced(text, |at| reader.of_exposition(at))
    }

    /// A JSON document with every secret replaced in its strings.
    pub fn redact_json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut reader = Reader::new(text);
        self.replaced(text, |at| reader.of_json(at))
    }

    /// Replaces secrets in the strings and keys of a response of Prometheus, except its samples (pairs of a time
    /// and a text).
    pub fn redact_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redact(text) {
                    *text = clean;
                }
            }
            Value::Array(values) if matches!(values.as_slice(), [Value::Number(_), Value::String(_)]) => {}
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Object(map) => {
                if map.keys().any(|key| matches!(self.redact(key), Cow::Owned(_))) {
                    let all = std::mem::take(map).into_iter();
                    *map = all.map(|(key, value)| (self.redact(&key).into_owned(), value)).collect();
                }
                map.values_mut().for_each(|value| self.redact_value(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text with each secret replaced as the part of the text requires that it is in.
    fn replaced<'t>(&self, text: &'t str, mut part: impl FnMut(usize) -> Part) -> Cow<'t, str> {
        let found = self.inner.find(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut clean, mut copied) = (String::with_capacity(text.len()), 0);
        for Found { range, secret } in found {
            let (start, shown) = match part(range.start) {
                Part::Kept => continue,
                Part::Text => (range.start, self.shown(secret, text.as_bytes(), &range)),
                Part::Name => {
                    let shown = self.shown(secret, text.as_bytes(), &range);
                    (range.start, shown.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
                }
                // What is left of a string must not end with half of an escape.
                Part::String { escaped } => {
                    let shown = self.shown(secret, text.as_bytes(), &range);
                    (range.start.saturating_sub(usize::from(escaped)).max(copied), shown)
                }
            };
            // The ends of an occurrence are those of characters: all encodings but UTF-8 itself are ASCII.
            clean.push_str(text.get(copied..start).unwrap_or_default());
            clean.push_str(&shown);
            copied = range.end;
        }
        clean.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// The placeholder of an occurrence.
    fn shown(&self, secret: usize, text: &[u8], range: &Range<usize>) -> String {
        let Some((pattern, shown)) = self.inner.secrets.get(secret) else { return String::new() };
        let found = text.get(range.clone()).unwrap_or_default();
        if found == pattern.text().as_bytes() {
            return shown.clone();
        }
        let mut all = self.encodings.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(pattern.text().to_owned()).or_default();
        let index = known.iter().position(|other| other == found).unwrap_or_else(|| {
            if known.len() < ENCODINGS {
                known.push(found.to_owned());
            }
            known.len() - 1
        });
        let number = format!("#{}", index + 2);
        match shown.strip_suffix('}') {
            Some(open) => format!("{open}{number}}}"),
            None => format!("{shown}{number}"),
        }
    }
}

impl Inner {
    fn new(secrets: Vec<(String, String)>) -> Self {
        let secrets: Vec<(Pattern, String)> =
            secrets.into_iter().map(|(text, shown)| (Pattern::new(&text), shown)).collect();
        let mut starts = BTreeMap::<Vec<u8>, Vec<usize>>::new();
        for (index, (pattern, _)) in secrets.iter().enumerate() {
            for start in pattern.starts() {
                let of_start = starts.entry(start).or_default();
                if of_start.last() != Some(&index) {
                    of_start.push(index);
                }
            }
        }
        let (texts, of_start): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
        // Fails only for gigabytes of secrets.
        let starts = if texts.is_empty() { None } else { AhoCorasick::new(texts).ok() };
        Self { secrets, starts, of_start }
    }

    /// All occurrences, those that overlap as one.
    fn find(&self, text: &[u8]) -> Vec<Found> {
        let Some(starts) = &self.starts else { return Vec::new() };
        let mut all = Vec::new();
        for start in starts.find_overlapping_iter(text) {
            for &secret in self.of_start.get(start.pattern().as_usize()).into_iter().flatten() {
                let pattern = self.secrets.get(secret).map(|(pattern, _)| pattern);
                if let Some(range) = pattern.and_then(|pattern| pattern.occurrence(text, start.start())) {
                    all.push(Found { range, secret });
                }
            }
        }
        all.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
        let mut merged = Vec::<(Found, usize)>::new();
        for found in all {
            match merged.last_mut() {
                Some((last, longest)) if found.range.start < last.range.end => {
                    // A longer secret names what it shares with a shorter one.
                    if found.range.len() > *longest {
                        (*longest, last.secret) = (found.range.len(), found.secret);
                    }
                    last.range.end = last.range.end.max(found.range.end);
                }
                _ => {
                    let length = found.range.len();
                    merged.push((found, length));
                }
            }
        }
        merged.into_iter().map(|(found, _)| found).collect()
    }
}

/// The secrets in a URL: its password, or a user without one, and values of parameters that are named like a
/// secret; as written and decoded.
pub fn of_url(text: &str) -> Vec<String> {
    let Ok(url) = url::Url::parse(text) else { return Vec::new() };
    let user = Some(url.username()).filter(|user| !user.is_empty());
    let mut all: Vec<String> = url.password().or(user).map(str::to_owned).into_iter().collect();
    let decoded = all.iter().map(|text| percent_encoding::percent_decode_str(text).decode_utf8_lossy());
    all.extend(decoded.map(Cow::into_owned).collect::<Vec<_>>());
    let parameters = url.query_pairs().filter(|(name, _)| super::is_secret(name));
    all.extend(parameters.map(|(_, value)| value.into_owned()));
    all
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
