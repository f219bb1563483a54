//! `histogram_quantile` by our own arithmetic: the engine answers `+Inf` where Prometheus answers the highest finite bound. It is
//! taken where it is all of an expression, but for a bound behind it (`histogram_quantile(0.95, …) > 0.5`), as rules and panels have it.

use std::collections::BTreeMap;

use super::store::SeriesId;
use saasbench_exposition::{
    Labels,
    quantile::{Bucket, histogram_quantile},
};

/// An expression that is a quantile, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts<'a> {
    /// Which quantile, from 0 to 1.
    pub(super) q: f64,
    /// The buckets.
    pub(super) buckets: &'a str,
    /// What the answer is held against: an operator and a number.
    pub(super) bound: Option<(Operator, f64)>,
}

/// A comparison with a number, which leaves what it holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    NotEqual,
}

impl Operator {
    pub(super) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
            Self::NotEqual => value != bound,
        }
    }
}

/// Takes an expression apart; `None` if it is no such quantile.
pub(super) fn parts(text: &str) -> Option<Parts<'_>> {
    let rest = text.trim().strip_prefix("histogram_quantile")?.trim_start().strip_prefix('(')?;
    let (q, rest) = rest.split_once(',')?;
    let q = q.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
    let end = closing(rest)?;
    let (buckets, behind) = (rest.get(..end)?, rest.get(end + 1..)?.trim());
    Some(Parts { q, buckets, bound: if behind.is_empty() { None } else { Some(bound(behind)?) } })
}

/// Where the parenthesis closes that was open at the beginning.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return Some(at),
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn bound(text: &str) -> Option<(Operator, f64)> {
    let operators = [
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let found = operators.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
    found.and_then(|(operator, number)| Some((operator, number.trim().parse().ok()?)))
}

/// The quantile of every histogram among `buckets`: `NaN` where Prometheus answers that.
pub(super) fn quantiles(q: f64, buckets: Vec<(SeriesId, f64)>) -> Vec<(SeriesId, f64)> {
    let mut histograms: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    for (SeriesId { mut labels, .. }, count) in buckets {
        let upper = labels.remove("le").and_then(|text| match text.as_str() {
            "+Inf" | "Inf" => Some(f64::INFINITY),
            text => text.parse().ok(),
        });
        if let Some(upper) = upper {
            histograms.entry(labels).or_default().push(Bucket { upper, count });
        }
    }
    let quantile = |mut buckets: Vec<Bucket>| {
        buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
        // As Prometheus repairs buckets that were scraped or rated unevenly.
        let mut most = f64::NEG_INFINITY;
        for bucket in &mut buckets {
            most = most.max(bucket.count);
            bucket.count = most;
        }
        histogram_quantile(q, &buckets).unwrap_or(f64::NAN)
    };
    histograms.into_iter().map(|(labels, buckets)| (SeriesId::new("", labels), quantile(buckets))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_taken_apart() {
        let taken = |text| parts(text).map(|parts| (parts.q, parts.buckets.to_owned(), parts.bound));
        let plain = taken("histogram_quantile(0.95, sum by (le) (rate(a{x=\")\"}[1m])))").unwrap();
        assert_eq!(plain, (0.95, " sum by (le) (rate(a{x=\")\"}[1m]))".to_owned(), None));
        let bounded = taken(" histogram_quantile (\n 0.5, a ) > 0.5 ").unwrap();
        assert_eq!(bounded, (0.5, " a ".to_owned(), Some((Operator::Greater, 0.5))));
        for other in [
            "rate(a[1m])",
            "histogram_quantile(2, a)",
            "histogram_quantile(0.5, a) + 1",
            "histogram_quantile(0.5, a",
        ] {
            assert_eq!(taken(other), None, "{other}");
        }
    }
}
