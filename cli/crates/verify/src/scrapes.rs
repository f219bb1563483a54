//! Could the service's metrics be scraped completely, in time, and up to date? Our own scrapes are judged
//! here, Prometheus's in `by_prometheus`.
//!
//! Staleness is proven by the ledger: if two scrapes show the same counts, though a request was sent after
//! the first and got its response well before the second, the exposition is not current.

mod by_prometheus;

pub use self::by_prometheus::by_prometheus;

use super::{
    replicas::{self, NotQuiescent, QuiescentScrapes},
    verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict},
};
use crate::stall_attribution::StallExclusions;
use saasbench_model::{
    scenario::{MetricsContract, Scenario},
    units::Nanos,
};
use saasbench_record::{
    manifest::Replica,
    observations::Scrape,
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
};

/// With fewer scrapes than this, a median says nothing.
const FEW: usize = 3;

/// What the run's samples show about its scrapes.
#[derive(Debug, Default)]
pub struct Scrapes {
    /// Per replica, the spans in which its exposition did not change.
    still: Vec<Vec<Still>>,
    /// Per replica, the first response: before it, the exposition may be empty.
    first: Vec<Option<Nanos>>,
    /// Per step, whether the service counts its requests.
    counted: Vec<bool>,
}

/// Consecutive scrapes with the same exposition.
#[derive(Debug)]
struct Still {
    /// End of the first scrape: requests sent later are not in it.
    from: Nanos,
    /// Requests done earlier must be in the last scrape.
    to: Nanos,
    /// Number of scrapes.
    scrapes: usize,
    /// File of the last scrape.
    file: String,
    /// Responses to requests in between.
    answered: u64,
    /// Sample numbers of the first few.
    first: Vec<u64>,
}

impl Scrapes {
    /// The spans of unchanged expositions of a run, without samples yet.
    pub fn new(run: &RecordedRun) -> Self {
        let Some(contract) = &run.scenario.metrics else { return Self::default() };
        let path = |route: &str| route.split_once(' ').map_or("", |(_, path)| path).to_owned();
        let counted =
            run.scenario.steps.iter().map(|step| !contract.ignore.contains(&path(&step.route))).collect();
        let scrapes = &run.observations.scrapes;
        let still = scrapes.iter().map(|scrapes| still(scrapes, contract)).collect();
        Self { still, first: vec![None; run.manifest.environment.replicas.len()], counted }
    }

    /// Enters a sample.
    pub fn add(&mut self, _: &Scenario, id: u64, sample: &Sample) {
        let is_answered = matches!(sample.outcome, RequestOutcome::Status(_));
        if !is_answered || !self.counted.get(sample.step).is_some_and(|counted| *counted) {
            return;
        }
        if let Some(first) = self.first.get_mut(sample.replica) {
            *first = Some(first.map_or(sample.done, |first| first.min(sample.done)));
        }
        for still in self.still.get_mut(sample.replica).into_iter().flatten() {
            if sample.sent >= still.from && sample.done <= still.to {
                still.answered += 1;
                if still.first.len() < 5 {
                    still.first.push(id);
                }
            }
        }
    }

    /// When a replica had sent its first response.
    pub fn first_answer(&self, replica: usize) -> Option<Nanos> {
        self.first.get(replica).copied().flatten()
    }

