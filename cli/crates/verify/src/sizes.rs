//! Do the service's size metrics agree with the bytes that clients sent and received? Compares counts and
//! sums of request and response bodies, by whatever labels the metrics have.
//!
//! A service may leave the body of a rejected request unread, so only requests with a 2xx response must have
//! been counted, and at most what was sent can have been. Of responses exactly all bytes must have been
//! counted; but a body that is not sent (HEAD, 204, 304) or may be compressed can have any size, and so can a
//! response that never arrived.

use super::{
    histograms::{fitting, status_fits},
    ledger::{Answered, Cell, Seen, Views},
    replicas::{NotQuiescent, QuiescentScrapes},
    series::{Group, groups},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::counters::Assumptions;
use saasbench_exposition::{Labels, show_labels};
use saasbench_model::scenario::{MetricsContract, Scenario, template::Part};
use saasbench_record::manifest::Replica;

/// A size metric of the contract.
#[derive(Debug, Clone, Copy)]
struct Metric<'a> {
    name: &'a str,
    /// Its key in the contract.
    key: &'static str,
    /// Whether it counts responses.
    responses: bool,
}

/// A replica, what clients saw of it, and its counters before and after the load.
pub type ReplicaView<'a> = (&'a Replica, &'a Views, &'a Result<QuiescentScrapes, NotQuiescent>);

/// Judges the size metrics of all replicas: one verdict per metric.
pub fn judge(scenario: &Scenario, replicas: &[ReplicaView<'_>], assumptions: Assumptions) -> Vec<Verdict> {
    let Some(contract) = &scenario.metrics else { return Vec::new() };
    let metric = |name: &'_ Option<String>, key, responses| {
        let name = name.as_deref()?;
        let metric = Metric { name, key, responses };
        let findings =
            replicas.iter().flat_map(|seat| of_replica(scenario, contract, metric, seat, assumptions));
        Some(verdict(metric, findings.collect()))
    };
    let requests = metric(&contract.request_size, "request_size", false);
    let responses = metric(&contract.response_size, "response_size", true);
    requests.into_iter().chain(responses).collect()
}

fn verdict(metric: Metric<'_>, evidence: Vec<Evidence>) -> Verdict {
    Verdict::from_evidence(Claim::Sizes, metric.name, evidence, |outcome, evidence| match outcome {
        Outcome::Pass => {
            let series = if evidence.len() == 1 { "series agrees" } else { "series agree" };
            format!("{} {series} with the bytes that clients {}", evidence.len(), verb(metric))
        }
        _ => evidence[0].observed.clone(),
    })
}

const fn verb(metric: Metric<'_>) -> &'static str {
    if metric.responses { "got" } else { "sent" }
}

/// The findings about one replica, one per label set.
fn of_replica(
    scenario: &Scenario,
    contract: &MetricsContract,
    metric: Metric<'_>,
    (replica, views, settled): &ReplicaView<'_>,
    assumptions: Assumptions,
) -> Vec<Evidence> {
    let doubt = |why: String| {
        let observed = format!("{}: {why}", replica.name);
        Evidence::new(Outcome::Inconclusive, &replica.name, "counts and sums of bodies", observed)
    };
    let settled = match settled {
        Ok(settled) => settled,
        Err(why) => return vec![doubt(why.to_string())],
    };
    let count = format!("{}_count", metric.name);
    let sums = format!("{}_sum", metric.name);
    let restarted = !settled.restarts.is_empty();
    let gain = |name: &str, group: &Group<'_>| {
        let of_one = |labels: &&Labels| {
            let before = if restarted { None } else { settled.before.value(name, labels) };
            Some(settled.after.value(name, labels)? - before.unwrap_or(0.0))
        };
        group.series.iter().map(of_one).sum::<Option<f64>>()
    };
    let findings: Vec<Evidence> = groups(contract, settled.after.named(&count).map(|(labels, _)| labels))
        .into_iter()
        .filter_map(|group| {
            let labels = &group.reported;
            let gains = (gain(&count, &group)?, gain(&sums, &group).unwrap_or(f64::NAN));
            let bounds = Bounds::of(scenario, contract, metric, views, labels);
            let series = format!("{} of {}", show_labels(metric.name, group.shown()), replica.name);
            let alone = assumptions.exclusive && assumptions.complete;
            // Where routes are not distinguished, the metric includes scrapes and health checks.
            let distinguished = contract.route_label.as_ref().is_some_and(|label| labels.contains_key(label));
            let bounds = if distinguished { bounds } else { bounds.without_upper() };
            bounds.finding(metric, series, gains, restarted, alone, &settled.file)
        })
        .collect();
    if findings.is_empty() && !views.routes.is_empty() {
        let why = format!(
            "there is no series {count}: `{} = \"\"` of [metrics] says that there is none",
            metric.key
        );
        return vec![doubt(why)];
    }
    findings
}

