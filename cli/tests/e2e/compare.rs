//! Runs compared with their baselines.

use std::fs;

use serde_json::Value;

use crate::support::{Calibration, Sandbox, TENANTS, assert_keeps_to_schema, copy, fixture};

const SCENARIO: &str = "version = 1\nname = \"look\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"look\"\n\
    [[journey.step]]\nget = \"/\"\n[[load]]\nrate = \"100/s\"\nduration = \"3s\"\n[metrics]\nenabled = false\n";

/// A run against a service that delays each response by at least `delay`.
fn run(sandbox: &Sandbox, delay: &str, more: &[&str]) -> crate::support::Ended {
    let service = Calibration::start(&["--delay", delay]);
    let url = service.url();
    let words = [&["run", "scenario.toml", "--quiet", "--target", &url][..], more].concat();
    sandbox.run(&words)
}

#[test]
fn a_run_that_is_slower_than_its_baseline_fails() {
    let sandbox = Sandbox::with(SCENARIO, TENANTS);
    run(&sandbox, "10ms", &[]);
    let base = sandbox.only_run();
    let base = base.to_str().unwrap();
    // Responses take twenty times as long, far more than the noise of a machine.
    let ended = run(
        &sandbox,
        "200ms",
        &["--baseline", base, "--json", "-", "--junit", "junit.xml", "--markdown", "summary.md"],
    );
    ended.assert_code(1);
    ended.assert_says(&["regressed", "regression: "]);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["scenario"], "look", "standard output has the report, and nothing else");
    let runs = sandbox.runs();
    let kept = fs::read_to_string(runs[1].join("comparison.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["outcome"], "fail");
    assert_keeps_to_schema("comparison", &kept);
    let written = |name: &str| fs::read_to_string(sandbox.path().join(name)).unwrap();
    let junit = written("junit.xml");
    assert!(
        junit.contains("<testcase name=\"acme, look/GET /: p50\" classname=\"look.compare\">"),
        "{junit}"
    );
    assert!(
        written("summary.md").starts_with("## ❌ look")
            && written("summary.md").contains("### look: compared")
    );

    let new = runs[1].to_str().unwrap();
    let ended = sandbox.run(&["compare", base, new, "--json", "-"]);
    ended.assert_code(1);
    let again: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(again["rows"], kept["rows"], "a comparison comes from the records alone");
    let faster = sandbox.run(&["compare", new, base, "--markdown", "-"]);
    assert!(faster.out.contains("| p50 |") && faster.out.contains("improved"), "{faster:?}");

    sandbox.write("scenario.toml", &SCENARIO.replace("100/s", "50/s"));
    let ended = run(&sandbox, "10ms", &["--baseline", base]);
    ended.assert_code(2);
    ended.assert_says(&["it is a run of another scenario", "take that for the baseline"]);
    assert_eq!(sandbox.runs().len(), 2, "said before the load");
}

#[test]
fn prints_a_comparison_and_its_errors() {
    let sandbox = Sandbox::new();
    let [good, over] = ["good", "over-admission"].map(|name| fixture(name).display().to_string());
    copy(&fixture("good"), &sandbox.path().join("again"));
    let commands: [(&str, &[&str]); 6] = [
        ("comparison", &[&good, "again"]),
        ("comparison_without_a_second_run", &[&good]),
        ("comparison_with_a_missing_run", &[&good, "nowhere"]),
        ("comparison_that_cannot_be_written", &[&good, &over, "--json", "no/such"]),
        ("comparison_with_itself", &["again", "--baseline", "./again"]),
        ("comparison_of_a_run_named_twice", &["again", "again/../again", "--baseline", &good, &good]),
    ];
    for (name, words) in commands {
        let ended = sandbox.run(&[&["compare"][..], words].concat());
        let shown = format!("exit code {:?}\n{}{}", ended.code, ended.out, ended.err);
        let shown = shown.replace(&fixture("").display().to_string(), "FIXTURES/");
        let place = sandbox.path().canonicalize().unwrap();
        let shown = shown.replace(&place.display().to_string(), "SANDBOX");
        let good = fixture("good").canonicalize().unwrap();
        let shown = shown.replace(&good.display().to_string(), "FIXTURES/good");
        insta::assert_snapshot!(name, shown);
    }
}
