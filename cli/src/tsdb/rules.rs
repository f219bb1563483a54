//! Rule groups: recording rules and alerts, parsed from Prometheus's rule files and evaluated as by
//! Prometheus. An alert is pending from the first evaluation that yields it, fires once it has been pending
//! for its `for`, and resolves with the first evaluation without it. Templates in labels and annotations are
//! not expanded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use saasbench_promql::{Labels, METRIC_NAME, Query, QueryError, Sample, Source, Store, Value as Evaluated};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{json::number, scraper::now};

/// Why a rule file is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not YAML, or not with the expected structure.
    #[error("{file}: {message}")]
    Shape {
        /// The file.
        file: String,
        /// The reason.
        message: String,
    },
    /// An invalid duration.
    #[error("{file}: group {group}: `{text}` is not a duration such as `30s` or `5m`")]
    Duration {
        /// The file.
        file: String,
        /// The group.
        group: String,
        /// The duration as written.
        text: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    groups: Vec<GroupText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    name: String,
    interval: Option<String>,
    #[serde(default, rename = "limit")]
    _limit: u64,
    #[serde(default)]
    rules: Vec<RuleText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    held: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// All groups, with the state of their rules.
#[derive(Debug)]
pub struct RuleManager {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    name: String,
    file: String,
    interval: Duration,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    kind: Kind,
    text: String,
    query: Result<Query, QueryError>,
    labels: Labels,
    state: Mutex<RuleState>,
}

#[derive(Debug)]
enum Kind {
    Recording { record: String },
    Alert { name: String, held: i64, keep: i64, annotations: Labels },
}

/// The state of a rule after its last evaluation.
#[derive(Debug, Default)]
struct RuleState {
    /// The series that it wrote into the store.
    source: Source,
    evaluated: Option<i64>,
    took: Duration,
    error: Option<String>,
    /// For an alert: the active ones by their labels.
    active: BTreeMap<Labels, Active>,
}

/// One alert that is pending or firing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Active {
    since: i64,
    firing: bool,
    /// The last evaluation that yielded it.
    seen: i64,
    value: f64,
}

impl RuleManager {
    /// Parses rule files, given by name and text. `interval` is the default of groups.
    ///
    /// # Errors
    /// At the first invalid file. An unsupported expression is an error of its rule only.
    pub fn read(files: &[(String, String)], interval: Duration) -> Result<Self, RuleError> {
        let mut groups = Vec::new();
        for (file, text) in files {
            let shape = |message: String| RuleError::Shape { file: file.clone(), message };
            let parsed: FileText = serde_yaml_ng::from_str(text).map_err(|error| shape(error.to_string()))?;
            for group in parsed.groups {
                groups.push(read_group(file, group, interval)?);
            }
        }
        Ok(Self { groups })
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The evaluation interval of a group.
    pub fn interval(&self, group: usize) -> Duration {
        self.groups.get(group).map_or(Duration::MAX, |group| group.interval)
    }

    /// Evaluates a group's rules in order, at `time` in milliseconds since the epoch.
    pub fn evaluate(&self, group: usize, store: &Store, time: i64) {
        for rule in self.groups.get(group).iter().flat_map(|group| &group.rules) {
            let started = tokio::time::Instant::now();
            let mut state = rule.state();
            state.error = rule.evaluate(&mut state, store, time).err();
            state.evaluated = Some(time);
            state.took = started.elapsed();
        }
    }

    /// The data of `/api/v1/rules`.
    pub fn to_json(&self) -> Value {
        json!({"groups": self.groups.iter().map(Group::to_json).collect::<Vec<_>>()})
    }

    /// The data of `/api/v1/alerts`: pending and firing alerts.
    pub fn alerts_to_json(&self) -> Value {
        let alerts: Vec<Value> =
            self.groups.iter().flat_map(|group| &group.rules).flat_map(Rule::alerts_to_json).collect();
        json!({"alerts": alerts})
    }
}

/// Evaluates a group until it is cancelled, halfway between two scrapes, which occur every `scrapes`, so that
/// no sample is being ingested.
pub(super) async fn evaluate(rules: &RuleManager, group: usize, store: &Store, scrapes: Duration) {
    let first = tokio::time::Instant::now() + scrapes / 2;
    let mut ticks = tokio::time::interval_at(first, rules.interval(group));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        rules.evaluate(group, store, now());
    }
}

fn read_group(file: &str, text: GroupText, interval: Duration) -> Result<Group, RuleError> {
    let duration = |written: &Option<String>| match written {
        None => Ok(None),
        Some(written) => duration(written).map(Some).ok_or_else(|| RuleError::Duration {
            file: file.to_owned(),
            group: text.name.clone(),
            text: written.clone(),
        }),
    };
    let millis = |length: Option<Duration>| {
        length.map_or(0, |length| i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
    };
    let mut rules = Vec::new();
    for rule in text.rules {
        let kind = match (rule.record, rule.alert) {
            (Some(record), None) => Kind::Recording { record },
            (None, Some(name)) => Kind::Alert {
                name,
                held: millis(duration(&rule.held)?),
                keep: millis(duration(&rule.keep_firing_for)?),
                annotations: rule.annotations,
            },
            _ => {
                let message = format!("group {}: a rule is either a `record` or an `alert`", text.name);
                return Err(RuleError::Shape { file: file.to_owned(), message });
            }
        };
        let text = rule.expr.trim().to_owned();
        let query = Query::parse(&text);
        rules.push(Rule { kind, text, query, labels: rule.labels, state: Mutex::default() });
    }
    let interval = duration(&text.interval)?.unwrap_or(interval);
    Ok(Group { name: text.name.clone(), file: file.to_owned(), interval, rules })
}

/// Parses a duration in Prometheus's notation: `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let is_plain = |c: char| c.is_ascii_digit() || "mshdwy".contains(c);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    text.chars().all(is_plain).then(|| humantime::parse_duration(text).ok()).flatten()
}

