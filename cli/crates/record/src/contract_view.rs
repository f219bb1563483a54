//! The part of an exposition that the metrics contract refers to.

use std::collections::BTreeMap;

use saasbench_exposition::{ExpositionError, Labels, Series};
use saasbench_model::scenario::MetricsContract;

/// The series of one name: values by labels.
pub type Values = BTreeMap<Labels, f64>;

/// The part of an exposition that the contract's claims are about, without routes outside the load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractView {
    /// Every counter and every histogram component, by name.
    pub series: BTreeMap<String, Values>,
    /// The histogram of all durations and the body sizes, by name. They may count scrapes, too, so they never
    /// become quiescent.
    pub scrape_affected: BTreeMap<String, Values>,
    /// The in-progress gauge of the load's routes, by labels.
    pub gauges: BTreeMap<Labels, f64>,
    /// Sum of the in-progress gauge over the load's routes; `None` where there is no such gauge.
    pub in_progress: Option<f64>,
}

impl ContractView {
    /// Parses an exposition and keeps only the contract's part.
    ///
    /// # Errors
    /// When the text is not an exposition.
    pub fn parse(text: &str, contract: &MetricsContract) -> Result<Self, ExpositionError> {
        let histograms = [contract.duration.as_deref(), contract.tenant_duration.as_deref()];
        let components = |base: &str| ["_bucket", "_sum", "_count"].map(|suffix| format!("{base}{suffix}"));
        let mut names: Vec<String> = histograms.into_iter().flatten().flat_map(components).collect();
        let scrape_affected = [&contract.duration_all, &contract.request_size, &contract.response_size];
        let scrape_affected: Vec<String> =
            scrape_affected.into_iter().flatten().flat_map(|base| components(base)).collect();
        names.push(contract.requests.clone());
        names.extend(contract.tenant_requests.clone());
        let mut view = Self::default();
        // Whether the gauge distinguishes routes: otherwise it may include the scrape itself, which is in
        // progress, too.
        let mut distinguished = None;
        saasbench_exposition::samples(text, |sample| {
            let name = sample.name.decode();
            let (is_chosen, is_unresting) =
                (names.iter().any(|n| *n == name), scrape_affected.iter().any(|n| *n == name));
            let is_gauge = contract.in_progress.as_deref() == Some(&*name);
            if !(is_chosen || is_unresting || is_gauge) {
                return;
            }
            let series = Series::from(sample);
            let route = contract.route_label.as_ref().and_then(|label| series.labels.get(label));
            if is_gauge {
                distinguished = Some(route.is_some());
            }
            if route.is_some_and(|route| contract.ignores(route)) {
                return;
            }
            if is_gauge {
                view.gauges.insert(series.labels.clone(), series.value);
            }
            if !(is_chosen || is_unresting) {
                return;
            }
            let kind = if is_chosen { &mut view.series } else { &mut view.scrape_affected };
            match kind.get_mut(&series.name) {
                Some(values) => {
                    values.insert(series.labels, series.value);
                }
                None => {
                    kind.insert(series.name, Values::from([(series.labels, series.value)]));
                }
            }
        })?;
        view.in_progress = distinguished.map(|distinguished| match view.gauges.values().sum::<f64>() {
            sum if sum > 0.0 && !distinguished => (sum - 1.0).max(0.0),
            sum => sum,
        });
        Ok(view)
    }

    /// Whether both show the same counts, ignoring what scrapes themselves increment.
    pub fn agrees(&self, other: &Self) -> bool {
        // `NaN` equals itself here: it does not show movement, and is judged elsewhere.
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let same_values = |one: &Values, other: &Values| {
            one.len() == other.len() && one.iter().zip(other).all(|((a, x), (b, y))| a == b && same(*x, *y))
        };
        self.series.len() == other.series.len()
            && self
                .series
                .iter()
                .zip(&other.series)
                .all(|((name, one), (same, other))| name == same && same_values(one, other))
    }

    /// Whether no request of the load is in progress, as far as the gauge shows.
    pub fn at_rest(&self) -> bool {
        self.in_progress.is_none_or(|gauge| gauge == 0.0)
    }

    /// The value of one series.
    pub fn value(&self, name: &str, labels: &Labels) -> Option<f64> {
        self.values(name)?.get(labels).copied()
    }

    /// Labels and value of every series of one name.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a Labels, f64)> + use<'a> {
        self.values(name).into_iter().flatten().map(|(labels, value)| (labels, *value))
    }

    fn values(&self, name: &str) -> Option<&Values> {
        self.series.get(name).or_else(|| self.scrape_affected.get(name))
    }
}
