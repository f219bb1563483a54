//! Summary of a scrape body after it was parsed: whether it is valid, and a digest to compare it by. A long
//! run has many scrapes, and few claims need their full text.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use saasbench_exposition::Exposition;
use saasbench_model::scenario::MetricsContract;

/// Summary of a scrape body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Equal for equal texts.
    pub digest: u64,
    /// Whether the contract's counter of requests is declared, if only by its type: it has no series before
    /// the first request.
    pub counts: bool,
    /// Number of its series.
    pub series: usize,
    /// Why the body is not in the text format.
    pub flaw: Option<Flaw>,
}

/// Why a scrape body is not in the text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The parser's message, with its position.
    pub error: String,
    /// Whether the flaw is in the last line: then the body may have been truncated.
    pub at_end: bool,
}

impl Page {
    /// Summarises a scrape body.
    pub fn of(text: &str, contract: Option<&MetricsContract>) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let parsed = saasbench_exposition::parse(text);
        let requests = contract.map(|contract| contract.requests.as_str());
        Self {
            digest: hasher.finish(),
            counts: parsed.as_ref().is_ok_and(|page| requests.is_some_and(|name| shows(page, name))),
            series: parsed.as_ref().map_or(0, |page| page.series.len()),
            flaw: parsed
                .err()
                .map(|error| Flaw { at_end: error.line >= text.lines().count(), error: error.to_string() }),
        }
    }
}

/// Whether an exposition declares a counter; OpenMetrics names it without `_total`, and it may be a
/// histogram's `_count`.
fn shows(page: &Exposition, name: &str) -> bool {
    let families = [Some(name), name.strip_suffix("_total"), name.strip_suffix("_count")];
    families.iter().flatten().any(|family| page.types.contains_key(*family))
        || page.named(name).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_body_is_distinguished_from_one_that_is_wrong_in_the_middle() {
        let flaw = |text: &str| Page::of(text, None).flaw.map(|flaw| flaw.at_end);
        assert_eq!(flaw("a 1\nb 2\n"), None);
        assert_eq!(flaw("a 1\nb{x=\"1"), Some(true));
        assert_eq!(flaw("a 1\nb 2"), Some(true));
        assert_eq!(flaw("a one\nb 2\n"), Some(false));
    }

    #[test]
    fn a_counter_is_declared_before_its_first_request() {
        let with = |requests: &str| {
            let text = format!(
                "{}\n[metrics]\nrequests = \"{requests}\"\n",
                saasbench_model::scenario::testing::SCENARIO
            );
            saasbench_model::scenario::testing::scenario(&text).metrics.unwrap()
        };
        let page = "# TYPE x_total counter\n# TYPE y histogram\nz{a=\"b\"} 1\n";
        let counts = |requests: &str| Page::of(page, Some(&with(requests))).counts;
        assert_eq!(["x_total", "y_count", "z", "w"].map(counts), [true, true, true, false]);
    }
}
