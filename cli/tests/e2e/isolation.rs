//! Tenant isolation: the shipped scenario, shortened, against a conforming service and against injected
//! faults.

use crate::support::{Ended, Report, Sandbox, change};

/// Quotas that are never reached.
const GENEROUS: &str = r#"{"id": "acme", "reply_style": "reverse", "limits": {"chat_per_1s": 10000}}
{"id": "globex", "reply_style": "upper", "limits": {"chat_per_1s": 10000}}
{"id": "initech", "limits": {"chat_per_1s": 10000}}
"#;

fn judged(arguments: &[&str]) -> (Ended, Report) {
    let shipped = include_str!("../../../scenarios/isolation.toml");
    let text = change(&change(shipped, "500ms..1s", "20ms..50ms"), "\"15s\"", "\"2s\"");
    let (promises, _) = text.split_once("[[limit]]").unwrap();
    let text = format!("{promises}\n[embedded]\ntenants = \"tenants.jsonl\"\n");
    Sandbox::with(&text, GENEROUS).report(arguments)
}

#[test]
fn a_conforming_service_isolates_tenants() {
    let (ended, report) = judged(&[]);
    ended.assert_code(0);
    report.assert_all("isolation", "between tenants", "pass");
    let (_, _, summary) = report.verdicts("isolation")[0];
    assert!(summary.contains("cross-tenant requests were rejected"), "{summary}");
    assert!(summary.contains("canaries returned, each to its own tenant"), "{summary}");
}

#[test]
fn leaking_replies_are_detected() {
    let (ended, report) = judged(&["--fault", "reply-leaks"]);
    ended.assert_code(1);
    report.assert_all("isolation", "between tenants", "fail");
    ended.assert_says(&[" received ", "'s canary: "]);
    report.assert_all("expectation", "", "pass");
}

#[test]
fn cross_tenant_sessions_are_detected() {
    let (ended, report) = judged(&["--fault", "session-crosses-tenants"]);
    ended.assert_code(1);
    report.assert_all("isolation", "between tenants", "fail");
    ended.assert_says(&[" received initech's session (status 200, step foreign session)"]);
}
