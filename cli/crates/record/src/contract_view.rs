//! The part of an exposition that the metrics contract refers to.

use std::collections::BTreeMap;

use saasbench_exposition::{ExpositionError, Labels, Series};
use saasbench_model::scenario::MetricsContract;

/// The part of an exposition that the contract's claims are about, without routes outside the load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractView {
    /// Value of every counter and every histogram component, by name and labels.
    pub series: BTreeMap<(String, Labels), f64>,
    /// The histogram of all durations and the body sizes, by name and labels. They may count scrapes, too, so
    /// they never become quiescent.
    pub scrape_affected: BTreeMap<(String, Labels), f64>,
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
            let key = (series.name, series.labels);
            if is_unresting {
                view.scrape_affected.insert(key.clone(), series.value);
            }
            if is_chosen {
                view.series.insert(key, series.value);
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
        let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        self.series.keys().eq(other.series.keys())
            && self.series.values().zip(other.series.values()).all(same)
    }

    /// Whether no request of the load is in progress, as far as the gauge shows.
    pub fn at_rest(&self) -> bool {
        self.in_progress.is_none_or(|gauge| gauge == 0.0)
    }

    /// The value of one series.
    pub fn value(&self, name: &str, labels: &Labels) -> Option<f64> {
        let key = (name.to_owned(), labels.clone());
        self.series.get(&key).or_else(|| self.scrape_affected.get(&key)).copied()
    }

    /// Labels and value of every series of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Labels, f64)> {
        let all = self.series.iter().chain(&self.scrape_affected);
        all.filter(move |((series, _), _)| series == name).map(|((_, labels), value)| (labels, *value))
    }
}
