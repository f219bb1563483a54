//! Rule groups: recording rules and alerts, read from the files that Prometheus reads, evaluated as it does. An alert is
//! pending from the first evaluation that shows it, fires once it has been so for its `for`, and is over with the first
//! that does not. Templates in labels and annotations stay as they are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use saasbench_promql::{Labels, METRIC_NAME, Query, QueryError, Sample, Source, Store, Value as Evaluated};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{json::number, scraper::now};

/// A rule file that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not YAML, or not of the shape.
    #[error("{file}: {message}")]
    Shape {
        /// Which file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A duration that is none.
    #[error("{file}: group {group}: `{text}` is not a duration such as `30s` or `5m`")]
    Duration {
        /// Which file.
        file: String,
        /// Which group.
        group: String,
        /// What stands there.
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

/// What is known of a rule after its last evaluation.
#[derive(Debug, Default)]
struct RuleState {
    /// What it wrote into the store.
    source: Source,
    evaluated: Option<i64>,
    took: Duration,
    error: Option<String>,
    /// Of an alert: by its labels.
    active: BTreeMap<Labels, Active>,
}

/// One alert that is pending or firing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Active {
    since: i64,
    firing: bool,
    /// The last evaluation that showed it.
    seen: i64,
    value: f64,
}

impl RuleManager {
    /// Reads rule files: name and text of each. `interval` is that of groups that say none.
    ///
    /// # Errors
    /// At the first file that is not one. An expression that cannot be evaluated is the error of its rule alone.
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

    /// How many there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How often a group is evaluated.
    pub fn interval(&self, group: usize) -> Duration {
        self.groups.get(group).map_or(Duration::MAX, |group| group.interval)
    }

    /// Evaluates a group's rules in their order, at `time` in milliseconds since the epoch.
    pub fn evaluate(&self, group: usize, store: &Store, time: i64) {
        for rule in self.groups.get(group).iter().flat_map(|group| &group.rules) {
            let started = tokio::time::Instant::now();
            let mut state = rule.state();
            state.error = rule.evaluate(&mut state, store, time).err();
            state.evaluated = Some(time);
            state.took = started.elapsed();
        }
    }

    /// `/api/v1/rules`: the groups as Prometheus shows them.
    pub fn to_json(&self) -> Value {
        json!({"groups": self.groups.iter().map(Group::to_json).collect::<Vec<_>>()})
    }

    /// `/api/v1/alerts`: what is pending or firing.
    pub fn alerts_to_json(&self) -> Value {
        let alerts: Vec<Value> =
            self.groups.iter().flat_map(|group| &group.rules).flat_map(Rule::alerts_to_json).collect();
        json!({"alerts": alerts})
    }
}

/// Evaluates a group until it is cancelled, halfway between two scrapes, which come every `scrapes`: so no sample is
/// just on its way.
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

/// `1h30m`, as Prometheus writes durations.
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

    /// Evaluates it, and writes what it gives into the store.
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

    /// The labels of what the expression gave, with those of the rule and without a metric's name.
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

/// What is active after an evaluation at `time` that shows `elements`; `held` and `keep` in milliseconds.
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
