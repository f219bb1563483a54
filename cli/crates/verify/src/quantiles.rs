//! Compares server-side quantiles with clients' latency.
//!
//! `histogram_quantile` interpolates, so a claim is about the bucket that a quantile falls into, never about
//! a point. As no request takes longer for the server than for its client, the server's quantile must not lie
//! in a bucket that starts at or above the client's. By how much clients exceed the server's durations is the
//! `client_overhead`.

use serde_json::json;

use super::{
    generator::Bottleneck,
    histograms::{Histogram, Metric, histograms, metrics, seen_by},
    ledger::{Answered, CLIENT_OVERHEAD, Ledger, Views},
    replicas::{NotQuiescent, QuiescentScrapes},
    series::groups,
    verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict},
};
use crate::client_overhead::BothSides;
use saasbench_exposition::{
    Labels,
    quantile::{BucketBounds, quantile_bucket},
    show_labels,
};
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::manifest::Replica;

/// The quantiles that dashboards usually show.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// The allowed client overhead.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    typically: Nanos,
    /// Whether exceeding it is a failure: the scenario states it, or the replica is on this machine.
    is_promised: bool,
}

impl Allowed {
    fn of(contract: &MetricsContract, replica: &Replica) -> Self {
        let host = replica.url.split_once("://").map_or("", |(_, rest)| rest);
        let is_here = ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local));
        let is_here = is_here || replica.url.starts_with("unix:");
        Self {
            typically: contract.unseen.unwrap_or(CLIENT_OVERHEAD),
            is_promised: contract.unseen.is_some() || is_here,
        }
    }
}

/// How many samples a quantile needs, so that at least ten lie beyond it.
pub fn samples_needed(q: f64) -> u64 {
    // The quotient of two floats can be slightly above the whole number that is meant.
    ((10.0 / (1.0 - q)) - 1e-6).ceil() as u64
}

/// Judges the server-side quantiles of one replica and its client overhead: one verdict per histogram.
///
/// The bucket of a quantile is judged only where the contract says that the server's clock stops before the
/// response; the overhead always. There is no claim where too few requests got a response for any quantile,
/// because nothing was promised about one. (A quantile that a scenario does expect is Inconclusive then.)
pub fn judge(
    contract: &MetricsContract,
    replica: &Replica,
    ledger: &Ledger,
    views: &Views,
    settled: &Result<QuiescentScrapes, NotQuiescent>,
    bottleneck: Option<Bottleneck<'_>>,
) -> Vec<Verdict> {
    let judge = |metric: Metric<'_>| -> Option<Verdict> {
        let subject = format!("{} of {}", metric.name, replica.name);
        let settled = match settled {
            Ok(settled) if settled.restarts.is_empty() => settled,
            Ok(_) => {
                return Some(Verdict::inconclusive(Claim::Quantiles, subject, "the replica was restarted"));
            }
            Err(why) => return Some(Verdict::inconclusive(Claim::Quantiles, subject, why.to_string())),
        };
        let earlier = histograms(&settled.before, metric);
        let later = histograms(&settled.after, metric);
        let allowed = Allowed::of(contract, replica);
        let mut found = Found::default();
        for group in groups(contract, later.keys()) {
            let name = show_labels(metric.name, group.shown());
            let seen = seen_by(contract, views, metric.per_tenant, &group.reported).total();
            let gained = |labels: &&Labels| Some(later.get(*labels)?.since(earlier.get(*labels)));
            let gained = Histogram::together(group.series.iter().filter_map(gained));
            found.add(ledger, (contract, allowed), &name, &seen, &gained, bottleneck);
        }
        found.verdict(subject)
    };
    // The histogram of all durations includes scrapes: its quantiles are not those of the load.
    let of_load = |metric: &Metric<'_>| contract.duration_all.as_deref() != Some(metric.name);
    metrics(contract).into_iter().filter(of_load).filter_map(judge).collect()
}

/// What was found in a histogram's label sets.
#[derive(Debug, Default)]
struct Found {
    evidence: Vec<Evidence>,
    quantiles: usize,
    /// Label sets that do not count the same requests as clients do.
    differing: u64,
    /// Requests of label sets whose overhead was judged, and of those where most tell nothing of it.
    judged: u64,
    untested: u64,
    /// Requests whose overhead is known, and the sum of it.
    requests: u64,
    unseen: Nanos,
    diagnosis: Option<Diagnosis>,
}

