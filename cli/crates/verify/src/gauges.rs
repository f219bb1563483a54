//! Is the gauge of requests in progress right? It must return to zero after all responses, never be negative,
//! and never exceed what clients had in flight.
//!
//! A request can be in the gauge from `sent` until `settle` after its response, because a server may count
//! later than it responds; without a response, until the service's timeout. So a scrape that lasted from `f`
//! to `t` can show at most the requests with `sent ≤ t` whose time in the gauge did not end before `f`.

use serde_json::json;

use super::{
    replicas::{NotQuiescent, QuiescentScrapes, stood_still},
    verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict},
};
use saasbench_exposition::show_labels;
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    contract_view::ContractView,
    manifest::State,
    observations::Scrape,
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
    scrape::Phase,
};

/// How many requests clients had in flight at each scrape of the replicas.
#[derive(Debug)]
pub struct GaugeCollector {
    settle: Nanos,
    timeout: Nanos,
    replicas: Vec<Scraped>,
}

/// A replica and its scrapes.
#[derive(Debug)]
struct Scraped {
    /// Start and end of the scrapes, in order.
    spans: Vec<(Nanos, Nanos)>,
    /// By how much the number of requests in flight changes from each scrape to the next.
    changes: Vec<i64>,
    /// How many requests got a response.
    answered: u64,
}

impl GaugeCollector {
    /// No requests yet, for the run's scrapes.
    pub fn new(run: &RecordedRun) -> Self {
        let settle = run.scenario.metrics.as_ref().map_or(Nanos::ZERO, |contract| contract.settle);
        let of = |scrapes: &Vec<Scrape>| {
            let spans: Vec<_> = scrapes.iter().map(|scrape| (scrape.from, scrape.to)).collect();
            Scraped { changes: vec![0; spans.len() + 1], spans, answered: 0 }
        };
        let replicas = run.observations.scrapes.iter().map(of).collect();
        Self { settle, timeout: run.scenario.service.timeout, replicas }
    }

    /// Enters a sample; requests that were never sent were never in flight.
    pub fn add(&mut self, sample: &Sample) {
        let until = match sample.outcome {
            RequestOutcome::NotSent(_) | RequestOutcome::Dropped => return,
            RequestOutcome::Status(_) => sample.done,
            RequestOutcome::NoResponse(_) => sample.done.max(sample.sent + self.timeout),
        };
        let Some(Scraped { spans, changes, answered }) = self.replicas.get_mut(sample.replica) else {
            return;
        };
        *answered += u64::from(matches!(sample.outcome, RequestOutcome::Status(_)));
        let first = spans.partition_point(|(_, to)| *to < sample.sent);
        let end = spans.partition_point(|(from, _)| *from <= until + self.settle);
        if first < end {
            changes[first] += 1;
            changes[end] -= 1;
        }
    }

    /// How many requests got a response, over all replicas.
    pub fn answered(&self) -> u64 {
        self.replicas.iter().map(|replica| replica.answered).sum()
    }

    /// The upper bound for the gauge at each scrape of a replica.
    fn most(&self, replica: usize) -> Vec<i64> {
        let changes =
            self.replicas.get(replica).map(|replica| replica.changes.as_slice()).unwrap_or_default();
        let sums = changes.iter().scan(0, |sum, change| {
            *sum += change;
            Some(*sum)
        });
        sums.collect()
    }

