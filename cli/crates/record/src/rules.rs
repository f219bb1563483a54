//! Groups of rules, as listed by `/api/v1/rules`, and which of them are about a run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use saasbench_exposition::Labels;
use saasbench_model::scenario::Scenario;

/// A rule group of `/api/v1/rules`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Evaluation interval in seconds.
    #[serde(default)]
    pub interval: f64,
    /// Duration of the last evaluation in seconds.
    #[serde(default)]
    pub evaluation_time: f64,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A recording or alerting rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `recording` or `alerting`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The recorded metric, or the alert's name.
    pub name: String,
    /// PromQL expression.
    pub query: String,
    /// Labels that it adds.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `ok`, `err` or `unknown`.
    #[serde(default)]
    pub health: String,
    /// Why it is not `ok`.
    #[serde(default)]
    pub last_error: String,
}

impl Rule {
    /// Whether it is a recording rule.
    pub fn is_recording(&self) -> bool {
        self.kind == "recording"
    }

    /// The labels of the recorded series for a series of the expression.
    pub fn recorded(&self, mut labels: Labels) -> Labels {
        labels.extend(self.labels.clone());
        // An empty label is the same as none.
        labels.retain(|_, value| !value.is_empty());
        labels
    }
}

/// The groups in a response to [`ApiRequest::Rules`](crate::query::ApiRequest::Rules); malformed ones are
/// left out.
pub fn groups(answer: &Value) -> Vec<Group> {
    let groups = answer.pointer("/data/groups").and_then(Value::as_array);
    groups.into_iter().flatten().filter_map(|group| Group::deserialize(group).ok()).collect()
}

/// The rules that are about this run, in their groups: those whose expressions use a metric of the contract
/// or of redis_exporter, or a metric that such a rule records, and the alerts that the scenario names.
/// Prometheus may have many unrelated ones.
pub fn concerned(groups: &[Group], scenario: &Scenario) -> Vec<Group> {
    let mut of_run: BTreeSet<String> = contract(scenario).collect();
    let mut named: BTreeSet<&str> = scenario.alerts.iter().map(|alert| alert.name.as_str()).collect();
    named.extend(scenario.promql.iter().flat_map(|promql| words(&promql.query)));
    let all = || groups.iter().flat_map(|group| &group.rules);
    // A rule may use what another one records, in whatever order they are listed.
    for alert in
        all().filter(|rule| !rule.is_recording() && named.contains(rule.name.as_str())).collect::<Vec<_>>()
    {
        named.extend(words(&alert.query));
    }
    let is_meant = |rule: &Rule, of_run: &BTreeSet<String>| {
        let reads = |word: &str| of_run.contains(word) || word.starts_with("redis_");
        named.contains(rule.name.as_str()) || words(&rule.query).any(reads)
    };
    loop {
        let more = all().filter(|rule| rule.is_recording() && is_meant(rule, &of_run));
        let more: Vec<String> = more.map(|rule| rule.name.clone()).collect();
        let known = of_run.len();
        of_run.extend(more);
        if of_run.len() == known {
            break;
        }
    }
    let meant = groups.iter().map(|group| {
        let rules = group.rules.iter().filter(|rule| is_meant(rule, &of_run)).cloned().collect();
        Group { rules, ..group.clone() }
    });
    meant.filter(|group| !group.rules.is_empty()).collect()
}

/// The names of the contract's metrics, including the parts of histograms and summaries.
fn contract(scenario: &Scenario) -> impl Iterator<Item = String> {
    let contract = scenario.metrics.iter();
    let names = contract.flat_map(|contract| {
        let optional = [
            &contract.duration,
            &contract.duration_all,
            &contract.tenant_requests,
            &contract.tenant_duration,
            &contract.in_progress,
            &contract.request_size,
            &contract.response_size,
        ];
        std::iter::once(&contract.requests).chain(optional.into_iter().flatten())
    });
    names.flat_map(|name| ["", "_bucket", "_count", "_sum"].map(|suffix| format!("{name}{suffix}")))
}

/// Everything in an expression that may be a metric name.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| !word.is_empty())
}