impl Found {
    fn add(
        &mut self,
        ledger: &Ledger,
        (contract, allowed): (&MetricsContract, Allowed),
        name: &str,
        seen: &Answered,
        gained: &Histogram,
        bottleneck: Option<Bottleneck<'_>>,
    ) {
        let counted = gained.infinite().unwrap_or(0.0);
        // Quantiles are comparable only where both sides count the same requests.
        if seen.count > 0 && counted != seen.count as f64 {
            self.differing += 1;
        } else if contract.clock_stops_before_response {
            for q in QUANTILES.into_iter().filter(|q| seen.count >= samples_needed(*q)) {
                if let Some(bucket) = quantile_bucket(q, &gained.buckets) {
                    self.evidence.push(finding(ledger, seen, name, q, bucket));
                    self.quantiles += 1;
                }
            }
        }
        let Some(sum) = gained.sum else { return };
        if seen.count < samples_needed(0.5) || counted < seen.count as f64 {
            return;
        }
        let drift = ledger.drift();
        let sides = BothSides { clients: &seen.clear, buckets: &gained.buckets, sum, drift };
        let unseen = seen.latency_sum - Nanos::from_secs_f64(sum);
        if counted == seen.count as f64 {
            self.requests += seen.count;
            self.unseen = self.unseen + unseen;
        }
        let mean = Nanos(unseen.0 / seen.count.max(1) as i64);
        if seen.untested * 2 > seen.count && !sides.exceeds(0.5, allowed.typically.as_secs_f64()) {
            self.untested += seen.count;
            return;
        }
        self.judged += seen.count;
        self.evidence.push(unseen_finding(allowed, name, sides, mean, bottleneck));
        if self.diagnosis.is_none()
            && allowed.is_promised
            && sides.exceeds(0.5, allowed.typically.as_secs_f64())
        {
            self.diagnosis = Some(excludes_wait(name, sides, mean));
        }
    }

    fn verdict(self, subject: String) -> Option<Verdict> {
        let Self { mut evidence, quantiles, differing, judged, untested, requests, unseen, diagnosis } = self;
        let of_starts = format!(
            "{untested} of {} requests came from users that started together, or may have waited for the generator itself",
            untested + judged
        );
        if untested > judged {
            let observed = format!("the client overhead was not tested: {of_starts}");
            let expected = "requests that wait for nothing but the service";
            evidence.push(Evidence::new(Outcome::Inconclusive, UNSEEN.trim(), expected, observed));
        }
        if evidence.is_empty() {
            let why = "no histogram counts the same requests as clients do";
            return (differing > 0).then(|| Verdict::inconclusive(Claim::Quantiles, subject, why));
        }
        let verdict = Verdict::from_evidence(Claim::Quantiles, subject, evidence, |outcome, evidence| {
            let mut unseen = if requests == 0 {
                String::new()
            } else {
                format!("; {} per request of client overhead", Nanos(unseen.0 / requests as i64))
            };
            if untested > 0 {
                unseen += &format!(", which was not tested where {of_starts}");
            }
            match outcome {
                Outcome::Pass => match quantiles {
                    // The contract's clock does not allow it, or other requests are counted, too.
                    0 => format!("no quantile was tested{unseen}"),
                    1 => format!("1 quantile agrees with clients' latency{unseen}"),
                    _ => format!("{quantiles} quantiles agree with clients' latency{unseen}"),
                },
                _ => evidence[0].observed.clone(),
            }
        });
        let waits = verdict.evidence.first().is_some_and(|first| first.subject.ends_with(UNSEEN));
        Some(verdict.explained(diagnosis.filter(|_| waits)))
    }
}

/// Appended to a histogram's name in findings about the client overhead.
const UNSEEN: &str = " client overhead";

/// The client overhead that is proven, and whether it exceeds what the contract allows. A generator that was
/// the bottleneck may itself have delayed reading responses by that much.
fn unseen_finding(
    Allowed { typically: allowed, is_promised }: Allowed,
    name: &str,
    sides: BothSides<'_>,
    mean: Nanos,
    bottleneck: Option<Bottleneck<'_>>,
) -> Evidence {
    let least = |q: f64| Nanos::from_secs_f64(sides.at_least(q));
    let exceeds = |by: Nanos| sides.exceeds(0.5, by.as_secs_f64());
    let outcome = match bottleneck {
        _ if !exceeds(allowed) => Outcome::Pass,
        Some(bottleneck) if !exceeds(allowed + bottleneck.slack) => Outcome::Inconclusive,
        _ if !is_promised => Outcome::Inconclusive,
        _ => Outcome::Fail,
    };
    let observed = match outcome {
        Outcome::Pass => format!(
            "{name}: {mean} a request on average, at least {} at p50, {} at p90",
            least(0.5),
            least(0.9)
        ),
        _ => format!(
            "{name}: half of the requests took their clients at least {} longer than the server's clock shows, {mean} on \
             average",
            least(0.5)
        ),
    };
    let expected =
        format!("typically at most {allowed} more than the server's durations (`client_overhead`)");
    let mut finding = Evidence::new(outcome, format!("{name}{UNSEEN}"), expected, observed);
    if outcome == Outcome::Inconclusive && !is_promised {
        finding =
            finding.detail("how far away the service is, is not declared (`client_overhead` in [metrics])");
    }
    match bottleneck.filter(|_| outcome == Outcome::Inconclusive) {
        Some(bottleneck) => finding.detail(format!("the generator may be the cause: {}", bottleneck.bound)),
        None => finding,
    }
}

