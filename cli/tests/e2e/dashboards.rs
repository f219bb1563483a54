//! `saasbench dashboards` against a real Prometheus that has scraped a run: the shipped dashboards and rules
//! have data in every panel, broken copies are reported by panel and query, and a missing metric is reported
//! with all affected panels.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{Observed, Prometheus, Replica, Sandbox, TENANTS, get, short, wait_for};

#[test]
fn shipped_dashboards_have_data_and_broken_ones_are_reported() {
    let stack = Observed::start(TENANTS);
    let (all, without) = (stack.prometheus("nothing"), stack.prometheus("tenant_requests_total"));
    let pushed = Prometheus::configured(&scraping_replicas_alone(&stack));
    let sandbox = Sandbox::with(&short("8s"), TENANTS);
    let [a, b] = stack.replicas.each_ref().map(Replica::url);
    let (prometheus, redis) = (all.url(), stack.redis.url());
    let mut run = vec!["run", "scenario.toml", "--target", &a, "--target", &b, "--exclusive"];
    run.extend(["--prometheus", &prometheus, "--redis", &redis, "--metrics-listen", &stack.self_metrics]);
    let push = format!("{}/api/v1/write", pushed.url());
    run.extend(["--push", &push, "--push-every", "1s"]);
    let ended = sandbox.run(&run);
    ended.assert_code(0);
    ended.assert_says(&[&format!("the run's own metrics: http://{}/metrics", stack.self_metrics)]);
    let run = sandbox.only_run().display().to_string();

    // Every shipped panel and rule; warnings count, too.
    let mut arguments = vec!["dashboards".to_owned()];
    arguments.extend(shipped("dashboards").into_iter().chain(shipped("compose/prometheus/rules")));
    arguments.extend(["--run", &run, "--warnings"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = sandbox.run(&arguments);
    ended.assert_code(0);
    ended.assert_says(&["0 errors, 0 warnings"]);

    pushed_series_can_be_joined_with_scraped_ones(&sandbox, &run, &pushed.url());
    broken_copies_are_reported(&sandbox, &run);
    a_metric_that_is_gone_names_all_that_it_starves(&sandbox, &run, &without.url());
}

/// A configuration that scrapes the replicas every second, and not the run.
fn scraping_replicas_alone(stack: &Observed) -> String {
    let [a, b] = stack.replicas.each_ref().map(|replica| format!("127.0.0.1:{}", replica.port));
    format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: api\n    static_configs:\n      - targets: [{a:?}, {b:?}]\n"
    )
}

/// The generator's dashboard works on pushed series as on scraped ones, and they can be joined with the
/// service's series by tenant and replica.
fn pushed_series_can_be_joined_with_scraped_ones(sandbox: &Sandbox, run: &str, prometheus: &str) {
    let dashboard = shipped("dashboards").into_iter().find(|path| path.ends_with("run.json")).unwrap();
    let ended =
        sandbox.run(&["dashboards", &dashboard, "--run", run, "--prometheus", prometheus, "--warnings"]);
    ended.assert_code(0);
    ended.assert_says(&["0 errors, 0 warnings"]);

    let port = prometheus.rsplit(':').next().unwrap().parse().unwrap();
    let clients = "sum by (tenant, instance) (label_replace(last_over_time(saasbench_requests_total{route=\"POST /chat\",status=~\"[0-9]+\"}[10m]), \"instance\", \"$1\", \"replica\", \"(.*)\"))";
    let service = "sum by (tenant, instance) (last_over_time(tenant_requests_total{job=\"api\",handler=\"/chat\"}[10m]))";
    let query: String = format!("{clients} - {service}").bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut differences = Vec::new();
    // The service's final counts have yet to be scraped.
    wait_for("both views to be equal", || {
        let response: Value =
            serde_json::from_str(&get(port, &format!("/api/v1/query?query={query}")).unwrap()).unwrap();
        let series = response["data"]["result"].as_array().unwrap();
        differences = series.iter().map(|series| series["value"][1].as_str().unwrap().to_owned()).collect();
        differences.len() >= 4 && differences.iter().all(|difference| difference == "0")
    });
}

/// A copy of the tenants' dashboard with one panel per mistake.
fn broken_copies_are_reported(sandbox: &Sandbox, run: &str) {
    let tenants = "sum by (tenant) (rate(tenant_requests_total";
    let expressions = [
        ("wrong metric", "sum by (tenant) (rate(tenant_request_total[$__rate_interval]))".to_owned()),
        ("wrong label", "sum by (tennant) (rate(tenant_requests_total[$__rate_interval]))".to_owned()),
        ("wrong matcher", format!("{tenants}{{jub=\"api\"}}[$__rate_interval]))")),
        ("value that never was", format!("{tenants}{{status=\"201\"}}[$__rate_interval]))")),
        ("syntax error", "sum of (tenant) (tenant_requests_total)".to_owned()),
        ("function that there is not", "sum by (tenant) (rat(tenant_requests_total[1m]))".to_owned()),
        ("wrong variable", format!("{tenants}{{tenant=~\"$tenent\"}}[$__rate_interval]))")),
        ("counter as it is", "sum by (tenant) (tenant_requests_total)".to_owned()),
        (
            "rate of a gauge",
            "sum by (instance) (rate(http_requests_inprogress{job=\"api\"}[10s]))".to_owned(),
        ),
        ("range too short", format!("{tenants}[1s]))")),
        ("zero by zero", format!("{tenants}[10s]) * 0) / {tenants}[10s]) * 0)")),
        (
            "buckets summed up",
            "histogram_quantile(0.95, sum by (tenant) (rate(tenant_request_duration_seconds_bucket[10s])))"
                .to_owned(),
        ),
        (
            "threshold that nothing reaches",
            "sum by (tenant) (rate(tenant_requests_total[10s])) > 1e9".to_owned(),
        ),
        ("alternative", format!("{tenants}_v2[10s])) or {tenants}[10s]))")),
        (
            "hidden by a constant",
            "sum by (tenant) (rate(tenant_rejections_total[10s])) or vector(0)".to_owned(),
        ),
    ];
    let mut panels: Vec<Value> =
        expressions.iter().map(|(title, expr)| panel(title, expr, "{{tenant}}{{instance}}")).collect();
    let good = format!("{tenants}[$__rate_interval]))");
    panels.push(panel("no legend", &good, ""));
    panels.push(panel("one legend for all", &good, "requests"));
    panels.push(panel("legend of another label", &good, "{{tennant}}"));
    let mut no_unit = panel("no unit", &good, "{{tenant}}");
    no_unit["fieldConfig"] = json!({});
    panels.push(no_unit);
    panels.push(
        json!({"type": "timeseries", "title": "from the library", "libraryPanel": {"name": "x", "uid": "y"}}),
    );
    let mut logs = panel("of others", "{job=\"x\"}", "");
    logs["datasource"] = json!({"type": "loki", "uid": "x"});
    panels.push(logs);
    panels.push(panel("variable without values", "sum(up{job=~\"$nobody\"})", ""));

    let mut dashboard: Value =
        serde_json::from_str(&fs::read_to_string(&shipped("dashboards")[3]).unwrap()).unwrap();
    dashboard["panels"] = panels.into();
    let mut nobody = dashboard["templating"]["list"][1].clone();
    nobody["name"] = "nobody".into();
    nobody["query"] = "label_values(up{job=\"nobody\"}, job)".into();
    dashboard["templating"]["list"].as_array_mut().unwrap().push(nobody);
    sandbox.write("broken.json", &dashboard.to_string());
    sandbox.write("broken.yml", BROKEN_RULES);
    let ended = sandbox.run(&["dashboards", "broken.json", "broken.yml", "--run", run]);
    ended.assert_code(1);
    insta::assert_snapshot!(ended.out);

    let only_warnings = json!({"title": "x", "panels": [panel("no legend", &good, "")]});
    sandbox.write("warned.json", &only_warnings.to_string());
    sandbox.run(&["dashboards", "warned.json", "--run", run]).assert_code(0);
    sandbox.run(&["dashboards", "warned.json", "--run", run, "--warnings"]).assert_code(1);
}

const BROKEN_RULES: &str = r#"
groups:
  - name: broken
    rules:
      - alert: Dead
        expr: sum by (tenant) (rate(tenant_request_total{status="429"}[30s])) > 0.5
      - alert: Quiet
        expr: sum by (tenant) (rate(tenant_requests_total{status="429"}[30s])) > 1e9
      - record: nothing
        expr: rate(http_requests_total{handler="/nowhere"}[1m])
"#;

fn panel(title: &str, expr: &str, legend: &str) -> Value {
    json!({
        "type": "timeseries",
        "title": title,
        "fieldConfig": {"defaults": {"unit": "reqps"}},
        "targets": [{"refId": "A", "expr": expr, "legendFormat": legend}],
    })
}

/// Exactly the panels that query the metric, or a variable filled from it.
fn a_metric_that_is_gone_names_all_that_it_starves(sandbox: &Sandbox, run: &str, prometheus: &str) {
    for path in shipped("dashboards") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let is_of_tenants = path.ends_with("tenants.json");
        let starves = |panel: &&Value| {
            let exprs =
                panel["targets"].as_array().into_iter().flatten().map(|of| of["expr"].as_str().unwrap());
            exprs.into_iter().any(|expr| {
                expr.contains("tenant_requests_total") || is_of_tenants && expr.contains("$tenant")
            })
        };
        let panels = dashboard["panels"].as_array().unwrap().iter();
        let expected: BTreeSet<&str> =
            panels.filter(starves).map(|panel| panel["title"].as_str().unwrap()).collect();

        let ended =
            sandbox.run(&["dashboards", &path, "--run", run, "--prometheus", prometheus, "--json", "-"]);
        ended.assert_code(i32::from(!expected.is_empty()));
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let findings = report["files"][0]["findings"].as_array().unwrap().iter();
        let errors = findings.filter(|finding| finding["severity"] == "error");
        let named = errors.map(|finding| finding["panel"].as_str().unwrap());
        let named = named
            .filter(|panel| *panel != "variable $tenant")
            .map(|panel| panel.rsplit(" / ").next().unwrap());
        assert_eq!(named.collect::<BTreeSet<_>>(), expected, "{path}: {report:#}");
    }
}

