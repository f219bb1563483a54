//! The embedded environment with the embedded Prometheus: the same claims as with a real one, without
//! installing anything.

use crate::support::{Sandbox, TENANTS, short};

/// Expectations in PromQL, and one that the embedded Prometheus does not evaluate.
const EXPECTATIONS: &str = r#"
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

[[expect]]
promql = "sort_by_label(up, 'job')"
is     = "== 1"
"#;

#[test]
fn promql_is_evaluated_or_its_claim_is_inconclusive() {
    let scenario = short("4s").replace("[embedded]", &format!("{EXPECTATIONS}\n[embedded]"));
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(3);
    report.assert_all("promql", "increase", "pass");
    report.assert_all("promql", "up{", "pass");
    report.assert_all("promql", "max_over_time", "pass");
    report.assert_all("promql", "sort_by_label", "inconclusive");
    ended.assert_says(&["the embedded Prometheus does not evaluate the function `sort_by_label`"]);
}

#[test]
fn an_embedded_prometheus_counts_as_an_observer_as_a_real_one_does() {
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

/// The shipped rules: a flood fires after ten seconds of rejections.
#[test]
fn alerts_of_the_shipped_rules_are_judged_without_a_prometheus() {
    let quiet = short("20s").replace("users    = 2", "users    = 1").replace("50ms..150ms", "4s");
    let scenario = quiet.replace("[embedded]", &format!("{ALERTS}\n[embedded]"));
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(0);
    report.assert_all("alerts", "", "pass");
}
