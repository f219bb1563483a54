//! Counts the series of an exposition, by metric, and finds the labels that multiply them. Values that look
//! like ids are reported, since each of them remains in Prometheus as a series of its own.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde::Serialize;

use super::{
    entry::MetricType,
    page::{Family, Page},
};

/// How many series an exposition has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cardinality {
    /// By metric, in the order of the exposition; without metrics that have no samples.
    pub metrics: Vec<MetricSpread>,
}

/// How many series a metric has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricSpread {
    /// Its name.
    pub name: String,
    /// Line where it first appears.
    pub line: usize,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MetricType,
    /// Number of samples; for a histogram this includes its buckets.
    pub series: usize,
    /// Its labels, the one with the most values first; without those of the type (`le`, `quantile`).
    pub labels: Vec<LabelSpread>,
}

/// How many values a label has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelSpread {
    /// Its name.
    pub name: String,
    /// Distinct values.
    pub values: usize,
    /// Those that look like ids, if most of them do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Ids>,
}

/// Values that look like ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// The kind of ids.
    pub kind: IdKind,
    /// Number of distinct values that look like ids.
    pub values: usize,
    /// One of the values.
    pub example: String,
}

/// The kind of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdKind {
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// 16 hexadecimal digits or more, not all of them decimal.
    Hex,
    /// 6 decimal digits or more, or any number of them between the slashes of a path.
    Digits,
    /// 20 or more letters, digits, `-`, `_`, `+` and `=`, including small and capital letters and digits; or
    /// 16 in which letters and digits are adjacent six times.
    Random,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uuid => "UUIDs",
            Self::Hex => "hexadecimal ids",
            Self::Digits => "numbers",
            Self::Random => "random ids",
        })
    }
}

/// At least this many id-like values make a label of ids; a single one may be a version or a commit.
const IDS_MAKE_A_LABEL: usize = 2;

impl Cardinality {
    /// Counts an exposition's series.
    pub fn of(page: &Page<'_>) -> Self {
        let used = page.families.iter().filter(|family| !family.rows.is_empty());
        Self { metrics: used.map(MetricSpread::of).collect() }
    }
}

impl MetricSpread {
    fn of(family: &Family<'_>) -> Self {
        let mut values: BTreeMap<_, HashSet<_>> = BTreeMap::new();
        for label in family.rows.iter().flat_map(|row| &row.labels) {
            if !family.owns_label(label.name.written()) {
                values.entry(label.name).or_default().insert(label.value);
            }
        }
        let mut labels: Vec<LabelSpread> = values
            .into_iter()
            .map(|(name, values)| LabelSpread {
                name: name.decode().into_owned(),
                values: values.len(),
                ids: ids(values.iter().map(|value| value.written())),
            })
            .collect();
        labels.sort_by(|one, other| other.values.cmp(&one.values).then_with(|| one.name.cmp(&other.name)));
        Self {
            name: family.name.decode().into_owned(),
            line: family.line,
            kind: family.kind(),
            series: family.rows.len(),
            labels,
        }
    }
}

/// The values that look like ids, if at least two do, and at least half of all.
pub fn ids<'v>(values: impl Iterator<Item = &'v str>) -> Option<Ids> {
    let mut all = 0;
    let mut found: Vec<(IdKind, &str)> = Vec::new();
    for value in values {
        all += 1;
        found.extend(id_kind(value).map(|kind| (kind, value)));
    }
    found.sort_unstable();
    let (kind, example) = *found.first()?;
    let is_label_of_ids = found.len() >= IDS_MAKE_A_LABEL && found.len() * 2 >= all;
    is_label_of_ids.then(|| Ids { kind, values: found.len(), example: example.to_owned() })
}

