//! Are the service's duration histograms sane, and do they stay below what clients saw?
//!
//! Sane: cumulative buckets rise, `+Inf` equals `_count`, which equals the counter of requests, and `_sum` lies between
//! the bounds that the buckets allow. Below: where the server's clock stops before the last byte is sent, a server's
//! duration never exceeds `done − sent` of the same request, so that for every bound `b` at least as many requests took
//! at most `b` for the server as did for the client.

use std::collections::BTreeMap;

use super::{
    agreement::usable,
    ledger::{Ledger, Seen, Views},
    replicas::{Settled, Unsettled},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::{
    observe::{
        exposition::{Labels, show_labels},
        quantile::{Bucket, bound},
        snapshot::ContractView,
    },
    record::manifest::Replica,
    scenario::MetricsContract,
};

/// A histogram of one label set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Buckets by bound, as the text has them.
    pub buckets: Vec<Bucket>,
    /// `_sum`.
    pub sum: Option<f64>,
    /// `_count`.
    pub count: Option<f64>,
}

/// The histograms of one name, by their labels without `le`.
pub fn histograms(view: &ContractView, name: &str) -> BTreeMap<Labels, Histogram> {
    let mut found: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for (labels, value) in view.named(&format!("{name}_bucket")) {
        let mut labels = labels.clone();
        let upper = match labels.remove("le").as_deref() {
            Some("+Inf" | "Inf") => f64::INFINITY,
            Some(text) => text.parse().unwrap_or(f64::NAN),
            None => f64::NAN,
        };
        found.entry(labels).or_default().buckets.push(Bucket { upper, count: value });
    }
    for (labels, value) in view.named(&format!("{name}_sum")) {
        found.entry(labels.clone()).or_default().sum = Some(value);
    }
    for (labels, value) in view.named(&format!("{name}_count")) {
        found.entry(labels.clone()).or_default().count = Some(value);
    }
    for histogram in found.values_mut() {
        histogram.buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    }
    found
}

/// What the histogram gained since `before`, bucket by bucket.
pub fn gained(after: &Histogram, before: Option<&Histogram>) -> Vec<Bucket> {
    let before_at = |upper: f64| {
        let bucket = before.and_then(|before| before.buckets.iter().find(|bucket| bucket.upper == upper));
        bucket.map_or(0.0, |bucket| bucket.count)
    };
    after.buckets.iter().map(|b| Bucket { upper: b.upper, count: b.count - before_at(b.upper) }).collect()
}

/// A duration histogram of the contract: its name, and how the ledger groups requests for it.
#[derive(Debug, Clone, Copy)]
pub struct Metric<'a> {
    /// Base name.
    pub name: &'a str,
    /// Whether it has a tenant label.
    pub per_tenant: bool,
}

/// The duration histograms of a contract.
pub fn metrics(contract: &MetricsContract) -> Vec<Metric<'_>> {
    let of_routes = |name| Metric { name, per_tenant: false };
    let all = contract.duration_all.as_deref().map(of_routes);
    let tenants = contract.tenant_duration.as_deref().map(|name| Metric { name, per_tenant: true });
    [contract.duration.as_deref().map(of_routes), all, tenants].into_iter().flatten().collect()
}

/// What clients saw of the requests that a histogram's labels stand for. Labels that the histogram lacks (a method, say)
/// group requests together.
pub fn seen_by(contract: &MetricsContract, views: &Views, metric: Metric<'_>, labels: &Labels) -> Seen {
    let cells = if metric.per_tenant { &views.tenants } else { &views.routes };
    let mut sum = Seen::default();
    let Some(key) = contract.key(labels) else { return sum };
    let has = |label: &Option<String>| label.as_ref().is_some_and(|label| labels.contains_key(label));
    for (cell, seen) in cells {
        if (has(&contract.tenant_label) && cell.tenant.as_deref() != Some(&key.tenant))
            || (has(&contract.method_label) && cell.method != key.method)
            || (has(&contract.route_label) && cell.path != key.route)
        {
            continue;
        }
        for (status, count) in &seen.statuses {
            *sum.statuses.entry(*status).or_default() += count;
        }
        sum.unknown += seen.unknown;
        sum.latencies.resize(sum.latencies.len().max(seen.latencies.len()), 0);
        for (total, count) in sum.latencies.iter_mut().zip(&seen.latencies) {
            *total += count;
        }
        sum.latency_sum = sum.latency_sum + seen.latency_sum;
    }
    sum
}

