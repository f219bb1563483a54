//! Noisy neighbours: the shipped scenario, shortened, against a conforming service and against one whose
//! tenants queue for a single lock.

use crate::support::{Ended, Report, Sandbox, change};

fn judged(arguments: &[&str]) -> (Ended, Report) {
    let mut text = include_str!("../../../scenarios/neighbours.toml").to_owned();
    for (from, to) in [
        ("2s..10s", "500ms..3500ms"),
        ("12s..20s", "4500ms..7500ms"),
        ("\"21s\"", "\"8s\""),
        ("\"11s\"", "\"4s\""),
        ("\"10s\"", "\"4s\""),
        ("80/s", "160/s"),
    ] {
        text = change(&text, from, to);
    }
    let sandbox = Sandbox::with(&text, "");
    sandbox.write("generous.jsonl", include_str!("../../../scenarios/generous.jsonl"));
    sandbox.report(arguments)
}

#[test]
fn a_conforming_service_passes() {
    let (ended, report) = judged(&[]);
    ended.assert_code(0);
    report.assert_all("noisy-neighbour", "a flood by acme", "pass");
}

#[test]
fn a_shared_lock_is_detected() {
    let (ended, report) = judged(&["--fault", "noisy-neighbour"]);
    ended.assert_code(1);
    report.assert_all("noisy-neighbour", "a flood by acme", "fail");
    ended.assert_says(&["times as long", "fairness of"]);
}
