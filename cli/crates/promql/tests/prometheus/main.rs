//! Compares the embedded Prometheus with a real one: both get the same samples, and evaluate every query of
//! the shipped rules, dashboards and scenarios, and at least one query per supported construct, at the same
//! instants. Values and labels must agree, and so must the absence of a value.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in the functions that tests are made of, too, a panic is a test that failed"
)]

mod data;
mod queries;
mod server;

use std::collections::BTreeMap;

use saasbench_promql::{Labels, Point, Query, QueryError, Series, Source, Store, Value};

use server::Server;

/// Seconds after the first sample: between scrapes, on a scrape, after a gap, near the end.
const INSTANTS: [i64; 5] = [97, 200, 301, 345, 599];

/// A value in comparable form: the numbers of each series.
type Comparable = BTreeMap<String, String>;

/// A number rounded to nine digits, because the order of additions may differ.
fn rounded(value: f64) -> String {
    format!("{value:.8e}")
}

fn comparable(value: &Value) -> Comparable {
    match value {
        Value::Scalar(value) => Comparable::from([("scalar".to_owned(), rounded(*value))]),
        Value::String(text) => Comparable::from([("string".to_owned(), text.clone())]),
        Value::Vector(samples) => {
            samples.iter().map(|sample| (format!("{:?}", sample.labels), rounded(sample.value))).collect()
        }
        Value::Matrix(series) => {
            let at = |point: &Point| format!("{} {}", point.time, rounded(point.value));
            let points = |series: &Series| series.points.iter().map(at).collect::<Vec<_>>().join(", ");
            series.iter().map(|series| (format!("{:?}", series.labels), points(series))).collect()
        }
    }
}

fn embedded(series: &[data::Series]) -> Store {
    let store = Store::new(i64::MAX);
    for series in series {
        let mut labels: Labels = series.labels.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        labels.insert("__name__".to_owned(), series.name.to_owned());
        let mut source = Source::default();
        for (time, value) in &series.samples {
            store.append(&mut source, *time, [(labels.clone(), *value)]);
        }
    }
    store
}

/// How the two results of a query differ; `None` if they agree.
fn difference(real: &Server, store: &Store, text: &str) -> Option<String> {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return Some(format!("{text}\n    rejected: {error}")),
    };
    INSTANTS.iter().find_map(|second| {
        let time = data::ZERO + second * 1000;
        let ours = query.at(store, time).map(|value| comparable(&value));
        let theirs = real.at(text, time).map(|value| comparable(&value));
        let same = matches!((&ours, &theirs), (Ok(ours), Ok(theirs)) if ours == theirs);
        (!same).then(|| format!("{text}\n    at {second} s: {ours:?}\n    Prometheus: {theirs:?}"))
    })
}

#[test]
fn the_embedded_prometheus_evaluates_as_a_real_one_does() {
    let series = data::series();
    let (real, store) = (Server::start(&data::openmetrics(&series)), embedded(&series));
    let queries = queries::all();
    let differing: Vec<String> =
        queries.iter().filter_map(|query| difference(&real, &store, query)).collect();
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), queries.len(), differing.join("\n"));
    // Comparing empty results only would prove nothing.
    let has_data = |query: &&String| {
        let query = Query::parse(query).unwrap();
        let at = |second: &i64| query.at(&store, data::ZERO + second * 1000).unwrap();
        INSTANTS.iter().any(|second| match at(second) {
            Value::Vector(vector) => !vector.is_empty(),
            _ => true,
        })
    };
    let with_data = queries.iter().filter(has_data).count();
    assert!(with_data * 10 >= queries.len() * 7, "only {with_data} of {} queries have data", queries.len());

    for text in queries::OVER_RANGES {
        let (start, end, step) = (data::ZERO + 7000, data::ZERO + 599_000, 13_000);
        let ours = Value::Matrix(Query::parse(text).unwrap().over(&store, start, end, step).unwrap());
        let theirs = real.over(text, start, end, step).unwrap();
        assert_eq!(comparable(&ours), comparable(&theirs), "{text}");
    }
    for text in queries::WITHOUT_A_VALUE {
        let time = data::ZERO + 200_000;
        let ours = Query::parse(text).and_then(|query| query.at(&store, time));
        let theirs = real.at(text, time);
        assert!(ours.is_err() && theirs.is_err(), "{text}\n    {ours:?}\n    Prometheus: {theirs:?}");
    }
}

#[test]
fn every_function_that_may_be_called_is_compared() {
    let queries = queries::all();
    for function in saasbench_promql::functions() {
        let call = format!("{function}(");
        assert!(queries.iter().any(|query| query.contains(&call)), "{function} is compared nowhere");
    }
}

#[test]
fn unsupported_queries_are_rejected() {
    for query in queries::NOT_IMPLEMENTED {
        let rejected = Query::parse(query).unwrap_err();
        assert!(matches!(rejected, QueryError::Unsupported(_)), "{query}: {rejected}");
    }
}
