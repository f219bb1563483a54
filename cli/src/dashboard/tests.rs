//! Reading dashboards, filling in their variables, and finding metrics and labels that do not exist.

use std::{collections::BTreeMap, fmt::Write as _};

use promql_parser::parser;
use serde_json::json;

use super::{
    Document,
    catalogue::Catalogue,
    expression, grafana, read,
    variable::{self, Variable},
};
use saasbench_exposition::Labels;

/// The parsed document, one item per line.
fn shown(document: &Document) -> String {
    let mut text = format!("{}\n", document.title);
    for Variable { name, source, filter, several, all, current } in &document.variables {
        let _ = writeln!(
            text,
            "${name} = {source} filter {filter:?} several {several} all {all:?} current {current:?}"
        );
    }
    for panel in &document.panels {
        let _ = writeln!(
            text,
            "{} ({:?}) unit {} repeat {:?} step {:?} points {:?}",
            panel.place(),
            panel.purpose,
            panel.has_unit,
            panel.repeat,
            panel.min_step,
            panel.max_points
        );
        for query in &panel.queries {
            let _ = writeln!(
                text,
                "  {} {} instant {} legend {:?} by series {} step {:?}",
                query.ref_id, query.expr, query.instant, query.legend, query.by_series, query.min_step
            );
        }
    }
    for left_out in &document.left_out {
        let _ = writeln!(text, "left out: {} {:?}", left_out.panel, left_out.reason);
    }
    text
}

#[test]
fn dashboards_of_all_schemas_are_read() {
    for text in [include_str!("fixtures/old.json"), include_str!("fixtures/new.json")] {
        insta::assert_snapshot!(shown(&grafana::read(text).unwrap()));
    }
    let rules =
        "groups: [{name: g, rules: [{alert: A, expr: 'up == 0', for: 5m}, {record: 'a:b', expr: 1}]}]";
    insta::assert_snapshot!(shown(&read("x.yml", rules).unwrap()));
}

#[test]
fn every_shipped_dashboard_fits_the_others() {
    let files = ["redis", "run", "service", "tenants"];
    let mut ids = Vec::new();
    for name in files {
        let path = format!("{}/../dashboards/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        ids.push(json["uid"].as_str().unwrap().to_owned());
        assert_eq!(json["links"][0]["tags"], json["tags"], "{name} links to its like");
        let panels = json["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
        for panel in panels {
            let title = panel["title"].as_str().unwrap();
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{name}: {title} has no description");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{name}: {title}");
                let expr = target["expr"].as_str().unwrap();
                let plain = expr.replace("$__rate_interval", "5s");
                parser::parse(&plain).unwrap_or_else(|error| panic!("{name}: {title}: {error}"));
            }
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), files.len(), "ids are unique");
}

#[test]
fn variables_choose_values_like_grafana() {
    let read = |json: serde_json::Value| variable::read(&json, &BTreeMap::new()).unwrap();
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let one =
        read(json!({"name": "x", "type": "query", "query": "label_values(a)", "current": {"value": "b"}}));
    assert_eq!(one.choose(&values(&["a", "b"])).values, ["b"]);
    assert_eq!(one.choose(&values(&["a", "c"])).values, ["a"]);
    assert!(!one.choose(&values(&["a"])).as_regex);
    let all = read(json!({"name": "x", "type": "query", "query": "label_values(a)", "includeAll": true}));
    assert_eq!(all.choose(&values(&["a", "b"])).values, ["a", "b"]);
    assert!(all.choose(&values(&["a"])).as_regex);
    let filter = |regex: &str, of: &[&str]| {
        read(json!({"name": "x", "type": "query", "query": "a", "regex": regex})).filtered(values(of))
    };
    assert_eq!(filter("/(.*):.*/", &["a:1", "a:2", "b:1", "c"]), ["a", "b"]);
    assert_eq!(filter("/^A/i", &["ab", "ba"]), ["ab"]);
    assert_eq!(filter("a.*", &["ab", "ba"]), ["ab"]);
    assert_eq!(filter("/x=(?<value>.)/", &["x=1", "x=2", "y"]), ["1", "2"]);
    assert_eq!(filter("/(/", &["ab"]), ["ab"], "what cannot be read filters nothing");
}

/// A Prometheus with a counter, a gauge, a histogram and a recorded metric, scraped every five seconds.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let labels = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Labels>()
    };
    let target = [("job", "api"), ("instance", "a")];
    catalogue.add_scrapes(&[(labels(&target), vec![0.0, 5.003, 10.0, 15.001])]);
    let metrics: [(&str, &[(&str, &str)]); 4] = [
        ("requests_total", &[("status", "200")]),
        ("in_progress", &[("handler", "/")]),
        ("duration_seconds_bucket", &[("le", "1"), ("tenant", "acme")]),
        ("tenant:requests", &[("tenant", "acme")]),
    ];
    for (name, more) in metrics {
        let scraped = if name.contains(':') { &[][..] } else { &target };
        catalogue.names.insert(name.to_owned());
        catalogue.add_metric(name, &[labels(&[scraped, more, &[("__name__", name)]].concat())]);
    }
    let of = |kind: &str| json!([{"type": kind, "help": "", "unit": ""}]);
    let types =
        json!({"requests": of("counter"), "in_progress": of("gauge"), "duration_seconds": of("histogram")});
    catalogue.add_metadata(&json!({"data": types}));
    catalogue
}

#[test]
fn expressions_are_checked_against_the_existing_series() {
    let table = [
        "sum by (status) (rate(requests_total[10s]))",
        "sum by (state) (rate(requests_total[10s]))",
        "sum by (tenant) (sum by (status) (rate(requests_total[10s])))",
        "sum without (nothing) (rate(requests_total[10s]))",
        "rate(request_total[10s])",
        "rate({__name__=\"request_total\"}[10s])",
        "rate({__name__=~\"request.*\"}[10s])",
        "requests_total{tenant=\"\", status!=\"500\"}",
        "requests_total{tenant!~\"a|b\"}",
        "requests_total{tenant=~\"a|b\"}",
        "requests_total",
        "count(requests_total)",
        "absent(requests_total{state=\"x\"})",
        "rate(in_progress[10s])",
        "deriv(in_progress[10s])",
        "max_over_time(in_progress[1s])",
        "rate(requests_total[9s])",
        "rate(requests_total[1m:5s])",
        "histogram_quantile(0.9, sum by (le, tenant) (rate(duration_seconds_bucket[10s])))",
        "histogram_quantile(0.9, sum by (tenant) (rate(duration_seconds_bucket[10s])))",
        "rate(old_total[10s]) or rate(requests_total[10s])",
        "rate(old_total[10s]) or vector(0)",
        "label_replace(in_progress, \"kind\", \"$1\", \"handler\", \"(.*)\") * on (kind) group_left (missing) in_progress",
        "in_progress / on (instance) group_left (status) rate(requests_total[10s])",
        "tenant:requests{tenant=\"acme\"} > bool 1 and on (tenants) tenant:requests",
        "topk(3, sum by (status) (rate(requests_total[10s])))",
        "count_values(\"value\", in_progress)",
        "scalar(in_progress) + time() - vector(1)",
    ];
    let catalogue = catalogue();
    let mut all = String::new();
    for text in table {
        let expr = parser::parse(text).unwrap();
        let _ = writeln!(all, "{text}");
        for finding in expression::examine(&expr, &catalogue, true) {
            let _ = writeln!(all, "  {:?} {}: {finding}", finding.severity(), finding.kind());
        }
    }
    insta::assert_snapshot!(all);
}
