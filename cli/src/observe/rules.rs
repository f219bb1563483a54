//! Recording rules, asked twice: what they recorded, and what their expressions say at the instants of it.

use std::{collections::BTreeMap, io};

use serde::Deserialize;
use serde_json::Value;

use super::{
    exposition::Labels,
    prometheus::{Prometheus, client::Question, matrix},
};
use crate::units::Nanos;

/// So many instants of each rule are asked for again, the newest.
const INSTANTS: usize = 5;

/// A group of rules, as `/api/v1/rules` tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Seconds between two evaluations.
    #[serde(default)]
    pub interval: f64,
    /// Seconds that the last one took.
    #[serde(default)]
    pub evaluation_time: f64,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `recording` or `alerting`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it records, or the alert's name.
    pub name: String,
    /// Its expression.
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
    /// Whether it records.
    pub fn is_recording(&self) -> bool {
        self.kind == "recording"
    }

    /// The labels of what it records of a series of its expression.
    pub fn recorded(&self, mut labels: Labels) -> Labels {
        labels.extend(self.labels.clone());
        // An empty label is none.
        labels.retain(|_, value| !value.is_empty());
        labels
    }
}

/// The groups of an answer to [`Question::Rules`]; what is none is left out.
pub fn groups(answer: &Value) -> Vec<Group> {
    let groups = answer.pointer("/data/groups").and_then(Value::as_array);
    groups.into_iter().flatten().filter_map(|group| Group::deserialize(group).ok()).collect()
}

/// Records all rules, what the recording ones recorded in the span from `from` to `to` (seconds since the epoch), and what
/// their expressions say now of some instants of it.
///
/// # Errors
/// The file system's.
pub async fn record(prometheus: &Prometheus, (from, to): (f64, f64)) -> io::Result<()> {
    let Some(answer) = prometheus.record(&Question::Rules).await? else { return Ok(()) };
    let range = Nanos::from_secs_f64(to - from).as_secs_f64().ceil().max(1.0);
    for rule in groups(&answer).iter().flat_map(|group| &group.rules).filter(|rule| rule.is_recording()) {
        let query = format!("{}[{range}s]", rule.name);
        let Some(samples) = prometheus.record(&Question::Instant { query, time: to }).await? else {
            continue;
        };
        let mut instants: Vec<f64> =
            matrix(&samples).iter().flat_map(|series| series.samples.iter().map(|(at, _)| *at)).collect();
        instants.sort_by(f64::total_cmp);
        instants.dedup();
        for time in instants.into_iter().rev().take(INSTANTS) {
            prometheus.record(&Question::Instant { query: rule.query.clone(), time }).await?;
        }
    }
    Ok(())
}
