//! The embedded Prometheus against a real one: the same samples in both, and every query that rules,
//! dashboards and scenarios ask, and every construct that the embedded one may evaluate, asked of both at the
//! same instants. They agree, or the embedded one rejects; and it rejects nothing that is shipped.

mod data;
mod queries;

use std::{collections::BTreeMap, fs, process::Command};

use saasbench::tsdb::{
    query::{Answer, Query, QueryError},
    store::{SeriesId, Shown, Store},
};
use saasbench_exposition::Labels;
use serde_json::Value;

use crate::support::{Process, free_port, get, wait_for};

/// Seconds after the first sample: between scrapes, on a scrape, behind a gap, near the end.
const INSTANTS: [i64; 5] = [97, 200, 301, 345, 599];

/// A result in comparable form, by series.
type Comparable = BTreeMap<String, String>;

/// A Prometheus that has the samples of `data` on its disk.
struct Real {
    port: u16,
    _process: Process,
    _dir: tempfile::TempDir,
}

impl Real {
    fn start(series: &[data::Series]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::write(at("samples.om"), data::openmetrics(series)).unwrap();
        let imported = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", &at("samples.om"), &at("data")])
            .output()
            .unwrap();
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        fs::write(at("prometheus.yml"), "global:\n  scrape_interval: 1h\n").unwrap();
        let port = free_port();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", at("prometheus.yml")));
        command.arg(format!("--storage.tsdb.path={}", at("data")));
        command.arg("--storage.tsdb.retention.time=20y");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, dir.path());
        wait_for("prometheus to be ready", || {
            process.assert_lives();
            get(port, "/-/ready").is_some()
        });
        Self { port, _process: process, _dir: dir }
    }

    /// Its result or error.
    fn at(&self, query: &str, time: i64) -> Result<Comparable, String> {
        let mut url = reqwest::Url::parse("http://localhost/api/v1/query").unwrap();
        url.query_pairs_mut().append_pair("query", query).append_pair("time", &format!("{}", time / 1000));
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        // A query that Prometheus rejects would be an error of this test: all queries are valid.
        let response = get(self.port, &path).ok_or("no response")?;
        let json = &response[response.find('{').unwrap()..=response.rfind('}').unwrap()];
        let json: Value = serde_json::from_str(json).unwrap();
        Ok(comparable(&json["data"]))
    }
}

/// Numbers rounded to nine digits, so that another order of additions is no difference.
fn rounded(value: &str) -> String {
    match value {
        "+Inf" | "-Inf" | "NaN" => value.to_owned(),
        number => format!("{:.8e}", number.parse::<f64>().unwrap()),
    }
}

fn comparable(data: &Value) -> Comparable {
    let pair = |value: &Value| format!("{} {}", value[0], rounded(value[1].as_str().unwrap()));
    if data["resultType"] == "scalar" {
        return Comparable::from([("scalar".to_owned(), rounded(data["result"][1].as_str().unwrap()))]);
    }
    let one = |series: &Value| {
        let value = match series["values"].as_array() {
            Some(values) => values.iter().map(pair).collect::<Vec<_>>().join(", "),
            None => rounded(series["value"][1].as_str().unwrap()),
        };
        (series["metric"].to_string(), value)
    };
    data["result"].as_array().unwrap().iter().map(one).collect()
}

fn embedded(series: &[data::Series]) -> Store {
    let store = Store::new().unwrap();
    for series in series {
        let labels: Labels = series.labels.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let id = SeriesId::new(series.name, labels);
        let shown = Shown::default();
        for (time, value) in &series.samples {
            store.append(&shown, *time, [(id.clone(), *value)]).unwrap();
        }
    }
    store
}

/// How the two differ over a query; `None` where they do not.
fn difference(real: &Real, store: &Store, text: &str) -> Option<String> {
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => return Some(format!("{text}\n    rejected: {error}")),
    };
    INSTANTS.iter().find_map(|second| {
        let time = data::ZERO + second * 1000;
        let ours = match query.at(store, time) {
            Ok(answer) => Ok(comparable(&answer.to_json(time))),
            Err(error) => Err(error.to_string()),
        };
        let theirs = real.at(text, time);
        let same = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            _ => false,
        };
        (!same).then(|| format!("{text}\n    at {second} s: {ours:?}\n    Prometheus: {theirs:?}"))
    })
}

#[test]
fn the_embedded_prometheus_equals_a_real_one_or_rejects() {
    let series = data::series();
    let (real, store) = (Real::start(&series), embedded(&series));
    let queries = queries::all();
    let differing: Vec<String> =
        queries.iter().filter_map(|query| difference(&real, &store, query)).collect();
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), queries.len(), differing.join("\n"));
    // A test that compares nothing with nothing would pass, too.
    let has_data = |query: &&String| {
        let query = Query::parse(query).unwrap();
        let at = |second: &i64| query.at(&store, data::ZERO + second * 1000);
        INSTANTS.iter().any(|second| match at(second) {
            Ok(Answer::Vector(vector)) => !vector.is_empty(),
            Ok(_) => true,
            Err(_) => false,
        })
    };
    let with_data = queries.iter().filter(has_data).count();
    assert!(with_data * 10 >= queries.len() * 7, "only {with_data} of {} queries have data", queries.len());
}

#[test]
fn every_supported_function_is_compared() {
    let queries = queries::all();
    for (function, _) in saasbench::tsdb::trust::FUNCTIONS {
        let call = format!("{function}(");
        assert!(queries.iter().any(|query| query.contains(&call)), "{function} is compared nowhere");
    }
}

#[test]
fn known_differences_to_prometheus_are_rejected() {
    for query in queries::DIFFERING {
        let rejected = Query::parse(query).unwrap_err();
        assert!(matches!(rejected, QueryError::Rejected(_)), "{query}: {rejected}");
    }
}