/// Bounds of a series' increase.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Requests that must have been counted, and those that can have been.
    counts: (u64, Option<u64>),
    /// Bytes of bodies; no upper bound if the second is `None`.
    bytes: (u64, Option<u64>),
}

impl Bounds {
    fn of(
        scenario: &Scenario,
        contract: &MetricsContract,
        metric: Metric<'_>,
        views: &Views,
        labels: &Labels,
    ) -> Self {
        let mut bounds = Self { counts: (0, Some(0)), bytes: (0, Some(0)) };
        for (cell, seen) in fitting(contract, views, false, labels) {
            let answered = seen.statuses.iter().filter(|(status, _)| status_fits(contract, labels, **status));
            let answered: Vec<(&u16, &Answered)> = answered.collect();
            let count: u64 = answered.iter().map(|(_, answered)| answered.count).sum();
            bounds.counts.0 += count;
            bounds.counts.1 = bounds.counts.1.map(|most| most + count + seen.unknown);
            let (least, most) = if metric.responses {
                let sized = answered.iter().all(|(status, _)| !matches!(status, 204 | 304));
                let known = seen.unknown == 0 && sized && sent_as_it_is(scenario, contract, cell);
                let bytes: u64 = answered.iter().map(|(_, answered)| answered.bytes_in).sum();
                (if known { bytes } else { 0 }, known.then_some(bytes))
            } else {
                request_bytes(seen, &answered)
            };
            bounds.bytes.0 += least;
            bounds.bytes.1 = bounds.bytes.1.zip(most).map(|(sum, most)| sum + most);
        }
        bounds
    }

    fn without_upper(self) -> Self {
        Self { counts: (self.counts.0, None), bytes: (self.bytes.0, None) }
    }

    /// `None` for a series that has nothing to do with the load.
    fn finding(
        self,
        metric: Metric<'_>,
        series: String,
        (count, bytes): (f64, f64),
        restarted: bool,
        alone: bool,
        file: &str,
    ) -> Option<Evidence> {
        let (least, most) = self.counts;
        if most.is_none_or(|most| most == 0) && least == 0 && (count == 0.0 || !alone) {
            return None;
        }
        // Requests without a response need not be counted: this shows nothing of them.
        if least == 0 && count == 0.0 && bytes == 0.0 {
            return None;
        }
        let below = |gain: f64, least: u64| gain.is_nan() || (gain < least as f64 && !restarted);
        let above = |gain: f64, most: Option<u64>| most.is_some_and(|most| gain > most as f64);
        let wrong = if below(count, least) || (alone && above(count, most)) {
            Some(("requests", format!("{count}"), range(least, most)))
        } else if below(bytes, self.bytes.0) || (alone && above(bytes, self.bytes.1)) {
            Some(("bytes", format!("{bytes}"), range(self.bytes.0, self.bytes.1)))
        } else {
            None
        };
        let Some((what, counted, expected)) = wrong else {
            let lost = restarted || (!alone && (above(count, most) || above(bytes, self.bytes.1)));
            let outcome = if lost { Outcome::Inconclusive } else { Outcome::Pass };
            let observed = format!("{series}: {count} requests, {bytes} bytes");
            let why = if restarted { " (the replica was restarted)" } else { " (others' may be among them)" };
            let observed = if lost { observed + why } else { observed };
            let expected =
                format!("{} requests, {} bytes", range(least, most), range(self.bytes.0, self.bytes.1));
            return Some(Evidence::new(outcome, series, expected, observed));
        };
        let observed = format!("{series}: {counted} {what} counted, clients {} {expected}", verb(metric));
        let finding = Evidence::new(Outcome::Fail, series, format!("{expected} {what}"), observed);
        Some(finding.detail(format!("see {file}")))
    }
}

fn range(least: u64, most: Option<u64>) -> String {
    match most {
        Some(most) if most == least => format!("{least}"),
        Some(most) => format!("{least} to {most}"),
        None => format!("at least {least}"),
    }
}

