//! Sends all queries of a document to a Prometheus, with variables filled in, and collects the mistakes.

mod variables;

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{self, Expr};
use serde_json::Value;

use super::{
    Document, Panel, PanelQuery, Purpose, Reason,
    catalogue::{Catalogue, nearest},
    expression,
    finding::{Finding, NoData},
    result::{ResultSet, labels, texts},
    template::{self, Times},
    variable::{Chosen, Source},
};
use crate::observe::prometheus::client::{ApiError, Client};
use saasbench_exposition::Labels;
use saasbench_record::{prometheus::matrix, query::ApiRequest};

/// Default number of points of a graph.
const POINTS: f64 = 1_000.0;
/// Default scrape interval in seconds, as assumed by Grafana.
const SCRAPE_INTERVAL: f64 = 15.0;
/// The span, in seconds, from which scrape intervals are computed.
const SCRAPES_WITHIN: f64 = 600.0;
/// For how many values a repeated panel is checked, at most.
const REPEATS: usize = 20;

/// A mistake, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The panel; `variable $name` for a variable.
    pub place: String,
    /// The query's letter.
    pub query: Option<String>,
    /// The query, with variables filled in.
    pub asked: Option<String>,
    /// The mistake.
    pub finding: Finding,
}

/// The result for a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Mistakes in the document's order.
    pub found: Vec<Found>,
    /// Queries that were sent.
    pub asked: usize,
    /// Queries for other data sources, by their type.
    pub elsewhere: BTreeSet<String>,
}

/// A Prometheus over a span.
#[derive(Debug)]
pub struct Checker<'a> {
    client: &'a Client,
    /// First and last instant, seconds since the epoch.
    span: (f64, f64),
    catalogue: Catalogue,
}

impl<'a> Checker<'a> {
    /// Queries the contents of a Prometheus over a span, in seconds since the epoch.
    ///
    /// # Errors
    /// Why there is no response.
    pub async fn new(client: &'a Client, span: (f64, f64)) -> Result<Self, String> {
        let mut checker = Self { client, span, catalogue: Catalogue::default() };
        let names = checker.label_values("__name__", None).await.map_err(|finding| finding.to_string())?;
        checker.catalogue.names = names.into_iter().collect();
        // Compatible servers need not support types.
        if let Ok(result) = client.query(&ApiRequest::Metadata).await {
            checker.catalogue.add_metadata(&result);
        }
        // Without a response the intervals are unknown, and Grafana's default is used.
        if let Ok(result) = client.query(&recent_scrapes(span)).await {
            let scrapes: Vec<(Labels, Vec<f64>)> = matrix(&result)
                .into_iter()
                .map(|series| (series.labels, series.samples.iter().map(|(at, _)| *at).collect()))
                .collect();
            checker.catalogue.add_scrapes(&scrapes);
        }
        Ok(checker)
    }

    /// Checks a document.
    pub async fn check(&mut self, document: &Document) -> Checked {
        let mut checked = Checked::default();
        for left_out in &document.left_out {
            let finding = match &left_out.reason {
                Reason::Library => Finding::Library,
                Reason::AlertWithoutQuery(query) => Finding::AlertWithoutQuery(query.clone()),
                Reason::Elsewhere(source) => {
                    checked.elsewhere.insert(source.clone());
                    continue;
                }
            };
            checked.tell(left_out.panel.clone(), finding);
        }
        let chosen = self.variables(document, &mut checked).await;
        for panel in &document.panels {
            if !panel.has_unit && matches!(panel.purpose, Purpose::Graph | Purpose::Value) {
                checked.tell(panel.place(), Finding::NoUnit);
            }
            for query in &panel.queries {
                checked.asked += 1;
                for (asked, finding) in self.query(document, panel, query, &chosen).await {
                    let ref_id = Some(query.ref_id.clone()).filter(|id| !id.is_empty());
                    checked.found.push(Found {
                        place: panel.place(),
                        query: ref_id,
                        asked: Some(asked),
                        finding,
                    });
                }
            }
        }
        checked
    }

