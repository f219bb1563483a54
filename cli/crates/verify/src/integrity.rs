//! Claims that rest on a damaged part of the record are Inconclusive, whatever the rest shows: what is missing
//! may have shown a stall that explains a latency, a restart that explains an admission, or a scrape that
//! contradicts another.

use super::verdict::{Claim, Outcome, Verdict};
use saasbench_record::{
    damage::{Damage, DamageKind, Part},
    manifest::State,
    reader::RecordedRun,
};

/// Makes the verdicts Inconclusive that rest on what is damaged.
pub(super) fn withhold(run: &RecordedRun, verdicts: &mut [Verdict]) {
    if run.damage.is_empty() {
        return;
    }
    for verdict in verdicts {
        let parts = parts(verdict.claim, run.manifest.environment.redis.is_some());
        let lacking: Vec<&Damage> = run.damage.iter().filter(|damage| parts.contains(&damage.part)).collect();
        let Some(first) = lacking.first() else { continue };
        verdict.outcome = Outcome::Inconclusive;
        let more = match lacking.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let state = match first.kind {
            DamageKind::Missing => "is missing",
            DamageKind::Added => "was added",
            _ => "is damaged",
        };
        verdict.summary = format!("not judged: {} of the record {state}{more}", first.file);
        verdict.evidence.clear();
    }
}

/// The worst outcome of all verdicts, but no Pass if something of the run is not in the record: what holds for
/// the rest need not have held for all of it.
pub(super) fn outcome(run: &RecordedRun, verdicts: &[Verdict]) -> Outcome {
    let worst = verdicts.iter().map(|verdict| verdict.outcome).max().unwrap_or(Outcome::Inconclusive);
    let is_whole = run.manifest.state != State::Running && run.damage.is_empty();
    if is_whole { worst } else { worst.max(Outcome::Inconclusive) }
}

/// What is damaged, for readers of the report.
pub(super) fn notes(run: &RecordedRun) -> impl Iterator<Item = String> {
    run.damage.iter().map(|damage| format!("the record is damaged: {damage}"))
}

/// The parts of the record, besides its samples, that a claim rests on.
fn parts(claim: Claim, has_redis: bool) -> &'static [Part] {
    use Part::{Generator, Prometheus, Redis, Scrapes};
    match claim {
        // Where data reached another tenant, the samples show it.
        Claim::Isolation => &[],
        // They show when a limiter may have lost its state.
        Claim::Limit | Claim::Headers if has_redis => &[Redis],
        Claim::Limit | Claim::Headers => &[Scrapes],
        Claim::Expectation | Claim::NoisyNeighbour | Claim::Generator => &[Generator],
        Claim::Cardinality => &[Scrapes],
        Claim::Histograms | Claim::Quantiles | Claim::Sizes | Claim::Gauges => &[Scrapes, Generator],
        Claim::Counters | Claim::Scrapes => &[Scrapes, Prometheus, Generator],
        Claim::Redis => &[Redis, Prometheus],
        Claim::Rules | Claim::Promql => &[Prometheus],
        Claim::Alerts => &[Prometheus, Scrapes, Generator],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::testing::Judge as _;
    use saasbench_record::{
        damage::checksums,
        reader::RecordedRun,
        sample::{RequestOutcome, Sample},
        testing::{TestRun, sample, stall},
    };

    const CLAIMS: &str = "[[expect]]\nthat = \"p99 < 5ms\"\n[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = { acme = \"1/10s\" }\n";

    /// A run in which every response was delayed by a stall, and the limit was broken.
    fn made() -> TestRun {
        let all = |millis| Sample { tenant: 0, ..sample(millis, 0, RequestOutcome::Status(200)) };
        let samples: Vec<Sample> = (0..40).map(all).collect();
        let mut made = TestRun::new(CLAIMS, &samples);
        made.self_monitor.stalls = vec![stall(0, 45)];
        let page = "http_requests_total{handler=\"/chat\",method=\"POST\",status=\"200\"} 40\n";
        made.settled("a", page).settled("b", "up 1\n");
        made.open();
        made.manifest.files = checksums(made.dir.path()).unwrap();
        made
    }

    /// The verdicts after a change of the record, in a line each, and what the report notes.
    fn judged(change: impl FnOnce(&TestRun)) -> String {
        let made = made();
        made.manifest.write(made.dir.path()).unwrap();
        change(&made);
        let report = crate::verify(&RecordedRun::open(made.dir.path()).unwrap()).unwrap();
        let verdicts = report.verdicts.iter().map(|verdict| {
            format!("{} {}: {} ({})\n", verdict.outcome, verdict.claim, verdict.subject, verdict.summary)
        });
        let notes = report.notes.iter().map(|note| format!("note: {note}\n"));
        notes.chain(verdicts).collect::<String>() + &format!("outcome: {}\n", report.outcome)
    }

    #[test]
    fn what_rests_on_a_damaged_file_is_inconclusive_and_the_rest_is_judged() {
        let file = |made: &TestRun, name: &str| made.dir.path().join(name);
        let mut text = String::from("whole\n");
        text += &judged(|_| {});
        text += "\nwithout generator/\n";
        text += &judged(|made| fs::remove_dir_all(file(made, "generator")).unwrap());
        text += "\nwith a changed exposition\n";
        text += &judged(|made| fs::write(file(made, "observations/scrapes/000001-a.prom"), "x 1\n").unwrap());
        text += "\nwith samples of Redis from another run\n";
        text += &judged(|made| fs::write(file(made, "observations/store.jsonl"), "").unwrap());
        insta::assert_snapshot!(text);
        assert_eq!(made().judge().outcome, crate::verdict::Outcome::Fail);
    }
}
