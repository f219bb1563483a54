//! Compares three sources: the clients' ledger, the replica's own `/metrics`, and Prometheus. If one
//! disagrees, the other two show which one it is.

use super::Gains;
use crate::verdict::{Outcome, Verdict};

/// What one source shows of a counter.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterSource {
    /// The verdict of comparing the source with the ledger.
    pub verdict: Verdict,
    /// The increases; `None` where there is nothing to judge from.
    pub(super) gains: Option<Gains>,
}

/// Compares the replica's own figures for a counter with Prometheus's, and notes in failed verdicts which
/// source disagrees with the other two.
pub fn compare_source(scrape: &mut CounterSource, prometheus: &mut CounterSource) {
    let (Some(by_scrape), Some(by_prometheus)) = (&scrape.gains, &prometheus.gains) else { return };
    let failed = |source: &CounterSource| source.verdict.outcome == Outcome::Fail;
    let (reported, others) = if same(by_scrape, by_prometheus) {
        (
            "the replica's /metrics and Prometheus count the same: only the clients' ledger differs",
            (true, true),
        )
    } else if !failed(scrape) {
        ("only Prometheus differs: the replica's own /metrics agree with the clients' ledger", (false, true))
    } else if !failed(prometheus) {
        ("only the replica's own /metrics differ: Prometheus agrees with the clients' ledger", (true, false))
    } else {
        ("the replica's /metrics, Prometheus and the clients' ledger all differ", (true, true))
    };
    for (source, meant) in [(scrape, others.0), (prometheus, others.1)] {
        let first = source.verdict.evidence.first_mut().filter(|first| first.outcome == Outcome::Fail);
        if let Some(first) = first.filter(|_| meant) {
            first.details.push(format!("sources: {reported}"));
        }
    }
}

/// Whether two sources show the same increases; a series that did not increase may be missing.
fn same(one: &Gains, other: &Gains) -> bool {
    let of = |gains: &Gains, key| gains.get(key).copied().unwrap_or(0.0);
    one.keys().chain(other.keys()).all(|key| of(one, key) == of(other, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::Cell,
        verdict::{Claim, Evidence},
    };

    fn source(outcome: Outcome, count: f64) -> CounterSource {
        let cell = Cell { tenant: None, method: "POST".to_owned(), path: "/chat".to_owned() };
        let evidence = vec![Evidence::new(outcome, "POST /chat 200", "3", "what it counted")];
        let verdict = Verdict::from_evidence(Claim::Counters, "", evidence, |_, _| String::new());
        CounterSource { verdict, gains: Some([((cell, "200".to_owned()), count)].into()) }
    }

    #[test]
    fn disagreement_between_sources_is_reported() {
        use Outcome::{Fail, Pass};
        let mut all = String::new();
        for (mut scrape, mut prometheus) in [
            (source(Fail, 2.0), source(Fail, 2.0)),
            (source(Pass, 3.0), source(Fail, 2.0)),
            (source(Fail, 2.0), source(Pass, 3.0)),
            (source(Fail, 2.0), source(Fail, 4.0)),
            (source(Pass, 3.0), source(Pass, 3.0)),
        ] {
            compare_source(&mut scrape, &mut prometheus);
            let details = |source: &CounterSource| source.verdict.evidence[0].details.join(" ");
            all += &format!("scrape: {}\nprometheus: {}\n\n", details(&scrape), details(&prometheus));
        }
        insta::assert_snapshot!(all);
    }
}
