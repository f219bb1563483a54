//! What the responses of one key stated, and what of it could not be read.

use std::collections::BTreeMap;

use super::key::HeaderValue;

/// Headers that could not be read, shown per limit.
const SHOWN: usize = 4;

/// What the responses of one key stated.
#[derive(Debug, Clone, Default)]
pub(super) struct StatedQuota {
    pub(super) said: Vec<HeaderValue>,
    /// Responses that stated a remaining quota.
    pub(super) remaining: u64,
    /// Responses that stated after how many seconds to retry.
    pub(super) retries: u64,
    pub(super) policy: Numbers,
    pub(super) limit: Numbers,
    /// `Retry-After` that is neither a number of seconds nor a date.
    pub(super) malformed: Numbers,
    /// By name, in lower case: the name as received, how often its value could not be read, and the first one.
    unread: BTreeMap<String, (String, u64, String)>,
}

/// How often the promised numbers were stated, and the first response with other numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) first: Option<(u64, String)>,
}

impl Numbers {
    pub(super) fn add(&mut self, right: bool, id: u64, text: impl FnOnce() -> String) {
        if right {
            self.right += 1;
        } else {
            self.wrong += 1;
            self.first.get_or_insert_with(|| (id, text()));
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.right + self.wrong > 0
    }
}

impl StatedQuota {
    /// Whether any response carried headers.
    pub(super) fn is_any(&self) -> bool {
        !self.said.is_empty()
            || !self.unread.is_empty()
            || [&self.policy, &self.limit, &self.malformed].into_iter().any(Numbers::is_any)
    }

    /// Adds a field that could not be read: `name: value`.
    pub(super) fn unread_line(&mut self, id: u64, line: &str) {
        match line.split_once(": ") {
            Some((name, _)) if name.eq_ignore_ascii_case("retry-after") => {
                self.malformed.add(false, id, || line.to_owned());
            }
            Some((name, value)) => self.unread(name, value),
            None => self.unread(line.trim_end_matches(':'), ""),
        }
    }

    /// Adds a field whose form is not known.
    pub(super) fn unread(&mut self, name: &str, value: &str) {
        let entry = self.unread.entry(name.to_ascii_lowercase());
        entry.or_insert_with(|| (name.to_owned(), 0, value.to_owned())).1 += 1;
    }
}

/// The fields that could not be read, of all keys of a limit, each with an example.
pub(super) fn unread(keys: &[StatedQuota]) -> Vec<String> {
    let mut all: BTreeMap<&str, (&str, u64, &str)> = BTreeMap::new();
    for (key, (name, count, example)) in keys.iter().flat_map(|key| &key.unread) {
        all.entry(key).or_insert((name, 0, example)).1 += count;
    }
    let more = all.len().saturating_sub(SHOWN);
    let shown = all
        .into_values()
        .take(SHOWN)
        .map(|(name, count, example)| format!("{name} of {count} responses (`{example}`)"));
    shown.chain((more > 0).then(|| format!("{more} more"))).collect()
}