/// Whether a label's value, or a part of it between slashes, looks like an id.
pub fn id_kind(value: &str) -> Option<IdKind> {
    let is_path = value.contains('/');
    let of_part = |part: &str| {
        let has = |of: fn(&u8) -> bool| part.bytes().any(|byte| of(&byte));
        let all = |of: fn(&u8) -> bool| !part.is_empty() && part.bytes().all(|byte| of(&byte));
        if is_uuid(part) {
            Some(IdKind::Uuid)
        } else if all(u8::is_ascii_digit) {
            (is_path || part.len() >= 6).then_some(IdKind::Digits)
        } else if all(u8::is_ascii_hexdigit) {
            (part.len() >= 16 && has(u8::is_ascii_digit)).then_some(IdKind::Hex)
        } else {
            let is_base64 = part.len() >= 20
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_lowercase)
                && has(u8::is_ascii_uppercase);
            let is_mixed = part.len() >= 16 && letters_beside_digits(part) >= 6;
            let is_word = all(|byte| byte.is_ascii_alphanumeric() || b"-_+=".contains(byte));
            (is_word && (is_base64 || is_mixed)).then_some(IdKind::Random)
        }
    };
    value.split('/').find_map(of_part)
}

/// How often a letter is adjacent to a digit.
fn letters_beside_digits(text: &str) -> usize {
    let is_pair = |pair: &&[u8]| {
        (pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic())
            || (pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit())
    };
    text.as_bytes().windows(2).filter(is_pair).count()
}

fn is_uuid(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths = [8, 4, 4, 4, 12];
    text.split('-').count() == lengths.len()
        && text.split('-').zip(lengths).all(|(part, length)| part.len() == length && is_hex(part))
}

#[cfg(test)]
mod tests {
    use super::{super::format::Format, *};

    #[test]
    fn ids_are_distinguished_from_names() {
        let table = [
            ("550e8400-e29b-41d4-a716-446655440000", Some(IdKind::Uuid)),
            ("/chat/550e8400-e29b-41d4-a716-446655440000", Some(IdKind::Uuid)),
            ("4bf92f3577b34da6a3ce929d0e0e4736", Some(IdKind::Hex)),
            ("1234567", Some(IdKind::Digits)),
            ("/users/7", Some(IdKind::Digits)),
            ("Yh-EWuPAL5BbCBh8kxKmAmFjbWU", Some(IdKind::Random)),
            ("user_9f3k2m5n8p1q4r7s0", Some(IdKind::Random)),
            ("us-east-1a-prod-cluster-0001", None),
            ("200", None),
            ("8005", None),
            ("127.0.0.1:8005", None),
            ("acme", None),
            ("deadbeef", None),
            ("/api/v1/users/{id}", None),
            ("/chat", None),
            ("a-label-with-many-words-in-it", None),
            ("1.2.3", None),
            ("", None),
        ];
        for (value, kind) in table {
            assert_eq!(id_kind(value), kind, "{value}");
        }
    }

    #[test]
    fn a_single_commit_is_not_a_label_of_ids() {
        let commit = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(ids([commit].into_iter()), None);
        let paths = ["/users/1", "/users/2", "/about"];
        let found = ids(paths.into_iter()).unwrap();
        assert_eq!((found.kind, found.values, found.example.as_str()), (IdKind::Digits, 2, "/users/1"));
        assert_eq!(ids(["/users/1", "/users/2", "/a", "/b", "/c"].into_iter()), None);
    }

    #[test]
    fn counts_series_and_values() {
        let text = "# TYPE h histogram\nh_bucket{le=\"1\",r=\"/a\"} 1\nh_bucket{le=\"+Inf\",r=\"/a\"} 1\n\
                    h_count{r=\"/a\"} 1\nh_sum{r=\"/a\"} 1\n# TYPE g gauge\ng{a=\"1\",b=\"1\"} 1\ng{a=\"1\",b=\"2\"} 1\n\
                    # TYPE unused gauge\n";
        let counted = Cardinality::of(&Page::read(text, Format::Text004));
        let shown: Vec<_> = counted
            .metrics
            .iter()
            .map(|m| {
                (
                    m.name.as_str(),
                    m.series,
                    m.labels.iter().map(|l| (l.name.as_str(), l.values)).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(shown, [("h", 4, vec![("r", 1)]), ("g", 2, vec![("b", 2), ("a", 1)])]);
    }
}
