//! New runs with arrivals that were dropped because all users were waiting for the service.

use super::*;
use saasbench_record::sample::NoResponseReason;

/// The same run, but of each `step` arrivals in a row only the first found a user.
fn one_of(step: usize, mut samples: Vec<Sample>) -> Vec<Sample> {
    for (i, sample) in samples.iter_mut().enumerate() {
        if i % step > 0 {
            sample.outcome = RequestOutcome::Dropped;
        }
    }
    samples
}

#[test]
fn a_large_regression_is_reported_despite_drops() {
    for (times, step) in [(10, 2), (10, 5), (30, 20)] {
        let new = TestRun::new("", &one_of(step, samples(|i| times * usual(i))));
        let comparison = against(&made(usual), &new);
        assert_eq!(comparison.outcome, Outcome::Fail, "{times}, {step}: {comparison:#?}");
    }
    // With half of the arrivals dropped, the median of all that were due is unknown; the p90 is ten times as
    // long in any case.
    let new = TestRun::new("", &one_of(2, samples(|i| 10 * usual(i))));
    let comparison = against(&made(usual), &new);
    assert_eq!(
        (changes(&comparison, "p50"), changes(&comparison, "p90")),
        (Change::Inconclusive, Change::Regressed)
    );
    let p90 = &comparison.rows[0].quantities[1];
    // At best it is the p80 of what was sent: 180 ms instead of 19.
    assert!(p90.low.unwrap() < 8.45 && 9.0 < p90.high.unwrap(), "{p90:?}");
    assert_eq!(
        changes(&comparison, "served"),
        Change::Inconclusive,
        "those that were dropped may all have been served"
    );
    let why = comparison.waiting.join("\n").replace(&new.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(why, @"DIR: 1000 of 2000 arrivals were dropped");
    assert!(comparison.generator.is_empty());
}

#[test]
fn a_service_that_hangs_fails() {
    let mut hung = samples(usual);
    for (i, sample) in hung.iter_mut().enumerate() {
        // Twenty users wait for responses that never arrive, and all other arrivals are dropped.
        sample.outcome = if i < 20 {
            RequestOutcome::NoResponse(NoResponseReason::Timeout)
        } else {
            RequestOutcome::Dropped
        };
    }
    let comparison = against(&made(usual), &TestRun::new("", &hung));
    assert_eq!(
        (changes(&comparison, "errors"), changes(&comparison, "served"), comparison.outcome),
        (Change::Regressed, Change::Regressed, Outcome::Fail),
        "{comparison:#?}"
    );
}

#[test]
fn a_regression_that_dropped_arrivals_could_undo_is_inconclusive() {
    // A third longer, and a twentieth dropped: the median is longer in any case, but the rate of responses
    // may be unchanged.
    let new = one_of_twenty_dropped(samples(|i| usual(i) * 13 / 10));
    let comparison = against(&made(usual), &TestRun::new("", &new));
    assert_eq!(
        (changes(&comparison, "p50"), changes(&comparison, "served")),
        (Change::Regressed, Change::Inconclusive)
    );
    // By what was sent, nothing got worse; but that is not proven.
    let comparison = against(&made(usual), &TestRun::new("", &one_of_twenty_dropped(samples(usual))));
    assert!(
        reported(&comparison).iter().all(|(_, change)| *change == Change::Inconclusive),
        "{comparison:#?}"
    );
    assert_eq!(comparison.outcome, Outcome::Inconclusive);
    // A baseline with dropped arrivals proves nothing either way.
    let [base, slow] = [usual as fn(i64) -> i64, |i| 10 * usual(i)]
        .map(|micros| TestRun::new("", &one_of_twenty_dropped(samples(micros))));
    let comparison = against(&base, &slow);
    assert!(
        reported(&comparison).iter().all(|(_, change)| *change == Change::Inconclusive),
        "{comparison:#?}"
    );
    assert_eq!((comparison.waiting.len(), comparison.generator.len()), (2, 0));
}

fn one_of_twenty_dropped(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.iter_mut().step_by(20).for_each(|sample| sample.outcome = RequestOutcome::Dropped);
    samples
}

#[test]
fn a_dropped_arrival_counts_in_favour_of_each_step_that_it_would_have_led_to() {
    let text = SCENARIO.replace("[[load]]", "[[journey.step]]\nget = \"/list\"\n[[load]]");
    let both = |samples: Vec<Sample>| {
        let second = samples.iter().filter(|sample| sample.outcome != RequestOutcome::Dropped);
        let second: Vec<Sample> = second.map(|sample| Sample { step: 1, ..sample.clone() }).collect();
        TestRun::of(text.clone(), &[samples, second].concat())
    };
    // Drops are recorded as the first step of their journey; the second has half as many requests for the
    // same reason.
    let comparison = against(&both(samples(usual)), &both(one_of(2, samples(usual))));
    let row = comparison.rows.iter().find(|row| row.step == "GET /list").unwrap();
    let served = row.quantities.iter().find(|quantity| quantity.name == "served").unwrap();
    assert_eq!((row.new_requests, row.dropped), (1000, 0));
    assert_eq!(served.outcome, Change::Inconclusive, "{comparison:#?}");
}