/// Judges the duration histograms of one replica: one verdict a histogram.
pub fn judge(
    contract: &MetricsContract,
    replica: &Replica,
    ledger: &Ledger,
    views: &Views,
    settled: &Result<Settled, Unsettled>,
) -> Vec<Verdict> {
    let judge = |metric: Metric<'_>| {
        let subject = format!("{} of {}", metric.name, replica.name);
        let settled = match usable(Claim::Histograms, &subject, settled) {
            Ok(settled) => settled,
            Err(verdict) => return verdict,
        };
        let found = histograms(&settled.after, metric.name);
        if found.is_empty() {
            let why = format!(
                "there is no series {}_bucket: the service may name it otherwise ([metrics])",
                metric.name
            );
            return Verdict::inconclusive(Claim::Histograms, subject, why);
        }
        let earlier = histograms(&settled.before, metric.name);
        let mut evidence = Vec::new();
        let (mut sane, mut bounds) = (0_u64, 0_u64);
        for (labels, histogram) in &found {
            let name = show_labels(metric.name, labels);
            let problems = insane(contract, settled, metric, labels, histogram);
            sane += u64::from(problems.is_empty());
            for (expected, observed) in problems {
                let finding = Evidence::new(Outcome::Fail, &name, expected, format!("{name}: {observed}"));
                evidence.push(finding.detail(format!("see {}", settled.file)));
            }
            if !contract.clock_stops_before_answer || !settled.restarts.is_empty() {
                continue;
            }
            let seen = seen_by(contract, views, metric, labels);
            for bucket in gained(histogram, earlier.get(labels)) {
                let client = ledger.at_most(&seen, bucket.upper);
                bounds += 1;
                if bucket.count < client as f64 {
                    let observed = format!(
                        "{name}: {} requests took at most {} s for the server, {client} did for the client: the server's \
                         durations are too long",
                        bucket.count,
                        bound(bucket.upper)
                    );
                    let finding = Evidence::new(
                        Outcome::Fail,
                        &name,
                        format!("at least {client} at or below {} s", bound(bucket.upper)),
                        observed,
                    );
                    evidence.push(finding.detail(format!("see {}", settled.file)));
                }
            }
        }
        evidence.push(Evidence::new(
            Outcome::Pass,
            metric.name,
            "sane histograms",
            format!("{sane} of {} are", found.len()),
        ));
        Verdict::from_evidence(Claim::Histograms, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass if bounds == 0 => {
                format!("{} sane; not held against clients' latency", plural(sane))
            }
            Outcome::Pass => format!("{} sane, {bounds} bounds hold against clients' latency", plural(sane)),
            _ => evidence[0].observed.clone(),
        })
    };
    metrics(contract).into_iter().map(judge).collect()
}

fn plural(histograms: u64) -> String {
    format!("{histograms} histogram{}", if histograms == 1 { "" } else { "s" })
}

/// What is wrong with a histogram in itself: what was expected, and what stands there.
fn insane(
    contract: &MetricsContract,
    settled: &Settled,
    metric: Metric<'_>,
    labels: &Labels,
    histogram: &Histogram,
) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let buckets = &histogram.buckets;
    for pair in buckets.windows(2) {
        if pair[1].count < pair[0].count {
            problems.push((
                "buckets that rise".to_owned(),
                format!(
                    "le=\"{}\" has {}, le=\"{}\" only {}",
                    bound(pair[0].upper),
                    pair[0].count,
                    bound(pair[1].upper),
                    pair[1].count
                ),
            ));
        }
    }
    if buckets.iter().any(|bucket| bucket.upper.is_nan() || bucket.count.is_nan() || bucket.count < 0.0) {
        problems.push((
            "bounds and counts that are numbers".to_owned(),
            "a bucket's bound or count is not".to_owned(),
        ));
    }
    let infinite = buckets.last().filter(|last| last.upper == f64::INFINITY).map(|last| last.count);
    let parts = [("+Inf bucket", infinite), ("_count", histogram.count), ("_sum", histogram.sum)];
    let missing: Vec<&str> =
        parts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
    let (Some(infinite), Some(count), Some(sum)) = (infinite, histogram.count, histogram.sum) else {
        let expected = "a +Inf bucket, a _count and a _sum".to_owned();
        problems.push((expected, format!("there is no {}", missing.join(" and no "))));
        return problems;
    };
    if infinite != count {
        problems.push((format!("_count {infinite}, as +Inf"), format!("+Inf is {infinite}, _count {count}")));
    }
    let counted = counted(contract, settled, metric, labels);
    if let Some(counted) = counted.filter(|counted| *counted != count) {
        problems.push((
            format!("_count {counted}, as the counter"),
            format!("the counter is {counted}, _count {count}"),
        ));
    }
    let (least, most) = sum_bounds(buckets);
    // A sum of many floats is rounded at every addition.
    let slack = 1e-9 * (1.0 + sum.abs());
    if !(sum >= least - slack && sum <= most + slack) {
        problems.push((
            format!("a _sum in {least} to {most}"),
            format!("_sum is {sum}, the buckets allow {least} to {most}"),
        ));
    }
    problems
}

