//! Are the service's duration histograms consistent, and not above what clients saw?
//!
//! Consistent (`sanity`): cumulative buckets do not decrease, `+Inf` equals `_count`, which equals the
//! counter of requests, and `_sum` lies within the bounds that the buckets allow. Not above: where the
//! server's clock stops before the last byte is sent, a server-side duration never exceeds `done − sent` of
//! the same request. So for every bound `b`, at least as many requests took at most `b` for the server as for
//! the client, and the server's sum does not exceed the clients'.

mod diagnose;
mod sanity;

use std::collections::BTreeMap;

use self::sanity::{CounterSums, inconsistencies};
use super::{
    ledger::{Cell, Ledger, Seen, Views},
    replicas::{NotQuiescent, QuiescentScrapes},
    series::{Group, groups},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::counters::usable;
use saasbench_exposition::{
    Labels,
    quantile::{Bucket, bound},
    show_labels,
};
use saasbench_model::scenario::{DurationUnit, MetricsContract};
use saasbench_record::{contract_view::ContractView, manifest::Replica};

/// A histogram of one label set; bounds and sum in seconds, whatever unit the service uses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Buckets sorted by bound.
    pub buckets: Vec<Bucket>,
    /// `_sum`.
    pub sum: Option<f64>,
    /// `_count`.
    pub count: Option<f64>,
}

impl Histogram {
    /// The increase since `before`.
    pub fn since(&self, before: Option<&Self>) -> Self {
        let earlier = |upper: f64| {
            let bucket = before.and_then(|before| before.buckets.iter().find(|bucket| bucket.upper == upper));
            bucket.map_or(0.0, |bucket| bucket.count)
        };
        let gain = |after: Option<f64>, before: Option<f64>| Some(after? - before.unwrap_or(0.0));
        let gained = |b: &Bucket| Bucket { upper: b.upper, count: b.count - earlier(b.upper) };
        Self {
            buckets: self.buckets.iter().map(gained).collect(),
            sum: gain(self.sum, before.and_then(|before| before.sum)),
            count: gain(self.count, before.and_then(|before| before.count)),
        }
    }

    /// Adds several up, for the bounds that all of them have; a part that one lacks is left out.
    pub fn together(all: impl IntoIterator<Item = Self>) -> Self {
        let add = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        let both = |one: Self, other: Self| {
            let same = |b: &Bucket| other.buckets.iter().find(|bucket| bucket.upper == b.upper);
            let bucket = |b: &Bucket| Some(Bucket { upper: b.upper, count: b.count + same(b)?.count });
            Self {
                buckets: one.buckets.iter().filter_map(bucket).collect(),
                sum: add(one.sum, other.sum),
                count: add(one.count, other.count),
            }
        };
        all.into_iter().reduce(both).unwrap_or_default()
    }

    /// Count of the `+Inf` bucket, if it exists.
    pub fn infinite(&self) -> Option<f64> {
        self.buckets.last().filter(|last| last.upper == f64::INFINITY).map(|last| last.count)
    }
}

/// The histograms of a metric, by their labels without `le`.
pub fn histograms(view: &ContractView, metric: Metric<'_>) -> BTreeMap<Labels, Histogram> {
    let name = metric.name;
    // Divided, not multiplied by 0.001, which is not exact: 5 ms must give 0.005 s.
    let seconds = |value: f64| match metric.unit {
        DurationUnit::Seconds => value,
        DurationUnit::Milliseconds => value / 1000.0,
    };
    let mut found: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for (labels, value) in view.named(&format!("{name}_bucket")) {
        let mut labels = labels.clone();
        let upper = match labels.remove("le").as_deref() {
            Some("+Inf" | "Inf") => f64::INFINITY,
            Some(text) => seconds(text.parse().unwrap_or(f64::NAN)),
            None => f64::NAN,
        };
        found.entry(labels).or_default().buckets.push(Bucket { upper, count: value });
    }
    for (labels, value) in view.named(&format!("{name}_sum")) {
        found.entry(labels.clone()).or_default().sum = Some(seconds(value));
    }
    for (labels, value) in view.named(&format!("{name}_count")) {
        found.entry(labels.clone()).or_default().count = Some(value);
    }
    for histogram in found.values_mut() {
        histogram.buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    }
    found
}

/// A duration histogram of the contract, and how it groups the ledger's requests.
#[derive(Debug, Clone, Copy)]
pub struct Metric<'a> {
    /// Base name.
    pub name: &'a str,
    /// Whether it has a tenant label.
    pub per_tenant: bool,
    /// Unit of its durations.
    pub unit: DurationUnit,
}

