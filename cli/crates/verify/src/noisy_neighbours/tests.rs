//! Verdicts about a flood, by hand-made runs: twenty seconds, quiet from 0 to 10 and a flood from 10 to 20.

use super::*;
use crate::testing::Judge as _;
use saasbench_model::scenario::testing::SCENARIO;
use saasbench_record::{
    stall::Stall,
    testing::{TestRun, sample, stall},
};

const TOWN: &str = r#"
version = 1
name = "test"
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[tenant]]
id = "initech"
[[journey]]
name = "chat"
[[journey.step]]
post = "/chat"
status = [200, 429]
[[load]]
rate = "60/s"
duration = "20s"
[noisy_neighbour]
noisy = "acme"
quiet = "0s..10s"
flood = "10s..20s"
"#;

/// One sample of a tenant, due at `millis`, that took `micros` microseconds.
fn took(millis: i64, tenant: TenantIndex, micros: i64, outcome: RequestOutcome) -> Sample {
    let base = sample(millis, 0, outcome);
    Sample { tenant, done: base.sent + Nanos(micros * 1000), ..base }
}

/// Latencies in microseconds, from `base` to six times that, the same mixture everywhere.
fn latency_of(i: i64, base: i64) -> i64 {
    base + base * ((i * 7919) % 100) / 20
}

/// Acme's flood (1/s, then 100/s), and two victims at 20/s each. `micros` gives the duration of a victim's
/// request during the flood; when quiet, they take 2 to 12 ms.
fn run(micros: impl Fn(i64) -> i64) -> Vec<Sample> {
    let ok = RequestOutcome::Status(200);
    let mut samples: Vec<Sample> = (0..10).map(|i| took(i * 1000, 0, 1000, ok)).collect();
    samples.extend((0..1000).map(|i| took(10_000 + i * 10, 0, 1000, ok)));
    for tenant in [1, 2] {
        samples.extend((0..400).map(|i| {
            let millis = i * 50 + tenant as i64;
            took(millis, tenant, if i < 200 { latency_of(i, 2000) } else { micros(i) }, ok)
        }));
    }
    samples
}

fn judged_as(text: String, samples: &[Sample], change: impl FnOnce(&mut TestRun)) -> Verdict {
    let mut made = TestRun::of(text, samples);
    made.manifest.load.as_mut().unwrap().to_ns = Nanos::from_secs(20);
    change(&mut made);
    made.verdict(Claim::NoisyNeighbour, "a flood by acme")
}

fn judged(samples: &[Sample]) -> Verdict {
    judged_as(TOWN.to_owned(), samples, |_| {})
}