/// The requests that the contract's counter has for a histogram's labels; `None` where it has no such labels.
fn counted(
    contract: &MetricsContract,
    settled: &Settled,
    metric: Metric<'_>,
    labels: &Labels,
) -> Option<f64> {
    if contract.duration_all.as_deref() == Some(metric.name) {
        // It counts scrapes too, and the counter's series of those are not in the contract's part.
        return None;
    }
    let name = if metric.per_tenant { contract.tenant_requests.as_deref()? } else { &contract.requests };
    let of_labels = |other: &Labels| labels.iter().all(|(label, value)| other.get(label) == Some(value));
    let mut values = settled.after.named(name).filter(|(other, _)| of_labels(other)).peekable();
    values.peek()?;
    Some(values.map(|(_, value)| value).sum())
}

/// The least and the greatest sum that durations in these buckets can have.
fn sum_bounds(buckets: &[Bucket]) -> (f64, f64) {
    let (mut least, mut most, mut below) = (0.0, 0.0, Bucket { upper: 0.0, count: 0.0 });
    for bucket in buckets {
        let count = bucket.count - below.count;
        if count > 0.0 {
            least += count * below.upper;
            most += count * bucket.upper;
        }
        below = *bucket;
    }
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::sample::{Outcome as SampleOutcome, Sample},
        units::Nanos,
        verify::testing::{Made, sample},
    };

    /// Four answers of 10 ms and one of 700 ms.
    fn samples() -> Vec<Sample> {
        let mut samples: Vec<Sample> =
            (0..5).map(|i| sample(i * 1000, 0, SampleOutcome::Status(200))).collect();
        samples[4].done = samples[4].sent + Nanos::from_millis(700);
        samples
    }

    fn text(buckets: [u32; 4], sum: &str, count: u32) -> String {
        let mut text = "http_requests_total{handler=\"/chat\",method=\"POST\",status=\"200\"} 5\n".to_owned();
        for (le, value) in ["0.1", "0.5", "1", "+Inf"].iter().zip(buckets) {
            text += &format!(
                "http_request_duration_seconds_bucket{{handler=\"/chat\",method=\"POST\",le=\"{le}\"}} {value}\n"
            );
        }
        text += &format!("http_request_duration_seconds_sum{{handler=\"/chat\",method=\"POST\"}} {sum}\n");
        text + &format!("http_request_duration_seconds_count{{handler=\"/chat\",method=\"POST\"}} {count}\n")
    }

    fn verdict(more: &str, text: &str) -> Verdict {
        let mut made = Made::new(more, &samples());
        made.settled("a", text);
        made.verdict(Claim::Histograms, "http_request_duration_seconds of a")
    }

    #[test]
    fn a_sane_histogram_below_its_clients_passes() {
        let verdict = verdict("", &text([4, 4, 5, 5], "0.69", 5));
        assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
        insta::assert_snapshot!(verdict.summary, @"1 histogram sane, 4 bounds hold against clients' latency");
        // Faster than the client is always possible: the network's time is the client's alone.
        assert_eq!(super::tests::verdict("", &text([5, 5, 5, 5], "0.02", 5)).outcome, Outcome::Pass);
    }

    #[test]
    fn every_kind_of_nonsense_is_named() {
        let table = [
            text([4, 3, 5, 5], "0.69", 5),
            text([4, 4, 5, 4], "0.69", 5),
            text([4, 4, 5, 5], "0.69", 6),
            text([4, 4, 5, 5], "9", 5),
            text([4, 4, 5, 5], "0.2", 5),
            text([4, 4, 5, 5], "NaN", 5),
            text([4, 4, 6, 6], "0.69", 6),
            text([3, 4, 5, 5], "0.9", 5),
            text([4, 4, 5, 5], "0.69", 5).replace("le=\"+Inf\"", "le=\"2\""),
        ];
        let mut all = String::new();
        for text in table {
            let verdict = verdict("", &text);
            assert_eq!(verdict.outcome, Outcome::Fail, "{text}\n{verdict:#?}");
            all += &format!("{}\n", verdict.summary);
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_clock_that_stops_after_the_answer_is_not_held_against_clients() {
        let late = "[metrics]\nclock_stops_before_answer = false\n";
        assert_eq!(verdict(late, &text([3, 4, 5, 5], "0.9", 5)).outcome, Outcome::Pass);
    }
}
