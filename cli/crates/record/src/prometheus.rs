//! One query to Prometheus and its raw response: a line of `observations/prometheus.jsonl`; and how to read
//! the series in a response.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use saasbench_exposition::Labels;
use saasbench_model::units::Nanos;

/// One query and its raw response: a line of `prometheus.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseRecord {
    /// When it was sent, on the run's clock.
    pub at_ns: Nanos,
    /// The query, or the path of an API endpoint without one
    /// ([`ApiRequest::text`](crate::query::ApiRequest::text)).
    pub query: String,
    /// Evaluation time in seconds since the epoch; for a range query its last instant.
    pub time_unix_s: f64,
    /// For a range query: how far it reaches back, and its step, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_s: Option<(f64, f64)>,
    /// The response as it arrived; `None` if there was none.
    pub answer: Option<Value>,
    /// Why there was no response.
    pub error: Option<String>,
}

/// Raw samples of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSeries {
    /// Its labels, without `__name__`.
    pub labels: Labels,
    /// `(seconds since the epoch, value)`, in time order.
    pub samples: Vec<(f64, f64)>,
}

/// Query for how far Prometheus has come: the start of the newest scrape of each target. `timestamp()` of a
/// plain selector is the sample's own time, which is the scrape's start; a visible sample belongs to a
/// finished scrape.
pub const POSITION: &str = "timestamp(up)";

/// The newest scrape of each instance, in seconds since the epoch, from the response to [`POSITION`].
pub fn newest_scrapes(answer: &Value) -> BTreeMap<String, f64> {
    let mut newest = BTreeMap::new();
    for result in results(answer) {
        let at = result.get("value").and_then(|value| value.get(1)).and_then(number);
        if let (Some(instance), Some(at)) = (labels(result).remove("instance"), at) {
            let known = newest.entry(instance).or_insert(at);
            *known = at.max(*known);
        }
    }
    newest
}

/// The series of a response with `resultType` `matrix`.
pub fn matrix(answer: &Value) -> Vec<RawSeries> {
    results(answer)
        .iter()
        .map(|result| RawSeries {
            labels: labels(result),
            samples: result
                .get("values")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .filter_map(|pair| Some((pair.get(0)?.as_f64()?, number(pair.get(1)?)?)))
                .collect(),
        })
        .collect()
}

/// The series of a response with `resultType` `vector`, each with its value.
pub fn samples_now(answer: &Value) -> Vec<(Labels, f64)> {
    let value = |result: &Value| result.get("value").and_then(|value| value.get(1)).and_then(number);
    results(answer).iter().filter_map(|result| Some((labels(result), value(result)?))).collect()
}

/// The series of any response with numbers: a scalar is one without labels, and a vector's have one sample
/// each.
pub fn values(answer: &Value) -> Vec<RawSeries> {
    let sample = |pair: &Value| Some((pair.get(0)?.as_f64()?, number(pair.get(1)?)?));
    let one =
        |labels: Labels, pair: &Value| RawSeries { labels, samples: sample(pair).into_iter().collect() };
    match answer.pointer("/data/resultType").and_then(Value::as_str) {
        Some("matrix") => matrix(answer),
        Some("vector") => results(answer)
            .iter()
            .map(|result| one(labels(result), result.get("value").unwrap_or(&Value::Null)))
            .collect(),
        Some("scalar") => {
            answer.pointer("/data/result").map(|pair| one(Labels::new(), pair)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn results(answer: &Value) -> &[Value] {
    answer.pointer("/data/result").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn labels(result: &Value) -> Labels {
    let metric = result.get("metric").and_then(Value::as_object);
    metric
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "__name__")
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Prometheus writes values as strings, including `NaN` and `+Inf`.
fn number(value: &Value) -> Option<f64> {
    match value.as_str()? {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

/// Why a response may be incomplete: a store that is queried in place of Prometheus reports if one of its
/// parts failed (`warnings` of Thanos and of Prometheus's remote read, `isPartial` of VictoriaMetrics).
pub fn doubt(answer: &Value) -> Option<String> {
    let warnings = answer.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let warnings: Vec<&str> = warnings.iter().filter_map(Value::as_str).collect();
    let is_partial = |pointer: &str| answer.pointer(pointer).and_then(Value::as_bool) == Some(true);
    if !warnings.is_empty() {
        Some(format!("Prometheus responded with a warning: {}", warnings.join("; ")))
    } else if is_partial("/isPartial") || is_partial("/data/isPartial") {
        Some("Prometheus responded with partial data: one of its stores was unavailable".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_matrix_and_vector() {
        let answer = serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"__name__": "x", "instance": "a"}, "values": [[1.5, "3"], [2.5, "NaN"], [3.5, "+Inf"]]}
        ]}});
        let series = matrix(&answer);
        assert_eq!(series[0].labels, Labels::from([("instance".into(), "a".into())]));
        assert_eq!(series[0].samples[0], (1.5, 3.0));
        assert!(series[0].samples[1].1.is_nan() && series[0].samples[2].1.is_infinite());
        let answer = serde_json::json!({"data": {"result": [
            {"metric": {"instance": "a", "job": "x"}, "value": [9, "7"]},
            {"metric": {"instance": "a", "job": "y"}, "value": [9, "8.5"]},
        ]}});
        assert_eq!(newest_scrapes(&answer), BTreeMap::from([("a".to_owned(), 8.5)]));
    }

    #[test]
    fn warnings_of_a_store_are_read() {
        let doubts = |text: &str| doubt(&serde_json::from_str(text).unwrap());
        assert_eq!(doubts(r#"{"status":"success","data":{},"infos":["a hint"]}"#), None);
        assert_eq!(doubts(r#"{"status":"success","isPartial":false,"warnings":[]}"#), None);
        let thanos = doubts(r#"{"status":"success","warnings":["store 10.0.0.7 is gone"]}"#);
        assert_eq!(thanos.unwrap(), "Prometheus responded with a warning: store 10.0.0.7 is gone");
        let victoria = doubts(r#"{"status":"success","isPartial":true}"#);
        assert_eq!(
            victoria.unwrap(),
            "Prometheus responded with partial data: one of its stores was unavailable"
        );
    }
}