fn text(verdict: &Verdict) -> String {
    let mut text = format!("{}: {}\n", verdict.outcome, verdict.summary);
    for finding in &verdict.evidence {
        text += &format!("  {}: {}\n", finding.outcome, finding.observed);
        text += &format!("    expected {}\n", finding.expected);
        finding.details.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    text
}

#[test]
fn a_flood_without_effect_passes() {
    insta::assert_snapshot!("unaffected", text(&judged(&run(|i| latency_of(i, 2000)))));
}

#[test]
fn victims_slowed_by_the_flood_fail() {
    insta::assert_snapshot!("slower", text(&judged(&run(|i| latency_of(i, 2000) + 40_000))));
}

#[test]
fn ratios_of_microseconds_mean_nothing() {
    let mut quick = run(|_| 900);
    for sample in quick.iter_mut().filter(|sample| sample.done < Nanos::from_secs(10)) {
        sample.done = sample.sent + Nanos(100_000);
    }
    let verdict = judged(&quick);
    assert_eq!(verdict.outcome, Outcome::Pass);
    let observed = &verdict.evidence[1].observed;
    assert_eq!(
        observed,
        "globex: p50 at most 800 µs longer (100 µs – 100 µs when quiet, 900 µs – 900 µs in the flood)"
    );
    let strict = format!("{TOWN}grace = \"0s\"\n");
    assert_eq!(judged_as(strict, &quick, |_| {}).outcome, Outcome::Fail);
}

#[test]
fn between_pass_and_fail_it_is_inconclusive() {
    // The quiet p95 is 11 to 12 ms; a bound of 1.5 times that is about 17 ms.
    let verdict = judged(&run(|i| latency_of(i, 2000) * 29 / 20));
    assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
    assert_eq!(
        judged_as(format!("{TOWN}slower = 2\n"), &run(|i| latency_of(i, 2000) * 29 / 20), |_| {}).outcome,
        Outcome::Pass
    );
}

#[test]
fn rejected_failed_and_lost_requests_are_not_goodput() {
    let spoil = |outcome: RequestOutcome| {
        let mut samples = run(|i| latency_of(i, 2000));
        let flooded = samples.iter_mut().filter(|s| s.tenant == 1 && s.intended >= Nanos::from_secs(10));
        flooded.step_by(2).for_each(|sample| sample.outcome = outcome);
        samples
    };
    let rejected = judged(&spoil(RequestOutcome::Status(429)));
    insta::assert_snapshot!("goodput", text(&rejected));
    let lost =
        judged(&spoil(RequestOutcome::NoResponse(saasbench_record::sample::NoResponseReason::Timeout)));
    assert_eq!((lost.outcome, &lost.summary), (Outcome::Fail, &rejected.summary));
    // A dropped arrival may be the generator's fault.
    let dropped = judged(&spoil(RequestOutcome::Dropped));
    assert_eq!(dropped.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(
        dropped.summary,
        @"globex: 100 of 200 arrivals were dropped: the load was not as planned"
    );
}

#[test]
fn a_starved_victim_has_no_latency_and_fails_nevertheless() {
    let mut samples = run(|i| latency_of(i, 2000));
    for sample in samples.iter_mut().filter(|s| s.tenant != 0 && s.intended >= Nanos::from_secs(10)) {
        sample.outcome = RequestOutcome::Status(429);
    }
    let verdict = judged(&samples);
    assert_eq!(verdict.outcome, Outcome::Fail);
    insta::assert_snapshot!(
        verdict.summary,
        @"globex: 0 % – 2 % of the goodput is left (20.0/s when quiet, 0.0/s in the flood)"
    );
}

#[test]
fn lateness_of_the_generator_is_no_failure() {
    let mut late = run(|i| latency_of(i, 2000) + 40_000);
    for sample in late.iter_mut().filter(|s| s.tenant != 0 && s.intended >= Nanos::from_secs(10)) {
        sample.sent = sample.intended + Nanos::from_millis(40);
    }
    let verdict = judged(&late);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    assert!(verdict.summary.ends_with("the generator may be the cause"), "{}", verdict.summary);
}

#[test]
fn stalls_of_the_generator_are_no_failure() {
    let slow = run(|i| latency_of(i, 2000) + 40_000);
    let outcome = |stalls: &[Stall]| {
        judged_as(TOWN.to_owned(), &slow, |made| made.self_monitor.stalls = stalls.to_vec()).outcome
    };
    let stalls: Vec<Stall> = (0..500).map(|i| stall(10_000 + i * 20, 18)).collect();
    assert_eq!(outcome(&stalls), Outcome::Inconclusive);
    // A few stalls do not explain all of it.
    assert_eq!(outcome(&stalls[..10]), Outcome::Fail);
}

#[test]
fn untested_neighbours_are_inconclusive() {
    let calm = |samples: &mut Vec<Sample>| {
        let mut acmes = 0;
        samples.retain(|sample| {
            acmes += i32::from(sample.tenant == 0);
            sample.tenant != 0 || acmes <= 25
        });
    };
    let conforming = || run(|i| latency_of(i, 2000));
    let mut no_flood = conforming();
    calm(&mut no_flood);
    let few: Vec<Sample> = conforming()
        .into_iter()
        .filter(|s| s.tenant == 0 || s.intended.0 % 1_000_000_000 < 300_000_000)
        .collect();
    let interrupted = |made: &mut TestRun| {
        made.manifest.state = State::Interrupted;
        made.manifest.load.as_mut().unwrap().to_ns = Nanos::from_secs(17);
    };
    let cut_off = |made: &mut TestRun| {
        made.manifest.state = State::Running;
        made.manifest.load = None;
    };
    let verdicts = [
        judged(&no_flood),
        judged(&few),
        judged_as(TOWN.to_owned(), &conforming(), interrupted),
        judged_as(TOWN.to_owned(), &conforming(), cut_off),
    ];
    assert!(verdicts.iter().all(|verdict| verdict.outcome == Outcome::Inconclusive), "{verdicts:#?}");
    let summaries: Vec<&str> = verdicts.iter().map(|verdict| verdict.summary.as_str()).collect();
    insta::assert_snapshot!("not_tested", summaries.join("\n"));
}

#[test]
fn a_scenario_without_neighbours_makes_no_claim() {
    let report = TestRun::of(SCENARIO.to_owned(), &[sample(0, 0, RequestOutcome::Status(200))]).judge();
    assert!(report.verdicts.iter().all(|verdict| verdict.claim != Claim::NoisyNeighbour));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    /// Whatever the latency, as long as it is the same in both phases: never a Fail.
    #[test]
    fn the_same_service_in_both_phases_never_fails(
        seed in 1_u64.., median in 10_f64..100_000.0, spread in 0.0_f64..3.0
    ) {
        let mut state = seed;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut samples = run(|_| 0);
        for sample in samples.iter_mut().filter(|sample| sample.tenant != 0) {
            // Heavy-tailed: logarithms are spread by a sum of uniforms.
            let log = (draw() + draw() + draw() - 1.5) * 2.0 * spread;
            sample.done = sample.sent + Nanos((median * log.exp() * 1000.0) as i64);
        }
        proptest::prop_assert_ne!(judged(&samples).outcome, Outcome::Fail);
    }
}