impl Rule {
    fn state(&self) -> MutexGuard<'_, RuleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evaluates the rule, and writes the result into the store.
    fn evaluate(&self, state: &mut RuleState, store: &Store, time: i64) -> Result<(), String> {
        let query = self.query.as_ref().map_err(ToString::to_string)?;
        let elements = match query.at(store, time).map_err(|error| error.to_string())? {
            Evaluated::Scalar(value) => vec![Sample { labels: Labels::new(), value }],
            Evaluated::Vector(samples) => samples,
            Evaluated::Matrix(_) | Evaluated::String(_) => {
                return Err("a rule needs a scalar or an instant vector".to_owned());
            }
        };
        let elements = elements.into_iter().map(|sample| (self.labelled(sample.labels), sample.value));
        let samples: Vec<(Labels, f64)> = match &self.kind {
            Kind::Recording { record } => {
                elements.map(|(labels, value)| (named(labels, record), value)).collect()
            }
            Kind::Alert { name, held, keep, .. } => {
                advance(&mut state.active, elements.collect(), time, *held, *keep);
                state.active.iter().flat_map(|(labels, active)| series(name, labels, *active)).collect()
            }
        };
        let distinct: BTreeSet<&Labels> = samples.iter().map(|(labels, _)| labels).collect();
        if distinct.len() < samples.len() {
            return Err(
                "vector contains metrics with the same labelset after applying rule labels".to_owned()
            );
        }
        store.append(&mut state.source, time, samples);
        Ok(())
    }

    /// The labels of a result: the rule's are added, and the metric's name is removed.
    fn labelled(&self, mut labels: Labels) -> Labels {
        labels.extend(self.labels.clone());
        labels.retain(|name, value| name != METRIC_NAME && !value.is_empty());
        labels
    }

    fn to_json(&self) -> Value {
        let state = self.state();
        let health = match (&state.error, state.evaluated) {
            (Some(_), _) => "err",
            (None, None) => "unknown",
            (None, Some(_)) => "ok",
        };
        let mut rule = json!({
            "query": self.text,
            "labels": self.labels,
            "health": health,
            "evaluationTime": state.took.as_secs_f64(),
            "lastEvaluation": state.evaluated.map(timestamp),
        });
        let (active, error) = (state.active.clone(), state.error.clone());
        drop(state);
        let more = match &self.kind {
            Kind::Recording { record } => json!({"type": "recording", "name": record}),
            Kind::Alert { name, held, keep, annotations } => json!({
                "type": "alerting",
                "name": name,
                "duration": *held as f64 / 1000.0,
                "keepFiringFor": *keep as f64 / 1000.0,
                "annotations": annotations,
                "alerts": self.alerts_to_json(),
                "state": match (active.values().any(|alert| alert.firing), active.is_empty()) {
                    (true, _) => "firing",
                    (false, false) => "pending",
                    (false, true) => "inactive",
                },
            }),
        };
        if let (Value::Object(rule), Value::Object(more)) = (&mut rule, more) {
            rule.extend(more);
            rule.extend(error.map(|error| ("lastError".to_owned(), Value::from(error))));
        }
        rule
    }

    fn alerts_to_json(&self) -> Vec<Value> {
        let Kind::Alert { name, annotations, .. } = &self.kind else { return Vec::new() };
        let one = |(labels, active): (&Labels, &Active)| {
            let mut labels = labels.clone();
            labels.insert("alertname".to_owned(), name.clone());
            json!({
                "labels": labels,
                "annotations": annotations,
                "state": if active.firing { "firing" } else { "pending" },
                "activeAt": timestamp(active.since),
                "value": number(active.value),
            })
        };
        self.state().active.iter().map(one).collect()
    }
}

/// Updates the active alerts after an evaluation at `time` that yields `elements`; `held` and `keep` are in
/// milliseconds.
fn advance(
    active: &mut BTreeMap<Labels, Active>,
    elements: BTreeMap<Labels, f64>,
    time: i64,
    held: i64,
    keep: i64,
) {
    active
        .retain(|labels, alert| elements.contains_key(labels) || (alert.firing && time - alert.seen < keep));
    for (labels, value) in elements {
        let alert = active.entry(labels).or_insert(Active { since: time, firing: false, seen: time, value });
        (alert.seen, alert.value) = (time, value);
        alert.firing |= time - alert.since >= held;
    }
}

/// `ALERTS` and `ALERTS_FOR_STATE` of one alert.
fn series(name: &str, labels: &Labels, active: Active) -> [(Labels, f64); 2] {
    let mut labels = labels.clone();
    labels.insert("alertname".to_owned(), name.to_owned());
    let since = named(labels.clone(), "ALERTS_FOR_STATE");
    labels.insert("alertstate".to_owned(), if active.firing { "firing" } else { "pending" }.to_owned());
    [(named(labels, "ALERTS"), 1.0), (since, (active.since / 1000) as f64)]
}

fn named(mut labels: Labels, metric: &str) -> Labels {
    labels.insert(METRIC_NAME.to_owned(), metric.to_owned());
    labels
}

impl Group {
    fn to_json(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(Rule::to_json).collect();
        let took: Duration = self.rules.iter().map(|rule| rule.state().took).sum();
        let last = self.rules.iter().filter_map(|rule| rule.state().evaluated).max();
        json!({
            "name": self.name,
            "file": self.file,
            "interval": self.interval.as_secs_f64(),
            "rules": rules,
            "evaluationTime": took.as_secs_f64(),
            "lastEvaluation": last.map(timestamp),
        })
    }
}

fn timestamp(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
