//! Handles runs that were paused, slowed down or sped up by hand. Their load was not the scenario's, so
//! claims about the planned load are neither kept nor broken.

use super::verdict::{Claim, Outcome, Verdict};
use saasbench_record::reader::RecordedRun;

/// Appended to claims that depend on the planned load.
const WHY: &str =
    "the load was changed by hand during the run, so it was not the load that this claim is about";

/// Makes claims that depend on the planned load Inconclusive if the load was changed by hand, whether they
/// held or failed.
pub fn withhold(run: &RecordedRun, verdicts: &mut [Verdict]) {
    if run.manifest.pace_changes().next().is_none() {
        return;
    }
    for verdict in verdicts {
        let rests_on_the_plan = matches!(
            verdict.claim,
            Claim::NoisyNeighbour | Claim::Expectation | Claim::Promql | Claim::Alerts
        );
        if rests_on_the_plan && verdict.outcome != Outcome::Inconclusive {
            verdict.outcome = Outcome::Inconclusive;
            verdict.summary = format!("{WHY}: {}", verdict.summary);
            for finding in &mut verdict.evidence {
                finding.outcome = Outcome::Inconclusive;
            }
        }
    }
}

/// What was changed by hand, in one sentence; `None` for a run that kept to its plan.
pub fn note(run: &RecordedRun) -> Option<String> {
    Some(format!("the load was changed by hand: {}", changes(run)?))
}

/// The changes of pace by hand, in order; `None` for a run that kept to its plan.
pub(crate) fn changes(run: &RecordedRun) -> Option<String> {
    let changes = run.manifest.pace_changes();
    let listed: Vec<String> =
        changes.map(|change| format!("{change} at {:.1} s", change.at_ns.as_secs_f64())).collect();
    (!listed.is_empty()).then(|| listed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Judge as _;
    use saasbench_model::{scenario::testing::SCENARIO, units::Nanos};
    use saasbench_record::{
        event::{Event, Pace, PaceChange},
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };

    fn change(at_ns: Nanos, from: Pace, to: Pace) -> Event {
        Event::PaceChanged(PaceChange { at_ns, from, to })
    }

    #[test]
    fn expectations_are_inconclusive_after_manual_load_changes() {
        let samples: Vec<_> = (0..30).map(|i| sample(i * 20, 0, RequestOutcome::Status(200))).collect();
        let more = "[metrics]\nenabled = false\n[[expect]]\nthat = \"rate > 9/s\"\n[[expect]]\nthat = \"p50 < 1s\"\n[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"8/10s\"\n";
        let mut made = TestRun::new(more, &samples);
        let outcome = |made: &TestRun, claim| {
            made.verdict(claim, if claim == Claim::Expectation { "rate >" } else { "" }).outcome
        };
        assert_eq!(outcome(&made, Claim::Expectation), Outcome::Fail);
        let paused = Pace { paused: true, factor: 1.0 };
        made.manifest.events.push(change(Nanos::from_millis(600), Pace::default(), paused));
        made.manifest.events.push(change(Nanos::from_secs(9), paused, Pace::default()));
        assert_eq!(outcome(&made, Claim::Expectation), Outcome::Inconclusive);
        assert_eq!(made.verdict(Claim::Expectation, "p50 <").outcome, Outcome::Inconclusive);
        assert_eq!(outcome(&made, Claim::Limit), Outcome::Fail, "that is broken at any pace");
        let report = made.judge();
        insta::assert_snapshot!(format!(
            "{}\n{}",
            report.notes.join("\n"),
            made.verdict(Claim::Expectation, "rate >").summary
        ));
    }

    #[test]
    fn a_pause_delays_the_end_of_the_warm_up() {
        let samples: Vec<_> = (0..50).map(|i| sample(i * 20, 0, RequestOutcome::Status(200))).collect();
        let text = SCENARIO.replace("name = \"test\"", "name = \"test\"\nwarmup = \"300ms\"");
        let mut made = TestRun::of(format!("{text}[metrics]\nenabled = false\n"), &samples);
        let warm = |made: &TestRun| made.judge().summary.warmup.unwrap().requests;
        let begin = made.manifest.load.unwrap().start_ns;
        let before = warm(&made);
        let paused = Pace { paused: true, factor: 1.0 };
        let at = |millis| begin + Nanos::from_millis(millis);
        made.manifest.events.push(change(at(100), Pace::default(), paused));
        made.manifest.events.push(change(at(400), paused, Pace::default()));
        // 300 ms later: 15 samples more.
        assert_eq!(warm(&made), before + 15);
    }
}
