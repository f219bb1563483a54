//! The embedded environment with a Prometheus of its own: the same claims as with a real one, on a machine
//! with nothing installed.

use crate::support::{Sandbox, TENANTS, short};

/// PromQL claims, one of which the embedded engine does not support.
const QUESTIONS: &str = r#"
[[expect]]
promql = 'sum(increase(http_requests_total{handler="/chat"}[$__run]))'
is     = "> 20"

[[expect]]
promql = 'up{job="api"}'
is     = "== 1"
at     = "every"

[[expect]]
promql = "max_over_time(sum(rate(http_requests_total[2s]))[10s:1s])"
is     = "> 0"
"#;

#[test]
fn promql_is_evaluated_where_it_is_supported() {
    let scenario = short("4s").replace("[embedded]", &format!("{QUESTIONS}\n[embedded]"));
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(3);
    report.assert_all("promql", "increase", "pass");
    report.assert_all("promql", "up{", "pass");
    report.assert_all("promql", "max_over_time", "inconclusive");
    ended.assert_says(&["the embedded Prometheus does not evaluate a subquery"]);
}

#[test]
fn an_embedded_prometheus_is_a_source_like_a_real_one() {
    let sandbox = Sandbox::with(&format!("{}\nprometheus = true\n", short("3s")), TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(0);
    for replica in ["a", "b"] {
        let subject = format!("http_requests_total of {replica} by Prometheus");
        report.assert_all("counters", &subject, "pass");
    }
}

const ALERTS: &str = r#"
[[alert]]
name         = "TenantFlood"
labels       = { tenant = "acme" }
cause        = "0s..20s"
fires_within = "20s"

[[alert]]
name   = "TenantFlood"
labels = { tenant = "globex" }
silent = true

[[alert]]
name   = "TargetDown"
labels = { job = "api" }
silent = true
"#;

/// The rules are those that are shipped: a flood fires after ten seconds of rejections.
#[test]
fn alerts_of_the_shipped_rules_are_judged_without_a_prometheus() {
    let quiet = short("20s").replace("users    = 2", "users    = 1").replace("50ms..150ms", "4s");
    let scenario = quiet.replace("[embedded]", &format!("{ALERTS}\n[embedded]"));
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(0);
    report.assert_all("alerts", "", "pass");
}
