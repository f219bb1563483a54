//! Finds Prometheus's raw samples in the record of its responses.

use saasbench_record::{
    manifest::Replica,
    prometheus::{RawSeries, ResponseRecord, doubt, matrix},
};

/// Checks that the raw samples of a metric were queried and the response is complete, or says why not.
pub(crate) fn asked(answers: &[ResponseRecord], metric: &str) -> Result<(), String> {
    let answer = answers.iter().rfind(|answer| is_about(answer, metric));
    whole(answer.ok_or("Prometheus was not queried: the run ended first")?).map(|_| ())
}

/// The response, if it is there and complete, or why it is not.
pub(crate) fn whole(record: &ResponseRecord) -> Result<&serde_json::Value, String> {
    match &record.answer {
        Some(answer) => doubt(answer).map_or(Ok(answer), Err),
        None => {
            let why = record.error.as_deref().unwrap_or("no reason given");
            Err(format!("Prometheus did not respond: {why}"))
        }
    }
}

/// The series `up` of a replica, or why there is no such target.
pub(crate) fn target(answers: &[ResponseRecord], replica: &Replica) -> Result<RawSeries, String> {
    let mut up = series_of(answers, "up", replica);
    match (up.len(), up.pop()) {
        (1, Some(up)) => Ok(up),
        (0, _) => {
            let known = known_instances(answers);
            Err(format!("Prometheus has no target with instance=\"{}\"{known}", replica.instance))
        }
        (targets, _) => {
            Err(format!("Prometheus has {targets} targets with instance=\"{}\"", replica.instance))
        }
    }
}

/// Whether two of Prometheus's timestamps are equal: they are whole milliseconds, written as floats.
pub(crate) fn same_time(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.0005
}

/// Whether a response belongs to the query for raw samples of this metric.
fn is_about(answer: &ResponseRecord, metric: &str) -> bool {
    // A query from the scenario can start with the same name, but cannot end so.
    answer.query.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['[', '{']) && rest.ends_with(']'))
}

/// The raw samples of a metric of this replica.
pub(crate) fn series_of(answers: &[ResponseRecord], metric: &str, replica: &Replica) -> Vec<RawSeries> {
    let answer =
        answers.iter().rfind(|answer| is_about(answer, metric)).and_then(|answer| answer.answer.as_ref());
    let mut series = answer.map(matrix).unwrap_or_default();
    series.retain(|series| series.labels.get("instance") == Some(&replica.instance));
    series
}

fn known_instances(answers: &[ResponseRecord]) -> String {
    let answer =
        answers.iter().rfind(|answer| is_about(answer, "up")).and_then(|answer| answer.answer.as_ref());
    let mut instances: Vec<String> = answer
        .map(matrix)
        .unwrap_or_default()
        .iter()
        .filter_map(|series| series.labels.get("instance").cloned())
        .collect();
    instances.sort();
    instances.dedup();
    if instances.is_empty() {
        "; it has none at all".to_owned()
    } else {
        format!("; it has {}", instances.join(", "))
    }
}

/// The raw samples of a metric of every target.
pub(crate) fn named(answers: &[ResponseRecord], metric: &str) -> Vec<RawSeries> {
    let answer = answers.iter().rfind(|answer| is_about(answer, metric));
    answer.and_then(|answer| answer.answer.as_ref()).map(matrix).unwrap_or_default()
}
