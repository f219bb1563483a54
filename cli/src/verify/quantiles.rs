//! Server-side quantiles against clients' latency.
//!
//! `histogram_quantile` interpolates, so a claim is about the bucket that a quantile falls in, never about a point. As
//! no request is longer for the server than for its client, the server's quantile must not lie in a bucket that begins
//! at or above the client's. How far the client lies above the bucket is time that the server's metrics do not see.

use super::{
    histograms::{gained, histograms, metrics, seen_by},
    ledger::{Ledger, Seen, Views},
    replicas::{Settled, Unsettled},
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use crate::{
    observe::{
        exposition::show_labels,
        quantile::{BucketBounds, quantile_bucket},
    },
    record::manifest::Replica,
    scenario::MetricsContract,
};

/// The quantiles that dashboards show.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// How many samples a quantile needs, so that at least ten lie beyond it.
pub fn samples_needed(q: f64) -> u64 {
    // The quotient of two floats can be a hair above the whole number that is meant.
    ((10.0 / (1.0 - q)) - 1e-6).ceil() as u64
}

/// Judges the server-side quantiles of one replica: one verdict a histogram. No claim is made where the contract says
/// that the server's clock stops after the answer, nor where too few requests were answered for any quantile: nobody
/// has promised one. (A quantile that a scenario does expect is Inconclusive then.)
pub fn judge(
    contract: &MetricsContract,
    replica: &Replica,
    ledger: &Ledger,
    views: &Views,
    settled: &Result<Settled, Unsettled>,
) -> Vec<Verdict> {
    if !contract.clock_stops_before_answer {
        return Vec::new();
    }
    let judge = |metric: super::histograms::Metric<'_>| -> Option<Verdict> {
        let subject = format!("{} of {}", metric.name, replica.name);
        let settled = match settled {
            Ok(settled) if settled.restarts.is_empty() => settled,
            Ok(_) => {
                return Some(Verdict::inconclusive(Claim::Quantiles, subject, "the replica was restarted"));
            }
            Err(why) => return Some(Verdict::inconclusive(Claim::Quantiles, subject, why.to_string())),
        };
        let earlier = histograms(&settled.before, metric.name);
        let mut evidence = Vec::new();
        let mut differing = 0_u64;
        for (labels, histogram) in &histograms(&settled.after, metric.name) {
            let name = show_labels(metric.name, labels);
            let seen = seen_by(contract, views, metric, labels);
            let buckets = gained(histogram, earlier.get(labels));
            let answered = seen.answered();
            // Only where both sides count the same requests do their quantiles speak of the same thing.
            if answered > 0 && buckets.last().is_none_or(|last| last.count != answered as f64) {
                differing += 1;
                continue;
            }
            for q in QUANTILES.into_iter().filter(|q| answered >= samples_needed(*q)) {
                if let Some(bucket) = quantile_bucket(q, &buckets) {
                    evidence.push(finding(ledger, &seen, &name, q, bucket));
                }
            }
        }
        if evidence.is_empty() {
            let why = "no histogram counts the same requests as clients do";
            return (differing > 0).then(|| Verdict::inconclusive(Claim::Quantiles, subject, why));
        }
        Some(Verdict::from_evidence(Claim::Quantiles, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Fail => evidence[0].observed.clone(),
            _ => format!("{} quantiles lie where clients' latency allows them", evidence.len()),
        }))
    };
    // The histogram of all durations counts scrapes too: its quantiles are not those of the load.
    let of_load =
        |metric: &super::histograms::Metric<'_>| contract.duration_all.as_deref() != Some(metric.name);
    metrics(contract).into_iter().filter(of_load).filter_map(judge).collect()
}

/// Whether the client's quantile lies above the lower bound of the server's bucket.
fn finding(ledger: &Ledger, seen: &Seen, name: &str, q: f64, bucket: BucketBounds) -> Evidence {
    let rank = (q * seen.answered() as f64).ceil().max(1.0) as u64;
    let client_at_lower = if bucket.lower > 0.0 { ledger.at_most(seen, bucket.lower) } else { 0 };
    let outcome = if client_at_lower >= rank { Outcome::Fail } else { Outcome::Pass };
    let label = format!("p{}", q * 100.0);
    let client = ledger.quantile_bucket(seen, rank);
    let observed = match outcome {
        Outcome::Fail => format!(
            "{name}: the server's {label} lies in {bucket}, but {client_at_lower} of {} requests took their client at \
             most {} s",
            seen.answered(),
            bucket.lower
        ),
        _ => format!("{name}: the server's {label} lies in {bucket}, the client's in {client}"),
    };
    Evidence::new(
        outcome,
        format!("{name} {label}"),
        format!("a client's {label} above {} s", bucket.lower),
        observed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_samples_lie_beyond_a_quantile() {
        assert_eq!([0.5, 0.9, 0.99, 0.999].map(samples_needed), [20, 100, 1000, 10_000]);
    }
}
