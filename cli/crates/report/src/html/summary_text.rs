//! Failures in words for a first-time reader: what failed, where, and by how much a promise was exceeded.

use std::collections::BTreeMap;

use super::Page;
use saasbench_verify::{
    isolation::CANARIES,
    verdict::{Certificate, Certified, Claim, Evidence},
};

/// How a subject ends that names the source of a value, and what to show for it.
const SOURCES: [(&str, &str); 3] =
    [("", ""), (" by scrape", ", from its scrapes"), (" by Prometheus", ", in Prometheus")];

/// A claim's subject, with replicas named as such.
pub(crate) fn subject(page: &Page<'_>, subject: &str) -> String {
    for name in page.run.replica_names() {
        for (source, shown) in SOURCES {
            if let Some(what) = subject.strip_suffix(&format!(" of {name}{source}")) {
                return format!("{what} of replica {name}{shown}");
            }
        }
    }
    subject.to_owned()
}

/// An explanation of a term in a finding that a first-time reader may not know.
pub(crate) fn meaning(claim: Claim, finding: &Evidence) -> Option<&'static str> {
    (claim == Claim::Isolation && finding.subject == CANARIES).then_some(
        "A canary is a random word that this run sent for one tenant only: another tenant can receive it only through the service.",
    )
}

/// The part of a summary before the observed value, which is shown separately: `3 of 9 series`. The whole
/// summary if it does not end with the observed value, `None` if it is nothing else.
pub(crate) fn lead<'a>(summary: &'a str, observed: Option<&str>) -> Option<&'a str> {
    match observed.and_then(|observed| summary.strip_suffix(observed)) {
        Some("") => None,
        Some(before) => Some(before.strip_suffix(": ").unwrap_or(summary)),
        None => Some(summary),
    }
}

/// A proof in one sentence: `tenant acme: 9 requests were admitted between 0.100 s and 1.310 s of the run, at
/// most 8 are allowed (8 per 10s); 4 by replica a, 5 by replica b`.
pub(crate) fn proven(proof: &Certificate) -> String {
    let (tenant, promised) = (&proof.tenant, promised(proof));
    match (proof.requests.first(), proof.allowed) {
        (Some(rejected), allowed) if is_of_rejection(proof) => {
            let (replica, at) = (&rejected.replica, rejected.done_ns.as_secs_f64());
            let why = match allowed {
                Some(0) => format!("although no admission could count against it ({promised})"),
                Some(1) => format!("although at most 1 admission could count against it ({promised})"),
                Some(counted) => {
                    format!("although at most {counted} admissions could count against it ({promised})")
                }
                None => "although none of its route's limits can have rejected it".to_owned(),
            };
            format!("tenant {tenant}: replica {replica} rejected a request at {at:.3} s of the run, {why}")
        }
        (_, allowed) => {
            let (from, to) = (proof.from_ns.as_secs_f64(), proof.to_ns.as_secs_f64());
            let admitted = match proof.requests.len() {
                1 => "1 request was admitted".to_owned(),
                count => format!("{count} requests were admitted"),
            };
            let allowed = match allowed {
                None | Some(0) => "none is allowed".to_owned(),
                Some(1) => "at most 1 is allowed".to_owned(),
                Some(allowed) => format!("at most {allowed} are allowed"),
            };
            let by = by_replica(&proof.requests);
            // Not the quota of one window: the reader needs the rule that it follows from.
            let why = if is_of_one_window(proof) { String::new() } else { format!(": {}", proof.reason) };
            format!(
                "tenant {tenant}: {admitted} between {from:.3} s and {to:.3} s of the run, {allowed} ({promised}); {by}{why}"
            )
        }
    }
}

/// `8 per 10s`; for a token bucket with its burst.
fn promised(proof: &Certificate) -> String {
    let quota = proof.quota.replacen('/', " per ", 1);
    proof.burst.map_or_else(|| quota.clone(), |burst| format!("{quota}, bursts of up to {burst}"))
}

/// Whether the allowed number is the quota itself.
fn is_of_one_window(proof: &Certificate) -> bool {
    let limit = proof.quota.split_once('/').and_then(|(limit, _)| limit.parse().ok());
    limit.is_some() && proof.allowed == limit
}

/// Whether it proves a wrong rejection rather than over-admission.
pub(crate) fn is_of_rejection(proof: &Certificate) -> bool {
    proof.requests.first().is_some_and(|first| first.decision == "rejected")
}

/// `5 by replica a, 4 by replica b`.
fn by_replica(requests: &[Certified]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for request in requests {
        *counts.entry(&request.replica).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count} by replica {name}")).collect::<Vec<_>>().join(", ")
}