/// Files of a directory of the repository.
fn shipped(directory: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn invalid_requests_are_reported() {
    let sandbox = Sandbox::new();
    sandbox.write("good.json", &json!({"title": "x", "panels": []}).to_string());
    sandbox.write(
        "v2.json",
        &json!({"apiVersion": "dashboard.grafana.app/v2beta1", "spec": {"elements": {}}}).to_string(),
    );
    sandbox.write("other.json", "{}");
    sandbox.write("broken.json", "{");
    sandbox.write("broken.yml", "groups: [{name: x, rules: [{alert: y}]}]");
    let closed = format!("http://127.0.0.1:{}", crate::support::free_port());
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    let files = ["v2.json", "other.json", "broken.json", "broken.yml", "nowhere.json"];
    let all = [vec!["dashboards", "--prometheus", &closed], files.to_vec()].concat();
    let table: [(&str, &[&str], i32); 6] = [
        ("files_that_are_not_dashboards", &all, 2),
        ("no_prometheus_named", &["dashboards", "good.json"], 2),
        ("missing_run", &["dashboards", "good.json", "--run", "nowhere"], 2),
        ("invalid_time", &["dashboards", "good.json", "--prometheus", &closed, "--from", "yesterday"], 2),
        (
            "end_before_start",
            &["dashboards", "good.json", "--prometheus", &closed, "--from", "200", "--to", "100"],
            2,
        ),
        ("prometheus_refuses_connections", &["dashboards", "good.json", "--prometheus", &closed], 4),
    ];
    for (name, arguments, code) in table {
        let ended = sandbox.run(arguments);
        ended.assert_code(code);
        settings.bind(|| insta::assert_snapshot!(name, ended.err));
    }
}