/// Bounds of the body sizes of a cell's requests.
fn request_bytes(seen: &Seen, answered: &[(&u16, &Answered)]) -> (u64, Option<u64>) {
    let all: u64 = answered.iter().map(|(_, answered)| answered.bytes_out).sum();
    let done = answered.iter().filter(|(status, _)| matches!(status, 200..=299));
    (done.map(|(_, answered)| answered.bytes_out).sum(), Some(all + seen.unknown_bytes_out))
}

/// Whether the bodies of a cell's responses arrive as the service wrote them: the requests asked neither for
/// the head alone nor for compression.
fn sent_as_it_is(scenario: &Scenario, contract: &MetricsContract, cell: &Cell) -> bool {
    let plain = |value: &[Part]| matches!(value, [Part::Text(text)] if text == "identity");
    scenario.steps.iter().filter(|step| Cell::of_route(contract, step).as_ref() == Some(cell)).all(|step| {
        step.method != "HEAD"
            && step.headers.iter().all(|(name, value)| name != "accept-encoding" || plain(&value.parts))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Judge as _;
    use saasbench_record::{
        sample::{NoResponseReason, RequestOutcome, Sample},
        testing::{TestRun, sample},
    };

    /// Two responses 200 and a 429, with 100 bytes sent and 30 received each.
    fn three() -> Vec<Sample> {
        let statuses = [200, 200, 429].into_iter().enumerate();
        let sized = |sample: Sample| Sample { bytes_out: 100, bytes_in: 30, ..sample };
        statuses.map(|(i, status)| sized(sample(i as i64 * 100, 0, RequestOutcome::Status(status)))).collect()
    }

    fn judged(
        samples: &[Sample],
        name: &str,
        count: u32,
        sum: u32,
        change: impl FnOnce(&mut TestRun),
    ) -> Verdict {
        let mut made = TestRun::new("", samples);
        made.manifest.environment.replicas.truncate(1);
        let labels = "{handler=\"/chat\"}";
        made.settled("a", &format!("{name}_count{labels} {count}\n{name}_sum{labels} {sum}\n"));
        change(&mut made);
        made.verdict(Claim::Sizes, name)
    }

    const REQUESTS: &str = "http_request_size_bytes";
    const RESPONSES: &str = "http_response_size_bytes";

    #[test]
    fn counts_and_sums_agree_with_the_ledger() {
        use Outcome::{Fail, Pass};
        // The body of the rejected request may have been left unread.
        let table = [
            (REQUESTS, 3, 300, Pass),
            (REQUESTS, 3, 200, Pass),
            (REQUESTS, 3, 199, Fail),
            (REQUESTS, 3, 301, Fail),
            (REQUESTS, 2, 300, Fail),
            (REQUESTS, 4, 300, Fail),
            (RESPONSES, 3, 90, Pass),
            (RESPONSES, 3, 89, Fail),
            (RESPONSES, 3, 91, Fail),
        ];
        let mut all = String::new();
        for (name, count, sum, expected) in table {
            let verdict = judged(&three(), name, count, sum, |_| {});
            assert_eq!(verdict.outcome, expected, "{name} {count} {sum}: {verdict:#?}");
            all += &format!("{}\n", verdict.summary);
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn unknown_sizes_widen_the_bounds() {
        let mut unanswered = three();
        unanswered[2].outcome = RequestOutcome::NoResponse(NoResponseReason::Timeout);
        for (name, count, sum, expected) in [
            (REQUESTS, 2, 200, Outcome::Pass),
            (REQUESTS, 3, 300, Outcome::Pass),
            (REQUESTS, 3, 301, Outcome::Fail),
            (RESPONSES, 3, 5000, Outcome::Pass),
        ] {
            let verdict = judged(&unanswered, name, count, sum, |_| {});
            assert_eq!(verdict.outcome, expected, "{name} {count} {sum}: {verdict:#?}");
        }
        let company = |made: &mut TestRun| made.manifest.environment.exclusive = false;
        assert_eq!(judged(&three(), REQUESTS, 9, 900, company).outcome, Outcome::Inconclusive);
        assert_eq!(judged(&three(), REQUESTS, 2, 200, company).outcome, Outcome::Fail);

        let none = TestRun::new("", &three()).settled("a", "up 1\n").verdict(Claim::Sizes, REQUESTS);
        assert_eq!(none.outcome, Outcome::Inconclusive);
    }
}