    /// Judges our own scrapes of a replica.
    pub fn judge(
        &self,
        contract: &MetricsContract,
        (index, replica): (usize, &Replica),
        scrapes: &[Scrape],
        settled: &Result<QuiescentScrapes, NotQuiescent>,
        exclusions: &StallExclusions,
    ) -> Verdict {
        let subject = format!("{} of {} by scrape", contract.path, replica.name);
        let durations = Durations::of(scrapes, exclusions);
        let several = matches!(settled, Err(NotQuiescent::SeveralProcesses { .. }));
        let stale = self.still.get(index).filter(|_| !several).and_then(|rows| stale(rows));
        let findings = [
            whole(scrapes),
            stale,
            durations.judge(contract.scrape_within),
            unanswered(scrapes, contract, exclusions),
        ];
        let evidence: Vec<Evidence> = findings.into_iter().flatten().collect();
        let pages = scrapes.iter().filter(|scrape| scrape.page.is_some()).count();
        Verdict::from_evidence(Claim::Scrapes, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass if pages < 2 => format!("1 scrape, complete; {}", durations.words()),
            // Without a response, nothing has to change.
            Outcome::Pass if self.first_answer(index).is_none() => {
                format!("{pages} scrapes, complete; not tested whether current; {}", durations.words())
            }
            Outcome::Pass => format!("{pages} scrapes, complete and current; {}", durations.words()),
            _ => evidence[0].observed.clone(),
        })
    }
}

/// Spans of at least two consecutive scrapes with the same exposition that contains the counter of requests.
fn still(scrapes: &[Scrape], contract: &MetricsContract) -> Vec<Still> {
    let pages: Vec<(&Scrape, u64)> = scrapes
        .iter()
        .filter_map(|scrape| Some((scrape, scrape.page.as_ref().filter(|page| page.counts)?.digest)))
        .collect();
    let row = |row: &[(&Scrape, u64)]| match row {
        [(first, _), .., (last, _)] => Some(Still {
            from: first.to,
            // The service may count a request up to `settle` after its response.
            to: last.from - contract.settle,
            scrapes: row.len(),
            file: last.file.clone().unwrap_or_default(),
            answered: 0,
            first: Vec::new(),
        }),
        _ => None,
    };
    pages.chunk_by(|a, b| a.1 == b.1).filter_map(row).collect()
}

/// The stale span that the most requests prove.
fn stale(rows: &[Still]) -> Option<Evidence> {
    let worst = rows.iter().filter(|row| row.answered > 0).max_by_key(|row| row.answered)?;
    let Still { from, to, scrapes, file, answered, first } = worst;
    let observed = format!(
        "the same exposition in {scrapes} scrapes in a row, although {answered} requests completed meanwhile, from {:.1} s to {:.1} s",
        from.as_secs_f64(),
        to.as_secs_f64()
    );
    let expected = "an exposition that is current when scraped";
    let sentence = "the exposition is cached, by a proxy in front of it or because it is written too rarely";
    let mut finding =
        Evidence::new(Outcome::Fail, "freshness", expected, observed).detail(format!("see {file}"));
    finding.samples = first.clone();
    Some(diagnosed(
        finding,
        Diagnosis::new("metrics-stale", serde_json::json!({ "scrapes": scrapes }), sentence),
    ))
}

/// Whether every scrape body is in the format, and complete.
fn whole(scrapes: &[Scrape]) -> Option<Evidence> {
    let read: Vec<_> = scrapes.iter().filter_map(|scrape| Some((scrape, scrape.page.as_ref()?))).collect();
    let flawed: Vec<_> =
        read.iter().filter_map(|(scrape, page)| Some((*scrape, page.flaw.as_ref()?))).collect();
    let expected = "the Prometheus text format, complete";
    if !read.is_empty() && read.iter().all(|(_, page)| page.series == 0 && page.flaw.is_none()) {
        let observed = format!("not tested: none of {} scrapes has a series", read.len());
        return Some(Evidence::new(Outcome::Inconclusive, "text", expected, observed));
    }
    let Some((scrape, flaw)) = flawed.first() else {
        return (!read.is_empty())
            .then(|| Evidence::new(Outcome::Pass, "text", expected, format!("{} scrapes are", read.len())));
    };
    let file = scrape.file.as_deref().unwrap_or_default();
    let observed = format!("{} of {} scrapes are not: {}", flawed.len(), read.len(), flaw.error);
    let finding = Evidence::new(Outcome::Fail, "text", expected, observed).detail(format!("see {file}"));
    if !flawed.iter().all(|(_, flaw)| flaw.at_end) {
        return Some(finding);
    }
    let sentence = "the scrapes end in the middle of their last line: something truncates them";
    Some(diagnosed(finding, Diagnosis::new("metrics-truncated", serde_json::json!({}), sentence)))
}

