//! Which fault explains wrong histograms? Each hypothesis must explain every label set with a problem.

use serde_json::json;

use super::{Case, Kind, sanity::sum_bounds};
use crate::verdict::Diagnosis;

/// The fault that explains all problems of a metric's histograms.
pub(super) fn diagnose(cases: &[Case]) -> Option<Diagnosis> {
    let wrong: Vec<&Case> = cases.iter().filter(|case| !case.problems.is_empty()).collect();
    if wrong.is_empty() {
        return None;
    }
    let hypotheses = [not_cumulative, inf_mismatch, in_milliseconds, sum_wrong];
    hypotheses.into_iter().find_map(|hypothesis| hypothesis(&wrong))
}

fn all(cases: &[&Case], kinds: &[Kind]) -> bool {
    cases.iter().all(|case| case.problems.iter().all(|problem| kinds.contains(&problem.kind)))
}

fn any(cases: &[&Case], kind: Kind) -> bool {
    cases.iter().any(|case| case.problems.iter().any(|problem| problem.kind == kind))
}

/// Buckets count only what lies between their own bound and the previous one: their sum is `_count`.
fn not_cumulative(cases: &[&Case]) -> Option<Diagnosis> {
    let explained = |case: &&Case| {
        let total: f64 = case.whole.buckets.iter().map(|bucket| bucket.count).sum();
        let finite = total - case.whole.infinite().unwrap_or(0.0);
        let (count, infinite) = (case.whole.count, case.whole.infinite());
        // The last bucket may still be right, if it is written as `_count` is.
        count == Some(total) || (infinite == count && count.is_some_and(|count| finite <= count))
    };
    let falls = any(cases, Kind::Falls) || any(cases, Kind::Infinite);
    let case =
        cases.iter().find(|case| case.whole.buckets.windows(2).any(|pair| pair[1].count < pair[0].count));
    let case = case.filter(|_| falls && cases.iter().all(explained))?;
    let count = case.whole.count.unwrap_or_default();
    Some(Diagnosis::new(
        "bucket-not-cumulative",
        json!({ "count": count }),
        format!(
            "each bucket counts only what lies between its own bound and the one below: those of {} add up to its _count, {count}",
            case.name
        ),
    ))
}

/// `+Inf` differs from `_count`, and the buckets below it are right.
fn inf_mismatch(cases: &[&Case]) -> Option<Diagnosis> {
    let mismatch = |case: &&&Case| case.problems.iter().any(|problem| problem.kind == Kind::Infinite);
    let worst = cases.iter().find(mismatch)?;
    if !all(cases, &[Kind::Infinite, Kind::Counter, Kind::Fewer, Kind::Sum]) {
        return None;
    }
    let (infinite, count) = (worst.whole.infinite()?, worst.whole.count?);
    Some(Diagnosis::new(
        "inf-mismatch",
        json!({ "inf": infinite, "count": count }),
        format!(
            "the bucket +Inf and _count are counted apart, and disagree: {infinite} and {count} in {}; quantiles and averages \
             are taken of different requests",
            worst.name
        ),
    ))
}

/// Durations are too long in buckets and sum alike, and right if divided by a thousand.
fn in_milliseconds(cases: &[&Case]) -> Option<Diagnosis> {
    if !any(cases, Kind::Long) || !all(cases, &[Kind::Long, Kind::LongSum]) {
        return None;
    }
    let means = |case: &&&Case| {
        let (sum, count) = (case.gained.sum?, case.gained.count.filter(|count| *count > 0.0)?);
        let total = case.seen.total();
        let client = total.latency_sum.as_secs_f64() / total.count.max(1) as f64;
        Some((sum / count, client))
    };
    // A histogram of all requests includes scrapes, so its mean may be slightly above the clients'.
    let fits = |case: &&Case| means(&case).is_some_and(|(server, client)| server / 1000.0 <= client * 1.5);
    if !cases.iter().all(fits) {
        return None;
    }
    let worst = cases.iter().max_by(|a, b| a.seen.answered().cmp(&b.seen.answered()))?;
    let (server, client) = means(&worst)?;
    Some(Diagnosis::new(
        "duration-in-ms",
        json!({ "server_mean": server, "client_mean_s": client }),
        format!(
            "durations are written in milliseconds: read as seconds, the mean of {} is {server:.3} s; its clients saw {:.3} ms",
            worst.name,
            client * 1000.0
        ),
    ))
}

/// Only sums are wrong; buckets and counts are right.
fn sum_wrong(cases: &[&Case]) -> Option<Diagnosis> {
    if !all(cases, &[Kind::Sum, Kind::LongSum]) {
        return None;
    }
    let worst = cases.iter().max_by(|a, b| a.seen.answered().cmp(&b.seen.answered()))?;
    let sum = worst.whole.sum?;
    let as_milliseconds = cases.iter().all(|case| {
        let (least, most) = sum_bounds(&case.whole.buckets);
        case.whole.sum.is_some_and(|sum| (least..=most).contains(&(sum / 1000.0)))
    });
    let unit = if as_milliseconds { "; it fits if it is in milliseconds" } else { "" };
    Some(Diagnosis::new(
        "sum-wrong",
        json!({ "sum": sum, "fits_as_milliseconds": as_milliseconds }),
        format!("only _sum is wrong, the buckets are not: {sum} in {}{unit}", worst.name),
    ))
}