    /// Judges the gauge on all replicas: one verdict, or none if the contract names no gauge.
    pub fn judge(
        &self,
        run: &RecordedRun,
        settled: &[Result<QuiescentScrapes, NotQuiescent>],
    ) -> Option<Verdict> {
        let contract = run.scenario.metrics.as_ref()?;
        let name = contract.in_progress.as_deref()?;
        let alone = run.manifest.environment.exclusive && run.manifest.state != State::Running;
        let mut evidence = Vec::new();
        let mut diagnosis = None;
        let (mut looks, mut highest, mut all_answered) = (0, 0.0_f64, 0);
        for (index, replica) in run.manifest.environment.replicas.iter().enumerate() {
            let case = Case { contract, name, replica: &replica.name, alone };
            let scrapes = run.observations.scrapes.get(index).map(Vec::as_slice).unwrap_or_default();
            let read = |scrape: &Scrape| ContractView::parse(scrape.text.as_deref().ok()?, contract).ok();
            let seen: Vec<Reading<'_>> = scrapes
                .iter()
                .zip(self.most(index))
                .filter_map(|(scrape, most)| Some((scrape, read(scrape)?, most)))
                .filter(|(_, view, _)| view.in_progress.is_some())
                .collect();
            looks += seen.len();
            highest = seen.iter().filter_map(|(_, view, _)| view.in_progress).fold(highest, f64::max);
            let answered = self.replicas.get(index).map_or(0, |replica| replica.answered);
            all_answered += answered;
            let rest = settled.get(index).map(|settled| match settled {
                // One of them shows its own requests in progress, another what was counted.
                Err(NotQuiescent::SeveralProcesses { .. }) => case.at_rest(settled),
                Err(_) => case
                    .at_last(scrapes.iter().find_map(read), &seen, answered)
                    .unwrap_or_else(|| case.at_rest(settled)),
                Ok(_) => case.at_rest(settled),
            });
            if rest.as_ref().is_some_and(|rest| rest.outcome == Outcome::Fail) && diagnosis.is_none() {
                diagnosis = stuck(name, &replica.name, &seen, answered);
            }
            evidence.extend(rest);
            evidence.extend(case.on_the_way(&seen));
        }
        if all_answered == 0 && evidence.iter().all(|finding| finding.outcome == Outcome::Pass) {
            let why = "not tested: no request got a response, so none is known to have been in progress";
            return Some(Verdict::inconclusive(Claim::Gauges, name, why));
        }
        let never = if highest > 0.0 { "" } else { ", all of which found it at 0" };
        let verdict = Verdict::from_evidence(
            Claim::Gauges,
            name,
            evidence,
            |outcome, evidence| match outcome {
                Outcome::Pass => {
                    let replicas = evidence.len();
                    let s = if replicas == 1 { "" } else { "s" };
                    format!(
                        "back at 0 on {replicas} replica{s}, and within the requests in flight at {looks} scrapes{never}"
                    )
                }
                _ => evidence[0].observed.clone(),
            },
        );
        Some(verdict.explained(diagnosis))
    }
}

/// A scrape, its metrics, and the upper bound for the gauge.
type Reading<'a> = (&'a Scrape, ContractView, i64);

/// The gauge of one replica.
struct Case<'a> {
    contract: &'a MetricsContract,
    name: &'a str,
    replica: &'a str,
    /// Nothing else sent requests, and the record is complete.
    alone: bool,
}

