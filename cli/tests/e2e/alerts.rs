//! Alerts on a real Prometheus with the shipped rules at shorter intervals: the flood's alert fires, is
//! notified and resolves, and copies of its rule that cannot fire are reported with their defect.

use crate::support::{Alerting, JOURNEY, Redis, Replica, Sandbox, TENANTS, Webhook, broken, group, wait_for};

/// acme floods; globex keeps to its quota.
const LOADS: &str = r#"
[[load]]
tenant   = "acme"
rate     = "60/s"
duration = "8s"

[[load]]
tenant   = "globex"
rate     = "1/s"
duration = "8s"

[[alert]]
name            = "TenantFlood"
labels          = { tenant = "acme" }
cause           = "0s..8s"
fires_within    = "15s"
resolves_within = "20s"

[[alert]]
name   = "TenantFlood"
labels = { tenant = "globex" }
silent = true

[[alert]]
name   = "TargetDown"
silent = true
"#;

/// Alerts that should fire for acme as the shipped one does.
fn expected(names: &[&str]) -> String {
    let alert = |name: &&str| {
        format!(
            "[[alert]]\nname = \"{name}\"\nlabels = {{ tenant = \"acme\" }}\ncause = \"0s..8s\"\nfires_within = \"10s\"\n"
        )
    };
    names.iter().map(alert).collect()
}

#[test]
fn an_alert_is_notified_and_broken_copies_of_its_rule_are_detected() {
    let copies = [
        broken("WrongMetric", &[("tenant_requests_total", "tenant_request_total")]),
        broken("WrongLabel", &[("status=", "code=")]),
        broken("WrongValue", &[("\"429\"", "\"492\"")]),
        broken("WrongGroup", &[("by (tenant)", "by (team)")]),
        broken("OutOfReach", &[("> 0.5", "> 10000")]),
        broken("TooPatient", &[("for: 2s", "for: 5m")]),
        broken(
            "Ambiguous",
            &[(
                "[5s])) > 0.5",
                "[5s])) > 0.5 and tenant_requests_total * tenant_requests_total * on (tenant) up",
            )],
        ),
    ];
    let names =
        ["WrongMetric", "WrongLabel", "WrongValue", "WrongGroup", "OutOfReach", "TooPatient", "Ambiguous"];
    let redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let webhook = Webhook::listen();
    let alerting = Alerting::start(&replicas, &group(&copies), &webhook);
    let scenario = format!("{JOURNEY}{LOADS}{}{}", expected(&names), expected(&["TenantFloods"]));
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (a, b) = (replicas[0].url(), replicas[1].url());
    let (at_prometheus, at_redis) = (alerting.url(), redis.url());
    let place =
        ["--target", &a, "--target", &b, "--prometheus", &at_prometheus, "--redis", &at_redis, "--exclusive"];
    let (ended, report) = sandbox.report(&place);
    ended.assert_code(1);
    report.assert_all("alerts", "TenantFlood{", "pass");
    report.assert_all("alerts", "TargetDown", "pass");
    report.assert_all("counters", "", "pass");
    for name in names.iter().chain(&["TenantFloods"]) {
        report.assert_all("alerts", &format!("{name}{{tenant=\"acme\"}}"), "fail");
    }
    ended.assert_says(&[
        "WrongMetric queries tenant_request_total, which has no series; did you mean `tenant_requests_total`?",
        "WrongLabel queries tenant_requests_total{code=\"429\"}, and no series of tenant_requests_total has the label code",
        "WrongValue queries tenant_requests_total{status=\"492\"}, which has no series; status was 200, 429",
        "WrongGroup fired for {severity=\"warning\"} only: its rule groups by team, which no series of tenant_requests_total has",
        "OutOfReach requires sum by (tenant) (rate(tenant_requests_total{status=\"429\"}[5s])) > 10000; it reached ",
        "the expression of TooPatient held from ",
        "the rule requires it to hold for 300 s",
        "the evaluation of Ambiguous fails: ",
        "Prometheus has no alerting rule TenantFloods; did you mean `TenantFlood`?",
    ]);
    let is_flood = |status: &str| {
        let alerts = webhook.alerts(status);
        alerts.iter().any(|labels| labels["alertname"] == "TenantFlood" && labels["tenant"] == "acme")
    };
    wait_for("the flood's notification", || is_flood("firing"));
    wait_for("the notification that it is over", || is_flood("resolved"));
    assert!(webhook.alerts("firing").iter().all(|labels| labels["tenant"] != "globex"), "{webhook:?}");
}

#[test]
fn without_prometheus_alerts_are_inconclusive() {
    let scenario = format!(
        "{JOURNEY}{}\n[embedded]\ntenants = \"tenants.jsonl\"\nprometheus = false\n",
        LOADS.replace("8s", "2s")
    );
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(3);
    report.assert_all("alerts", "", "inconclusive");
    ended.assert_says(&["the environment embedded has no Prometheus to query"]);
}
