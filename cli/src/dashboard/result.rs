//! The result of a query: its series and their legends.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::finding::Finding;
use saasbench_exposition::Labels;

/// `{{label}}` in a legend.
#[expect(clippy::unwrap_used, reason = "a constant that a test compiles")]
static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{\s*(.+?)\s*\}\}").unwrap());

/// The result of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultSet {
    /// Label sets of its series; a scalar has one without labels.
    pub series: Vec<Labels>,
    /// Whether there are values and all are `NaN`.
    pub is_all_nan: bool,
}

impl ResultSet {
    /// Parses a response of `query` or `query_range`.
    pub fn read(response: &Value) -> Self {
        let result = response.pointer("/data/result").and_then(Value::as_array);
        let result = result.map(Vec::as_slice).unwrap_or_default();
        if response.pointer("/data/resultType").and_then(Value::as_str) == Some("scalar") {
            let is_nan = result.get(1).and_then(Value::as_str) == Some("NaN");
            return Self { series: vec![Labels::new()], is_all_nan: is_nan };
        }
        let mut values = result.iter().flat_map(|series| {
            let points = series.get("values").and_then(Value::as_array).into_iter().flatten();
            points.chain(series.get("value")).filter_map(|point| point.get(1)?.as_str())
        });
        let is_all_nan = !result.is_empty() && values.all(|value| value == "NaN");
        Self { series: result.iter().map(labels).collect(), is_all_nan }
    }

    /// Mistakes in the legends of its series.
    pub fn legends(&self, legend: Option<&str>) -> Vec<Finding> {
        let several = self.series.len() > 1;
        let legend = match legend {
            // Grafana generates one from the labels that differ.
            Some("__auto") => return Vec::new(),
            None if several => return vec![Finding::NoLegend(self.series.len())],
            None => return Vec::new(),
            Some(legend) => legend,
        };
        let mut findings = Vec::new();
        for captures in LABEL.captures_iter(legend) {
            let label = &captures[1];
            let is_missing = !self.series.iter().any(|labels| labels.contains_key(label));
            if is_missing && !self.series.is_empty() && label != "__name__" {
                findings.push(Finding::LegendLabel(label.to_owned()));
            }
        }
        if !findings.is_empty() {
            return findings;
        }
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        for labels in &self.series {
            let value =
                |captures: &regex::Captures<'_>| labels.get(&captures[1]).cloned().unwrap_or_default();
            *texts.entry(LABEL.replace_all(legend, value).into_owned()).or_default() += 1;
        }
        if let Some((text, series)) =
            texts.into_iter().max_by_key(|(_, series)| *series).filter(|of| of.1 > 1)
        {
            findings.push(Finding::SameLegend { text, series });
        }
        findings
    }
}

/// All labels of a series, including its name.
pub fn labels(series: &Value) -> Labels {
    let metric = series.get("metric").unwrap_or(series).as_object();
    let labels = metric.into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The texts in a response's `data`.
pub fn texts(result: &Value) -> Vec<String> {
    let data = result.get("data").and_then(Value::as_array).into_iter().flatten();
    data.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A series in the form that Grafana offers for variables: `name{label="value",…} 7 1700000000000`.
pub fn series_text(series: &Value, value: Option<&Value>) -> String {
    let mut labels = labels(series);
    let name = labels.remove("__name__").unwrap_or_default();
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let point = value.and_then(|value| Some((value.get(0)?.as_f64()?, value.get(1)?.as_str()?)));
    let point = point.map_or_else(String::new, |(at, value)| format!(" {value} {:.0}", at * 1e3));
    format!("{name}{{{}}}{point}", pairs.join(","))
}
