//! Faults besides the limiter's: wrong headers, tenant leaks, noisy neighbours.

use saasbench_verify::verdict::{Claim, Outcome, Verdict};
use tenancy::Fault;

use crate::{
    limiter_faults::{ALGORITHMS, plan},
    run::Plan,
    service::Trouble,
};

const SEEDS: u64 = 20;

/// The verdict of a claim with a fault (none if the name is empty).
fn judged(mut plan: Plan, fault: &str, claim: Claim) -> Verdict {
    plan.faults = if fault.is_empty() { Vec::new() } else { vec![fault.parse::<Fault>().unwrap()] };
    let report = plan.report();
    let found = report.verdicts.iter().find(|verdict| verdict.claim == claim);
    found.unwrap_or_else(|| panic!("no verdict on {claim} in {:#?}", report.verdicts)).clone()
}

/// Users who honour Retry-After, one per tenant, for thirty seconds: so few requests are admitted that an
/// early retry is always too early.
fn patient(algorithm: &str, seed: u64) -> Plan {
    let plan = plan(algorithm, Vec::new(), 2 + seed * 4);
    let quota = 2 + seed % 2;
    let scenario = plan
        .scenario
        .lines()
        .map(|line| match line {
            line if line.starts_with("rate = ") => {
                "users = 1\nthink_time = \"20ms..100ms\"\nretry = \"retry-after\"".to_owned()
            }
            line if line.starts_with("quota = ") => format!("quota = \"{quota}/5s\""),
            line if line.starts_with("duration = ") => "duration = \"30s\"".to_owned(),
            line => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    let tenants = plan.tenants.replace("2s", "5s").replace("\"quota\": 60", &format!("\"quota\": {quota}"));
    Plan { scenario, tenants, ..plan }
}

#[test]
fn wrong_headers_are_detected_for_every_algorithm() {
    for algorithm in ALGORITHMS {
        for seed in 0..SEEDS {
            let conforming = judged(patient(algorithm, seed), "", Claim::Headers);
            assert_eq!(conforming.outcome, Outcome::Pass, "{algorithm}, seed {seed}: {conforming:#?}");
            for fault in ["remaining-too-high", "retry-after-early"] {
                let verdict = judged(patient(algorithm, seed), fault, Claim::Headers);
                assert_eq!(verdict.outcome, Outcome::Fail, "{fault}, {algorithm}, seed {seed}: {verdict:#?}");
            }
        }
    }
}

fn scenario(text: &str, tenants: &str, seed: u64) -> Plan {
    let scenario = text.replace("[embedded]\ntenants = \"generous.jsonl\"", "");
    Plan { scenario, tenants: tenants.to_owned(), faults: Vec::new(), seed, trouble: Trouble::default() }
}

#[test]
fn tenant_leaks_are_detected() {
    let tenants = r#"{"id": "acme", "reply_style": "reverse", "limits": {"chat_per_10s": 8}}
{"id": "globex", "reply_style": "upper", "limits": {"chat_per_10s": 4}}
{"id": "initech", "limits": {"chat_per_10s": 6}}
"#;
    for seed in 0..SEEDS {
        let plan = || scenario(include_str!("../../../scenarios/isolation.toml"), tenants, seed);
        let conforming = judged(plan(), "", Claim::Isolation);
        assert_eq!(conforming.outcome, Outcome::Pass, "seed {seed}: {conforming:#?}");
        for fault in ["session-crosses-tenants", "reply-leaks=5"] {
            let verdict = judged(plan(), fault, Claim::Isolation);
            assert_eq!(verdict.outcome, Outcome::Fail, "{fault}, seed {seed}: {verdict:#?}");
        }
    }
}

#[test]
fn a_noisy_neighbour_is_detected() {
    let tenants = include_str!("../../../scenarios/generous.jsonl");
    for seed in 0..3 {
        let plan = || scenario(include_str!("../../../scenarios/neighbours.toml"), tenants, seed);
        let conforming = judged(plan(), "", Claim::NoisyNeighbour);
        assert_eq!(conforming.outcome, Outcome::Pass, "seed {seed}: {conforming:#?}");
        let verdict = judged(plan(), "noisy-neighbour=3ms", Claim::NoisyNeighbour);
        assert_eq!(verdict.outcome, Outcome::Fail, "seed {seed}: {verdict:#?}");
    }
}