/// The duration histograms of a contract.
pub fn metrics(contract: &MetricsContract) -> Vec<Metric<'_>> {
    let unit = contract.duration_unit;
    let of_routes = |name| Metric { name, per_tenant: false, unit };
    let all = contract.duration_all.as_deref().map(of_routes);
    let tenants = contract.tenant_duration.as_deref().map(|name| Metric { name, per_tenant: true, unit });
    [contract.duration.as_deref().map(of_routes), all, tenants].into_iter().flatten().collect()
}

/// What clients saw of the requests that a series' labels select, in series per tenant or without tenants. If
/// the series lacks a label (method, status), its requests are grouped together.
pub fn seen_by(contract: &MetricsContract, views: &Views, per_tenant: bool, labels: &Labels) -> Seen {
    let mut sum = Seen::default();
    for (_, seen) in fitting(contract, views, per_tenant, labels) {
        sum.add(seen, |status| status_fits(contract, labels, status));
    }
    sum
}

/// The ledger's cells that a series' labels select, regardless of status.
pub fn fitting<'v>(
    contract: &MetricsContract,
    views: &'v Views,
    per_tenant: bool,
    labels: &Labels,
) -> impl Iterator<Item = (&'v Cell, &'v Seen)> {
    let cells = if per_tenant { &views.tenants } else { &views.routes };
    let key = contract.key(labels);
    let has = |label: &Option<String>| label.as_ref().is_some_and(|label| labels.contains_key(label));
    let reported = [&contract.tenant_label, &contract.method_label, &contract.route_label].map(has);
    // Cells are sorted by tenant.
    let tenant = key.as_ref().filter(|_| reported[0]).map(|key| key.tenant.clone());
    let first = Cell { tenant: tenant.clone(), ..Cell::default() };
    let of_tenant =
        cells.range(first..).take_while(move |(cell, _)| tenant.is_none() || cell.tenant == tenant);
    of_tenant.filter(move |(cell, _)| {
        key.as_ref().is_some_and(|key| {
            (!reported[0] || cell.tenant.as_deref() == Some(&key.tenant))
                && (!reported[1] || cell.method == key.method)
                && (!reported[2] || cell.path == key.route)
        })
    })
}

/// Whether a series' labels select a status.
pub fn status_fits(contract: &MetricsContract, labels: &Labels, status: u16) -> bool {
    let label = contract.status_label.as_ref().and_then(|label| labels.get(label));
    label.is_none_or(|label| label.eq_ignore_ascii_case(&contract.status_of(status)))
}

/// Kinds of problems with a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A bucket counts less than the one below it.
    Falls,
    /// A bound or a count is not a number.
    NoNumber,
    /// A part is missing.
    Missing,
    /// `+Inf` differs from `_count`.
    Infinite,
    /// `_count` differs from the counter.
    Counter,
    /// `_sum` is outside of what the buckets allow.
    Sum,
    /// It counts fewer requests than clients got responses.
    Fewer,
    /// Durations exceed the clients' latencies, by the buckets.
    Long,
    /// Durations exceed the clients' latencies, by the sum.
    LongSum,
}

/// A problem of one label set: what was expected, and what was found.
#[derive(Debug, Clone, PartialEq)]
struct Problem {
    kind: Kind,
    expected: String,
    observed: String,
}

/// A histogram of one label set with everything known about it.
#[derive(Debug)]
struct Case {
    name: String,
    /// Its state after the load.
    whole: Histogram,
    /// Its increase over the run.
    gained: Histogram,
    /// What clients saw.
    seen: Seen,
    problems: Vec<Problem>,
}

/// Judges the duration histograms of one replica: one verdict per histogram.
pub fn judge(
    contract: &MetricsContract,
    replica: &Replica,
    ledger: &Ledger,
    views: &Views,
    settled: &Result<QuiescentScrapes, NotQuiescent>,
) -> Vec<Verdict> {
    let judge = |metric: Metric<'_>| {
        let subject = format!("{} of {}", metric.name, replica.name);
        let settled = match usable(Claim::Histograms, &subject, settled) {
            Ok(settled) => settled,
            Err(verdict) => return verdict,
        };
        let found = histograms(&settled.after, metric);
        if found.is_empty() {
            let why = format!(
                "there is no series {}_bucket: the service may use another name ([metrics])",
                metric.name
            );
            return Verdict::inconclusive(Claim::Histograms, subject, why);
        }
        let earlier = histograms(&settled.before, metric);
        let sums = CounterSums::new(contract, settled, metric);
        let against_clients = contract.clock_stops_before_response && settled.restarts.is_empty();
        let case = |group: Group<'_>| {
            let series = || group.series.iter().filter_map(|labels| Some((*labels, found.get(*labels)?)));
            let inconsistencies = |(labels, whole)| inconsistencies(&sums, labels, whole);
            let gained = |(labels, whole): (&Labels, &Histogram)| whole.since(earlier.get(labels));
            let mut case = Case {
                name: show_labels(metric.name, group.shown()),
                gained: Histogram::together(series().map(gained)),
                seen: seen_by(contract, views, metric.per_tenant, &group.reported),
                problems: series().flat_map(inconsistencies).collect(),
                whole: Histogram::together(series().map(|(_, whole)| whole.clone())),
            };
            if against_clients {
                case.problems.extend(too_long(ledger, metric.unit, &case));
            }
            case
        };
        let cases: Vec<Case> = groups(contract, found.keys()).into_iter().map(case).collect();
        verdict(subject, metric, &cases, against_clients, &settled.file)
    };
    metrics(contract).into_iter().map(judge).collect()
}