fn excludes_wait(name: &str, sides: BothSides<'_>, mean: Nanos) -> Diagnosis {
    let least = Nanos::from_secs_f64(sides.at_least(0.5));
    Diagnosis::new(
        "duration-excludes-wait",
        json!({ "p50_at_least_ns": least, "mean_ns": mean }),
        format!(
            "requests wait before the server's clock starts, or after it has stopped, {mean} on average: a queue before the \
             handler, a proxy, or the network; {name} shows none of it"
        ),
    )
}

/// Whether the client's quantile lies above the lower bound of the server's bucket.
fn finding(ledger: &Ledger, seen: &Answered, name: &str, q: f64, bucket: BucketBounds) -> Evidence {
    let rank = (q * seen.count as f64).ceil().max(1.0) as u64;
    let client_at_lower = if bucket.lower > 0.0 { ledger.at_most(seen, bucket.lower) } else { 0 };
    let outcome = if client_at_lower >= rank { Outcome::Fail } else { Outcome::Pass };
    let label = format!("p{}", q * 100.0);
    let client = ledger.quantile_bucket(seen, rank);
    let observed = match outcome {
        Outcome::Fail => format!(
            "{name}: the server's {label} lies in {bucket}, but {client_at_lower} of {} requests took their client at \
             most {} s",
            seen.count, bucket.lower
        ),
        _ => format!("{name}: the server's {label} lies in {bucket}, the client's in {client}"),
    };
    Evidence::new(
        outcome,
        format!("{name} {label}"),
        format!("a client's {label} above {} s", bucket.lower),
        observed,
    )
    .compared((client.lower, client.upper), (bucket.lower, bucket.upper), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Judge as _;
    use saasbench_record::{
        sample::{RequestOutcome, Sample},
        stall::Stall,
        testing::{TestRun, sample, stall},
    };

    #[test]
    fn ten_samples_lie_beyond_a_quantile() {
        assert_eq!([0.5, 0.9, 0.99, 0.999].map(samples_needed), [20, 100, 1000, 10_000]);
    }

    /// `count` requests of 70 ms, each of which took the server `millis` by its own clock, under the
    /// contract.
    fn judged(more: &str, count: i64, millis: f64, stalls: &[Stall]) -> Verdict {
        let samples: Vec<Sample> = (0..count)
            .map(|i| {
                let sample = sample(i * 100, 0, RequestOutcome::Status(200));
                Sample { done: sample.sent + Nanos::from_millis(70), ..sample }
            })
            .collect();
        let labels = "handler=\"/chat\",method=\"POST\"";
        let name = "http_request_duration_seconds";
        let sum = count as f64 * millis / 1000.0;
        let text = format!(
            "{name}_bucket{{{labels},le=\"0.1\"}} {count}\n{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n\
             {name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}\n"
        );
        let mut made = TestRun::new(more, &samples);
        made.self_monitor.stalls = stalls.to_vec();
        made.settled("a", &text);
        made.verdict(Claim::Quantiles, "http_request_duration_seconds of a")
    }

    #[test]
    fn a_delay_before_the_servers_timer_is_reported() {
        let queued = judged("", 100, 10.0, &[]);
        assert_eq!(queued.outcome, Outcome::Fail, "{queued:#?}");
        let diagnosis = queued.evidence[0].diagnosis.as_ref().unwrap();
        assert_eq!(diagnosis.hypothesis, "duration-excludes-wait");
        let conforming = judged("", 100, 60.0, &[]);
        assert_eq!(conforming.outcome, Outcome::Pass, "{conforming:#?}");
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            queued.summary, diagnosis.sentence, conforming.summary
        ));
        // A clock that stops after the response still does not see the wait before it.
        let late = "[metrics]\nclock_stops_before_response = false\n";
        assert_eq!(judged(late, 100, 10.0, &[]).outcome, Outcome::Fail);
    }

    #[test]
    fn the_generators_own_stalls_do_not_count() {
        let stalls: Vec<Stall> = (0..100).map(|i| stall(i * 100 + 5, 40)).collect();
        assert_eq!(judged("", 100, 10.0, &stalls).outcome, Outcome::Pass);
    }
}