/// Durations of scrapes, without the generator's stalls.
struct Durations(Vec<Nanos>);

impl Durations {
    fn of(scrapes: &[Scrape], exclusions: &StallExclusions) -> Self {
        // A rejected connection takes no time and yields no body; after the last good scrape, the service may
        // be gone.
        let answered = scrapes.iter().rposition(|scrape| scrape.text.is_ok()).map_or(0, |last| last + 1);
        let took = scrapes[..answered].iter().filter(|scrape| scrape.text.is_ok() || !is_rejected(scrape));
        let mut durations: Vec<Nanos> = took.map(|scrape| exclusions.clear(scrape.from, scrape.to)).collect();
        durations.sort();
        Self(durations)
    }

    fn median(&self) -> Option<Nanos> {
        self.0.get(self.0.len() / 2).copied()
    }

    fn words(&self) -> String {
        match (self.median(), self.0.last()) {
            (Some(median), Some(longest)) => format!("median {median}, longest {longest}"),
            _ => "no scrape got a response".to_owned(),
        }
    }

    fn judge(&self, within: Nanos) -> Option<Evidence> {
        let median = self.median()?;
        let slow = self.0.iter().filter(|duration| **duration > within).count();
        let expected = format!("at most {within}, most of the time");
        if median <= within || self.0.len() < FEW {
            return Some(Evidence::new(Outcome::Pass, "duration", expected, self.words()));
        }
        let observed =
            format!("{slow} of {} scrapes took longer than {within}: {}", self.0.len(), self.words());
        let finding = Evidence::new(Outcome::Fail, "duration", expected, observed);
        Some(diagnosed(finding, slow_page(median)))
    }
}

fn slow_page(median: Nanos) -> Diagnosis {
    let sentence = format!(
        "the endpoint itself takes {median}: Prometheus gives up after its scrape_timeout and discards such a scrape"
    );
    Diagnosis::new("scrape-slow", serde_json::json!({ "median_s": median.as_secs_f64() }), sentence)
}

/// Whether a failed scrape ended sooner than a slow service would explain.
fn is_rejected(scrape: &Scrape) -> bool {
    scrape.to - scrape.from < Nanos::from_secs(1)
}

/// Failed scrapes. Those during a restart are reported; what any other would have shown is unknown.
fn unanswered(
    scrapes: &[Scrape],
    contract: &MetricsContract,
    exclusions: &StallExclusions,
) -> Option<Evidence> {
    let failed: Vec<_> = scrapes.iter().filter_map(|s| Some((s, s.text.as_ref().err()?))).collect();
    let (first, error) = failed.first()?;
    let restarts = replicas::restarts(scrapes, contract);
    let is_explained = |scrape: &Scrape| {
        let (from, to) = (scrape.from, scrape.to);
        let restarted = restarts.iter().any(|(begin, end)| from < *end && *begin < to);
        restarted || exclusions.clear(from, to) < to - from
    };
    let expected = "a response to every scrape";
    let observed = format!(
        "{} of {} scrapes got no response: {error}, at {:.1} s",
        failed.len(),
        scrapes.len(),
        first.from.as_secs_f64()
    );
    Some(if failed.iter().all(|(scrape, _)| is_explained(scrape)) {
        Evidence::new(Outcome::Pass, "responses", expected, observed)
            .detail("the replica was restarted then, or the generator itself stalled")
    } else {
        Evidence::new(Outcome::Inconclusive, "responses", expected, observed)
    })
}

/// Attaches a diagnosis to a finding.
fn diagnosed(finding: Evidence, diagnosis: Diagnosis) -> Evidence {
    let mut finding = finding;
    finding.details.insert(0, format!("diagnosis: {}", diagnosis.sentence));
    finding.diagnosis = Some(diagnosis);
    finding
}

#[cfg(test)]
mod tests;
