//! `[metrics]` in a scenario and in an environment: which takes precedence.

use super::{BASE, SOURCES, resolve};
use crate::{
    scenario::{DurationUnit, MetricsContract, Preset, Scenario, Statuses, resolve::declare_metrics},
    units::Nanos,
};

fn good(text: &str) -> Scenario {
    resolve(text, "base.toml", &SOURCES).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn metrics_can_be_renamed_and_left_out() {
    let with = |table: &str| good(&BASE.replacen("[[limit]]", &format!("{table}\n[[limit]]"), 1)).metrics;
    assert_eq!(with("[metrics]\nenabled = false"), None);
    let metrics = with("[metrics]\ntenant_requests = \"\"\nrequests = \"hits\"\nignore = \"/ping\"").unwrap();
    assert_eq!((metrics.tenant_requests, metrics.requests.as_str()), (None, "hits"));
    assert_eq!(metrics.ignore, ["/ping"]);
    assert!(metrics.tenant_duration.is_some());
    assert_eq!(metrics.routes[2], ("GET /items/{sid}".to_owned(), "/items/{sid}".to_owned()));
    let metrics = with(
        "[metrics]\npreset = \"micrometer\"\nrequests = \"calls\"\nstatuses = \"grouped\"\nclient_overhead = \"40ms\"\n\
         duration_unit = \"ms\"\nroutes = { \"GET /items/{sid}\" = \"show\" }",
    );
    let metrics = metrics.unwrap();
    let expected = MetricsContract {
        requests: "calls".to_owned(),
        statuses: Statuses::Grouped,
        duration_unit: DurationUnit::Milliseconds,
        unseen: Some(Nanos::from_millis(40)),
        routes: metrics.routes.clone(),
        ..Preset::Micrometer.contract()
    };
    assert_eq!(metrics, expected);
    assert_eq!(metrics.routes[2].1, "show");
}

#[test]
fn an_environments_metrics_take_precedence() {
    let declared = |scenario: &str, environment: &str| {
        let mut scenario = good(&BASE.replacen("[[limit]]", &format!("{scenario}\n[[limit]]"), 1));
        let text = format!("[environment.x.metrics]\n{environment}");
        let place = ["environment", "x", "metrics"];
        declare_metrics(&mut scenario, &text, "saasbench.toml", &place).unwrap();
        scenario.metrics
    };
    // Key by key.
    let metrics = declared("[metrics]\nrequests = \"a\"\npath = \"/m\"", "requests = \"b\"").unwrap();
    assert_eq!((metrics.requests.as_str(), metrics.path.as_str()), ("b", "/m"));
    // A preset describes another service: it replaces the scenario's names, but not its interval and ignored
    // routes.
    let scenario = "[metrics]\nrequests = \"a\"\ninterval = \"1s\"\nroutes = { \"POST /chat\" = \"chat\" }";
    let environment =
        "preset = \"axum-prometheus\"\nroutes = { \"GET /elsewhere\" = \"x\", \"POST /session\" = \"s\" }";
    let metrics = declared(scenario, environment).unwrap();
    let labels: Vec<&str> = metrics.routes.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(metrics.requests, "axum_http_requests_total");
    assert_eq!((metrics.interval, labels), (Nanos::from_secs(1), vec!["s", "chat", "/items/{sid}"]));
    // Whether there are metrics at all.
    assert_eq!(declared("", "enabled = false"), None);
    assert_eq!(declared("[metrics]\nenabled = false", "requests = \"b\""), None);
    let on = declared("[metrics]\nenabled = false", "enabled = true\npreset = \"micrometer\"").unwrap();
    assert_eq!(on.requests, "http_server_requests_seconds_count");
}

#[test]
fn problems_in_an_environments_metrics_have_positions() {
    let text = "[environment.x]\nreplicas = { a = \"http://h\" }\n\n[environment.x.metrics]\npresets = \"micrometer\"\n\
                statuses = \"both\"\n\n[environment.y.metrics]\npath = 3\n";
    let mut scenario = good(BASE);
    let place = ["environment", "x", "metrics"];
    let problems = declare_metrics(&mut scenario, text, "saasbench.toml", &place).unwrap_err();
    insta::assert_snapshot!(problems.render(false));
}