    async fn request(&self, request: &ApiRequest) -> Result<Value, Finding> {
        self.client.query(request).await.map_err(|error| match error {
            ApiError::Rejected(message) => Finding::Rejected(message),
            error => Finding::NoResponse(error.to_string()),
        })
    }

    async fn label_values(&self, label: &str, selector: Option<String>) -> Result<Vec<String>, Finding> {
        let (start, end) = self.span;
        let request = ApiRequest::LabelValues { label: label.to_owned(), selector, start, end };
        Ok(texts(&self.request(&request).await?))
    }

    /// The label sets of a selector.
    async fn series(&self, selector: &str) -> Result<Vec<Value>, Finding> {
        let (start, end) = self.span;
        let result = self.request(&ApiRequest::Series { selector: selector.to_owned(), start, end }).await?;
        Ok(result.get("data").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    fn unknown_variables(&self, document: &Document, texts: &[&str]) -> Vec<Finding> {
        let known = || document.variables.iter().map(|variable| variable.name.as_str());
        let names: BTreeSet<&str> = texts.iter().flat_map(|text| template::names(text)).collect();
        let unknown = names.into_iter().filter(|name| !known().any(|of| of == *name));
        unknown
            .map(|name| Finding::UnknownVariable { name: name.to_owned(), nearest: nearest(name, known()) })
            .collect()
    }

    /// The times that Grafana derives from the span for a query.
    fn times(&self, min_step: Option<f64>, max_points: Option<u64>) -> Times {
        let scrape = min_step.or(self.catalogue.slowest_interval()).unwrap_or(SCRAPE_INTERVAL);
        let points = max_points.map_or(POINTS, |points| points.clamp(1, 11_000) as f64);
        let step = ((self.span.1 - self.span.0) / points).max(scrape);
        Times { span: self.span, step: (step * 1e3).ceil() / 1e3, scrape }
    }

    /// The mistakes in a query, each with the query as sent.
    async fn query(
        &mut self,
        document: &Document,
        panel: &Panel,
        query: &PanelQuery,
        chosen: &BTreeMap<String, Chosen>,
    ) -> Vec<(String, Finding)> {
        let unknown = self.unknown_variables(document, &[&query.expr]);
        if !unknown.is_empty() {
            return unknown.into_iter().map(|finding| (query.expr.clone(), finding)).collect();
        }
        let names: BTreeSet<&str> = template::names(&query.expr).into_iter().collect();
        let empty = names.iter().find(|name| {
            chosen.get(**name).is_some_and(|chosen| chosen.values.is_empty() && chosen.all.is_none())
        });
        if let Some(name) = empty {
            let is_free = document.variables.iter().any(|of| of.name == **name && of.source == Source::Free);
            if !is_free {
                return vec![(query.expr.clone(), Finding::NoData(NoData::Variable((*name).to_owned())))];
            }
        }
        let mut found: Vec<(String, Finding)> = Vec::new();
        for scope in scopes(panel, chosen, &names) {
            for (asked, finding) in self.filled_query(panel, query, &scope).await {
                if !found.iter().any(|(_, known)| *known == finding) {
                    found.push((asked, finding));
                }
            }
        }
        found
    }

    async fn filled_query(
        &mut self,
        panel: &Panel,
        query: &PanelQuery,
        chosen: &BTreeMap<String, Chosen>,
    ) -> Vec<(String, Finding)> {
        let rough = self.times(None, panel.max_points);
        let min_step = query.min_step.as_deref().or(panel.min_step.as_deref());
        let min_step = min_step.map(|text| template::fill(text, chosen, &rough).into_owned());
        let times = self.times(min_step.as_deref().and_then(seconds), panel.max_points);
        let asked = template::fill(&query.expr, chosen, &times).into_owned();
        let (start, end) = self.span;
        let request = if query.instant {
            ApiRequest::Instant { query: asked.clone(), time: end }
        } else {
            ApiRequest::Range { query: asked.clone(), start, end, step: times.step }
        };
        let findings = match self.request(&request).await {
            Err(finding) => vec![finding],
            Ok(result) => self.judge(panel, query, &asked, &ResultSet::read(&result)).await,
        };
        findings.into_iter().map(|finding| (asked.clone(), finding)).collect()
    }

    /// The mistakes in a query that has a response.
    async fn judge(
        &mut self,
        panel: &Panel,
        query: &PanelQuery,
        asked: &str,
        result: &ResultSet,
    ) -> Vec<Finding> {
        // What Prometheus accepts is PromQL; if the parser does not know it (later additions), only its
        // result is judged.
        let expr = parser::parse(asked).ok();
        let mut findings = Vec::new();
        if let Some(expr) = &expr {
            for name in expression::metrics(expr) {
                self.look_at(&name).await;
            }
            findings = expression::examine(expr, &self.catalogue, panel.purpose == Purpose::Graph);
        }
        let explains = |finding: &Finding| {
            matches!(
                finding,
                Finding::UnknownMetric { .. } | Finding::UnknownLabel { .. } | Finding::WithoutBuckets(_)
            )
        };
        if result.series.is_empty() && panel.purpose != Purpose::Alert {
            if !findings.iter().any(explains) {
                findings.push(Finding::NoData(self.why_nothing(expr.as_ref()).await));
            } else {
                findings.iter_mut().for_each(Finding::has_no_stand_in);
            }
        }
        if result.is_all_nan {
            let divides = expr.as_ref().is_some_and(expression::divides);
            findings.push(if divides { Finding::AlwaysNan } else { Finding::NoData(NoData::Nan) });
        }
        if query.by_series {
            findings.extend(result.legends(query.legend.as_deref()));
        }
        findings
    }

    /// Queries a metric's labels, once.
    async fn look_at(&mut self, name: &str) {
        if self.catalogue.has_looked_at(name) || !self.catalogue.names.contains(name) {
            return;
        }
        let series = self.series(&format!("{{__name__={name:?}}}")).await.unwrap_or_default();
        self.catalogue.add_metric(name, &series.iter().map(labels).collect::<Vec<_>>());
    }

    async fn why_nothing(&self, expr: Option<&Expr>) -> NoData {
        for selector in expr.map(expression::selectors).unwrap_or_default() {
            if self.series(&selector).await.is_ok_and(|series| series.is_empty()) {
                return NoData::Selector(selector);
            }
        }
        NoData::Expression
    }
}

impl Checked {
    fn tell(&mut self, place: String, finding: Finding) {
        self.found.push(Found { place, query: None, asked: None, finding });
    }
}

/// The variables of a query: once, or for each value of a repeated panel.
fn scopes(
    panel: &Panel,
    chosen: &BTreeMap<String, Chosen>,
    names: &BTreeSet<&str>,
) -> Vec<BTreeMap<String, Chosen>> {
    let repeated = panel.repeat.as_deref().filter(|name| names.contains(name));
    let Some((name, values)) = repeated.and_then(|name| Some((name, chosen.get(name)?))) else {
        return vec![chosen.clone()];
    };
    let with = |value: &String| {
        let one = Chosen { values: vec![value.clone()], as_regex: values.as_regex, all: None };
        let mut scope = chosen.clone();
        scope.insert(name.to_owned(), one);
        scope
    };
    values.values.iter().take(REPEATS).map(with).collect()
}

/// The scrapes at the end of a span: enough to compute intervals, and few enough for a Prometheus with many
/// targets.
fn recent_scrapes(span: (f64, f64)) -> ApiRequest {
    let seconds = (span.1 - span.0).ceil().clamp(1.0, SCRAPES_WITHIN);
    ApiRequest::Instant { query: format!("up[{seconds:.0}s]"), time: span.1 }
}

/// Parses `15s` or `>1m` as seconds.
fn seconds(text: &str) -> Option<f64> {
    humantime::parse_duration(text.trim_start_matches(['>', '<', '=']))
        .ok()
        .map(|duration| duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_span_queries_few_scrapes() {
        for (span, range) in
            [((0.0, 7.0 * 86_400.0), "up[600s]"), ((0.0, 59.5), "up[60s]"), ((5.0, 5.0), "up[1s]")]
        {
            let ApiRequest::Instant { query, time } = recent_scrapes(span) else { unreachable!() };
            assert_eq!((query.as_str(), time), (range, span.1));
        }
    }
}