/// One verdict for all label sets of a histogram.
fn verdict(
    subject: String,
    metric: Metric<'_>,
    cases: &[Case],
    against_clients: bool,
    file: &str,
) -> Verdict {
    let finding = |case: &Case, problem: &Problem| {
        let observed = format!("{}: {}", case.name, problem.observed);
        Evidence::new(Outcome::Fail, &case.name, &problem.expected, observed).detail(format!("see {file}"))
    };
    let mut evidence: Vec<Evidence> =
        cases.iter().flat_map(|case| case.problems.iter().map(|problem| finding(case, problem))).collect();
    let sane = cases.iter().filter(|case| case.problems.is_empty()).count();
    // Where no client got a response, any histogram agrees.
    let compared = cases.iter().filter(|case| case.seen.total().count > 0);
    let bounds: usize = compared.map(|case| case.gained.buckets.len()).sum();
    let reported = format!("{sane} of {} are", cases.len());
    evidence.push(Evidence::new(Outcome::Pass, metric.name, "consistent histograms", reported));
    let verdict =
        Verdict::from_evidence(Claim::Histograms, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass if !against_clients || bounds == 0 => {
                format!("{} consistent; not compared with clients' latency", plural(sane))
            }
            Outcome::Pass => {
                format!("{} consistent, {bounds} bounds agree with clients' latency", plural(sane))
            }
            _ => evidence[0].observed.clone(),
        });
    verdict.explained(diagnose::diagnose(cases))
}

fn plural(histograms: usize) -> String {
    format!("{histograms} histogram{}", if histograms == 1 { "" } else { "s" })
}

/// Problems where a histogram counts fewer requests than clients got responses, or shows longer durations
/// than clients saw. Of several violated bounds only the first is reported.
fn too_long(ledger: &Ledger, unit: DurationUnit, case: &Case) -> Vec<Problem> {
    let total = case.seen.total();
    let mut problems = Vec::new();
    // Requests that it does not count at all are reported once, not again at each bound.
    let counted = case.gained.infinite().unwrap_or(total.count as f64);
    let lost = (total.count as f64 - counted).max(0.0);
    if lost > 0.0 {
        problems.push(Problem {
            kind: Kind::Fewer,
            expected: format!("{} requests", total.count),
            observed: format!("{counted} requests counted, {} seen by clients", total.count),
        });
    }
    let broken = |bucket: &&Bucket| bucket.count + lost < ledger.at_most(&total, bucket.upper) as f64;
    if let Some(bucket) = case.gained.buckets.iter().find(broken) {
        let (client, upper) = (ledger.at_most(&total, bucket.upper), bound(bucket.upper));
        problems.push(Problem {
            kind: Kind::Long,
            expected: format!("at least {client} at or below {upper} s"),
            observed: format!(
                "{} requests took at most {upper} s for the server, {client} did for the client: the server's durations are \
                 too long",
                bucket.count
            ),
        });
    }
    // Only if it counts exactly these requests. Its clock may run faster than ours by the drift, one that
    // counts milliseconds may round each duration up, and every float addition is rounded.
    let sum = case.gained.sum.filter(|_| counted == total.count as f64 && case.seen.unknown == 0);
    let rounding = if unit == DurationUnit::Milliseconds { 1e-3 * total.count as f64 } else { 0.0 };
    let most = ledger.longest(total.latency_sum) + rounding;
    if let Some(sum) = sum.filter(|sum| *sum > most + 1e-6 * (1.0 + most)) {
        let clients = total.latency_sum;
        problems.push(Problem {
            kind: Kind::LongSum,
            expected: format!("a _sum of at most {clients}, as clients saw"),
            observed: format!("its requests took {sum} s for the server, and {clients} for their clients"),
        });
    }
    problems
}

#[cfg(test)]
mod tests;
