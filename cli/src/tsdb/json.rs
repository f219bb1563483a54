//! Values and series in the format of Prometheus's HTTP API.

use saasbench_promql::{Labels, Point, Value as Evaluated};
use serde_json::{Value, json};

/// The result of an expression: `{"resultType": …, "result": …}`. `time` is that of an instant query, in
/// milliseconds.
pub fn value(evaluated: &Evaluated, time: i64) -> Value {
    let (kind, result) = match evaluated {
        Evaluated::Scalar(value) => ("scalar", point(time, *value)),
        Evaluated::String(text) => ("string", json!([time as f64 / 1000.0, text])),
        Evaluated::Vector(samples) => {
            let sample = |labels: &Labels, value| json!({"metric": labels, "value": point(time, value)});
            ("vector", samples.iter().map(|element| sample(&element.labels, element.value)).collect())
        }
        Evaluated::Matrix(series) => {
            let values =
                |points: &[Point]| points.iter().map(|at| point(at.time, at.value)).collect::<Value>();
            let of_one = |labels: &Labels, points| json!({"metric": labels, "values": values(points)});
            ("matrix", series.iter().map(|element| of_one(&element.labels, &element.points)).collect())
        }
    };
    json!({"resultType": kind, "result": result})
}

fn point(time: i64, value: f64) -> Value {
    json!([time as f64 / 1000.0, number(value)])
}

/// A value in Prometheus's notation.
pub(super) fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
