//! What Prometheus has over a span: metric names, the labels and type of each metric, and how often it is
//! scraped.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use saasbench_exposition::Labels;

/// Type of a metric, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only increases.
    Counter,
    /// It may decrease.
    Gauge,
}

/// A metric, by its series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metric {
    /// Labels that at least one of its series has.
    pub labels: BTreeSet<String>,
    /// The longest scrape interval of a target that has it, in seconds, if it is scraped.
    pub interval: Option<f64>,
}

/// The contents of a Prometheus.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Names of all series.
    pub names: BTreeSet<String>,
    /// Metrics that were queried.
    metrics: BTreeMap<String, Metric>,
    /// Types, as targets declare them, by the declared name.
    types: BTreeMap<String, String>,
    /// Scrape interval by job and instance, in seconds.
    intervals: BTreeMap<(String, String), f64>,
}

impl Catalogue {
    /// Adds the response of `/api/v1/metadata`.
    pub fn add_metadata(&mut self, result: &Value) {
        for (name, declared) in result.get("data").and_then(Value::as_object).into_iter().flatten() {
            if let Some(kind) = declared.pointer("/0/type").and_then(Value::as_str) {
                self.types.insert(name.clone(), kind.to_owned());
            }
        }
    }

    /// Adds raw samples of `up`: labels and times.
    pub fn add_scrapes(&mut self, targets: &[(Labels, Vec<f64>)]) {
        for (labels, times) in targets {
            let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            gaps.sort_by(f64::total_cmp);
            if let Some(median) = gaps.get(gaps.len() / 2) {
                // Times of scrapes vary slightly.
                self.intervals.insert(target(labels), (median * 10.0).round().max(1.0) / 10.0);
            }
        }
    }

    /// Adds the series of a metric.
    pub fn add_metric(&mut self, name: &str, series: &[Labels]) {
        let labels = series.iter().flat_map(|labels| labels.keys().cloned()).collect();
        let interval = series.iter().filter_map(|labels| self.intervals.get(&target(labels)));
        let interval = interval.copied().max_by(f64::total_cmp);
        self.metrics.insert(name.to_owned(), Metric { labels, interval });
    }

    /// Whether a metric was queried.
    pub fn has_looked_at(&self, name: &str) -> bool {
        self.metrics.contains_key(name)
    }

    /// A metric that was queried and has series.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.get(name).filter(|metric| !metric.labels.is_empty())
    }

    /// The slowest of all scrape intervals in seconds.
    pub fn slowest_interval(&self) -> Option<f64> {
        self.intervals.values().copied().max_by(f64::total_cmp)
    }

    /// The type of a metric; `None` where no target declares it.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let of = |declared: &str| match declared {
            "counter" => Some(Kind::Counter),
            "gauge" => Some(Kind::Gauge),
            _ => None,
        };
        // OpenMetrics declares a counter without its suffix.
        let declared = self.types.get(name).or_else(|| self.types.get(name.strip_suffix("_total")?));
        if let Some(kind) = declared.and_then(|declared| of(declared)) {
            return Some(kind);
        }
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix))?;
        let declared = self.types.get(base)?;
        (declared == "histogram" || declared == "summary").then_some(Kind::Counter)
    }

    /// The name most similar to `name`.
    pub fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, self.names.iter().map(String::as_str))
    }
}

fn target(labels: &Labels) -> (String, String) {
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    (label("job"), label("instance"))
}

/// The name among `names` most similar to `name`, if any is similar enough.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let scored = names.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.85).then(|| best.1.to_owned())
}
