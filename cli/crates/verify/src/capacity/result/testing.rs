//! Hand-made searches.

use super::*;

pub(super) fn step(level: f64, ending: Ending) -> Step {
    Step {
        level,
        run: format!("steps/{level}"),
        ending,
        why: (ending != Ending::Held).then(|| format!("why at {level}")),
        planned_ns: Nanos::from_secs(10),
        cut_short: false,
        requests: 1000,
        responses_per_s: level,
        errors: 0,
        p50: Some(Nanos::from_millis(1)),
        p99: Some(Nanos::from_millis(if ending == Ending::Held { 2 } else { 200 })),
        generator_busy: Some(0.2),
        machine_busy: Some(0.95),
    }
}

/// Five steps at 1,000 that held and five at 1,050 that ended as `ending`, both times `scale`.
pub fn count(replicas: usize, scale: f64, ending: Ending, stopped: Stopped, share: bool) -> Count {
    let steps = (0..5).flat_map(|_| [step(1000.0 * scale, Ending::Held), step(1050.0 * scale, ending)]);
    let is_spoiled = matches!(ending, Ending::Generator | Ending::Unsure);
    let is_lowest = stopped == Stopped::Search(End::BrokenAtLeast);
    let bracket = Bracket {
        held: Some(1000.0 * scale).filter(|_| !is_lowest),
        held_is_sure: !is_lowest,
        broke: Some(1050.0 * scale),
        broke_is_sure: !is_spoiled,
        is_spoiled,
        middle: Some(1025.0 * scale).filter(|_| !is_lowest),
    };
    Count::new(replicas, steps.collect(), bracket, stopped, share, Nanos::from_secs(99))
}

/// The report of these searches, with `--at-least` as given.
pub fn report(counts: Vec<Count>, at_least: Option<f64>) -> CapacityReport {
    let report = CapacityReport {
        version: VERSION,
        scenario: "shop".to_owned(),
        environment: "embedded".to_owned(),
        started_unix_ns: 1_795_000_000_000_000_000,
        directory: "runs/x-shop-capacity".to_owned(),
        by: By::Rate,
        objectives: vec!["p99 < 50ms".to_owned(), "it keeps up".to_owned()],
        precision: 0.05,
        counts,
        scaling: None,
        scaling_note: None,
        at_least,
        at_least_with: None,
        outcome: Outcome::Inconclusive,
        interrupted: false,
        failure: None,
    };
    report.concluded(true)
}