impl Case<'_> {
    /// Whether the gauge returned to zero.
    fn at_rest(&self, settled: &Result<QuiescentScrapes, NotQuiescent>) -> Evidence {
        let Self { name, replica, .. } = self;
        let expected = "0 after all responses";
        let finding = |outcome, observed: String| Evidence::new(outcome, *replica, expected, observed);
        let settled = match settled {
            Ok(settled) => settled,
            Err(why) => return finding(Outcome::Inconclusive, format!("{replica}: {why}")),
        };
        match settled.after.in_progress {
            None => {
                let hint = "`in_progress = \"\"` of [metrics] says that the service has none";
                finding(Outcome::Inconclusive, format!("{replica}: there is no series {name}")).detail(hint)
            }
            Some(0.0) => finding(Outcome::Pass, format!("{replica}: 0")),
            Some(value) if self.alone => {
                let series: Vec<String> = settled
                    .after
                    .gauges
                    .iter()
                    .filter(|(_, value)| **value != 0.0)
                    .map(|(labels, value)| format!("{} {value}", show_labels(name, labels)))
                    .collect();
                let observed = format!("{replica}: {name} is {value} after all responses");
                finding(Outcome::Fail, observed)
                    .detail(series.join(", "))
                    .detail(format!("see {}", settled.file))
            }
            Some(value) => {
                let observed = format!("{replica}: {name} is {value}, which may be other clients' requests");
                finding(Outcome::Inconclusive, observed)
            }
        }
    }

    /// A finding if the last scrape shows more than can be in progress: requests without a response, and
    /// those answered but not counted since `before`, the first scrape.
    fn at_last(&self, before: Option<ContractView>, seen: &[Reading<'_>], answered: u64) -> Option<Evidence> {
        let Self { name, replica, contract, .. } = self;
        let (scrape, after, unanswered) = seen.last()?;
        let total = |view: &ContractView| view.named(&contract.requests).map(|(_, value)| value).sum::<f64>();
        let uncounted = (answered as f64 - (total(after) - total(&before?))).max(0.0);
        let (value, most) = (after.in_progress?, *unanswered as f64 + uncounted);
        let after_load =
            seen.iter().map(|(scrape, ..)| *scrape).filter(|scrape| scrape.phase == Phase::After);
        if !self.alone || value <= most || !stood_still(after_load, contract) {
            return None;
        }
        let observed = format!("{replica}: {name} is {value} when {most} can be in progress at most");
        let finding = Evidence::new(Outcome::Fail, *replica, format!("at most {most}"), observed);
        Some(finding.detail(format!("see {}", scrape.file.as_deref().unwrap_or_default())))
    }

    /// Findings for the first negative value, and the first value above what was in flight.
    fn on_the_way(&self, seen: &[Reading<'_>]) -> Vec<Evidence> {
        let Self { name, replica, .. } = self;
        let finding = |scrape: &Scrape, expected: String, observed: String| {
            let file = scrape.file.as_deref().unwrap_or_default();
            Evidence::new(Outcome::Fail, *replica, expected, observed).detail(format!("see {file}"))
        };
        let mut evidence = Vec::new();
        let below = seen.iter().find_map(|(scrape, view, _)| {
            let negative = view.gauges.iter().find(|(_, value)| **value < 0.0 || value.is_nan());
            Some((scrape, negative?))
        });
        if let Some((scrape, (labels, value))) = below {
            let observed = format!("{replica}: {} was {value}", show_labels(name, labels));
            evidence.push(finding(scrape, "never below 0".to_owned(), observed));
        }
        let above =
            |(_, view, most): &&Reading<'_>| view.in_progress.is_some_and(|value| value > *most as f64);
        // Without routes, the gauge includes Prometheus's scrapes and health checks.
        let alone = self.alone && self.contract.route_label.is_some();
        let during = seen.iter().filter(|(scrape, ..)| alone && scrape.phase == Phase::During);
        if let Some((scrape, view, most)) = during.clone().find(above) {
            let value = view.in_progress.unwrap_or_default();
            let at = scrape.from.as_secs_f64();
            let observed = format!(
                "{replica}: {name} was {value} at {at:.1} s, and clients had at most {most} requests in flight"
            );
            let expected =
                format!("at most {most}, in flight or completed in the last {}", self.contract.settle);
            evidence.push(finding(scrape, expected, observed));
        }
        evidence
    }
}

/// Diagnoses requests that enter the gauge and do not all leave it.
fn stuck(name: &str, replica: &str, seen: &[Reading<'_>], answered: u64) -> Option<Diagnosis> {
    let value = seen.last()?.1.in_progress.filter(|value| *value > 0.0)?;
    let each = (answered as f64 / value).round();
    Some(Diagnosis::new(
        "gauge-stuck",
        json!({ "left": value, "one_in": each }),
        format!(
            "completed requests do not always leave {name}: {value} of {answered} are still in it on {replica}, about 1 in \
             {each}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Judge as _;
    use saasbench_record::testing::{TestRun, sample};

    fn page(count: i64, gauge: i64) -> String {
        format!(
            "http_requests_total{{handler=\"/chat\",method=\"POST\",status=\"200\"}} {count}\n\
             http_requests_inprogress{{handler=\"/chat\",method=\"POST\"}} {gauge}\n"
        )
    }

    /// A run with one replica, because nothing is known about the other.
    fn made(samples: &[Sample], gauges: &[(&str, i64)]) -> TestRun {
        let mut made = TestRun::new("", samples);
        made.manifest.environment.replicas.truncate(1);
        for (phase, gauge) in gauges {
            made.scrape("a", phase, &page(if *phase == "before" { 0 } else { 3 }, *gauge));
        }
        if gauges.ends_with(&[("after", 0), ("after", 0)]) {
            made.at_rest();
        }
        made
    }

    fn three() -> Vec<Sample> {
        (0..3).map(|i| sample(i * 1000 + 2500, 0, RequestOutcome::Status(200))).collect()
    }

    fn judged(samples: &[Sample], gauges: &[(&str, i64)]) -> Verdict {
        made(samples, gauges).verdict(Claim::Gauges, "http_requests_inprogress")
    }

    #[test]
    fn a_gauge_returns_to_zero_and_stays_within_the_requests_in_flight() {
        use Outcome::{Fail, Inconclusive, Pass};
        type Gauges<'a> = &'a [(&'a str, i64)];
        let table: [(Gauges, Outcome); 5] = [
            (&[("before", 0), ("during", 1), ("after", 0), ("after", 0)], Pass),
            (&[("before", 0), ("during", 4), ("after", 0), ("after", 0)], Fail),
            (&[("before", 0), ("during", -1), ("after", 0), ("after", 0)], Fail),
            (&[("before", 0), ("after", 2), ("after", 2), ("after", 2), ("after", 2)], Fail),
            // Too early to decide.
            (&[("before", 0), ("after", 2), ("after", 2)], Inconclusive),
        ];
        let mut all = String::new();
        for (gauges, expected) in table {
            let verdict = judged(&three(), gauges);
            assert_eq!(verdict.outcome, expected, "{gauges:?}: {verdict:#?}");
            all += &format!("{}\n", verdict.summary);
            for detail in verdict.evidence.iter().flat_map(|finding| &finding.details) {
                all += &format!("    {detail}\n");
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_stuck_gauge_does_not_keep_the_counters_from_being_judged() {
        let gauges = [("before", 0), ("after", 2), ("after", 2), ("after", 2), ("after", 2)];
        let made = made(&three(), &gauges);
        let counters = made.verdict(Claim::Counters, "http_requests_total of a by scrape");
        assert_ne!(counters.summary, "its metrics kept changing after the load");
        // Requests that were answered may not have been counted yet, because the service is still working on
        // them.
        let mut more = three();
        more.extend([9000, 9001].map(|at| sample(at, 0, RequestOutcome::Status(200))));
        assert_eq!(judged(&more, &gauges).outcome, Outcome::Inconclusive);
        // A request without a response may still be in progress.
        let mut unanswered = three();
        unanswered[2].outcome =
            RequestOutcome::NoResponse(saasbench_record::sample::NoResponseReason::Timeout);
        let stuck = |gauge: i64| {
            let after = ("after", gauge);
            judged(&unanswered, &[("before", 0), after, after, after, after])
        };
        assert_eq!(stuck(1).outcome, Outcome::Inconclusive);
        // But no more than that one.
        let verdict = stuck(2);
        assert_eq!(verdict.outcome, Outcome::Fail);
        assert_eq!(
            verdict.evidence[0].observed,
            "a: http_requests_inprogress is 2 when 1 can be in progress at most"
        );
        assert_eq!(verdict.evidence[0].diagnosis.as_ref().unwrap().hypothesis, "gauge-stuck");
    }

    #[test]
    fn in_a_shared_environment_a_gauge_may_include_others() {
        let mut made = made(&three(), &[("before", 0), ("during", 9), ("after", 2), ("after", 2)]);
        made.manifest.environment.exclusive = false;
        let verdict = made.verdict(Claim::Gauges, "http_requests_inprogress");
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{verdict:#?}");
    }

    proptest! {
        /// Requests are in the gauge at some time between sent and a little after done.
        #[test]
        fn a_conforming_gauge_never_fails(
            requests in prop::collection::vec((0_i64..5000, 1_i64..800, 0_i64..900), 1..40),
            looks in prop::collection::btree_set(0_i64..5000, 1..6),
        ) {
            let samples: Vec<Sample> = requests
                .iter()
                .map(|(sent, length, _)| Sample {
                    done: Nanos::from_millis(sent + length),
                    ..sample(*sent, 0, RequestOutcome::Status(200))
                })
                .collect();
            let gauge = |at: i64| {
                requests.iter().filter(|(sent, length, late)| *sent <= at && at < sent + length + late).count()
            };
            let mut made = TestRun::new("", &samples);
            made.manifest.environment.replicas.truncate(1);
            made.scrape("a", "before", &page(3, 0));
            let mut times = vec![(-10, -9)];
            for at in &looks {
                made.scrape("a", "during", &page(3, gauge(*at) as i64));
                // The exposition was rendered at some instant of the scrape.
                times.push((at - 3, at + 5));
            }
            made.scrape("a", "after", &page(3, 0)).scrape("a", "after", &page(3, 0)).at_rest();
            times.extend([(20_000, 20_001), (21_000, 21_001)]);
            made.stamp_scrapes(&times);
            let verdict = made.verdict(Claim::Gauges, "http_requests_inprogress");
            prop_assert_ne!(verdict.outcome, Outcome::Fail, "{:#?}", verdict);
        }
    }
}
