//! What broke, in words for one who has never seen the tool: of what, and how much beyond what was promised.

use std::collections::BTreeMap;

use super::Page;
use saasbench_verify::{
    isolation::CANARIES,
    verdict::{Certificate, Certified, Claim, Evidence},
};

/// How a subject ends that names who says so, and what that means.
const WITNESSES: [(&str, &str); 3] =
    [("", ""), (" by scrape", ", on its own page"), (" by Prometheus", ", in Prometheus")];

/// A claim's subject: what is only a name there is called a replica.
pub(crate) fn subject(page: &Page<'_>, subject: &str) -> String {
    for name in page.run.replica_names() {
        for (witness, told) in WITNESSES {
            if let Some(what) = subject.strip_suffix(&format!(" of {name}{witness}")) {
                return format!("{what} of replica {name}{told}");
            }
        }
    }
    subject.to_owned()
}

/// What a word of a finding means that not everybody knows.
pub(crate) fn meaning(claim: Claim, finding: &Evidence) -> Option<&'static str> {
    (claim == Claim::Isolation && finding.subject == CANARIES).then_some(
        "A canary is a word that this run made up and sent for one tenant alone: it can come to another only through the service.",
    )
}

/// What stands in a summary before what was observed, which is told beside it: `3 of 9 series`. All of it if it says something
/// else, and nothing if it says no more.
pub(crate) fn lead<'a>(summary: &'a str, observed: Option<&str>) -> Option<&'a str> {
    match observed.and_then(|observed| summary.strip_suffix(observed)) {
        Some("") => None,
        Some(before) => Some(before.strip_suffix(": ").unwrap_or(summary)),
        None => Some(summary),
    }
}

/// What a proof comes to: `tenant acme: 9 requests were admitted between 0.100 s and 1.310 s of the run, at most 8 are allowed
/// (8 per 10s); 4 by replica a, 5 by replica b`.
pub(crate) fn proven(proof: &Certificate) -> String {
    let (tenant, promised) = (&proof.tenant, promised(proof));
    match (proof.requests.first(), proof.allowed) {
        (Some(rejected), allowed) if is_of_rejection(proof) => {
            let (replica, at) = (&rejected.replica, rejected.done_ns.as_secs_f64());
            let why = match allowed {
                Some(0) => format!("though no admission could count against it ({promised})"),
                Some(1) => format!("though at most 1 admission could count against it ({promised})"),
                Some(counted) => {
                    format!("though at most {counted} admissions could count against it ({promised})")
                }
                None => "though none of the limits of its route can have rejected it".to_owned(),
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
            // Other than promised for one window: somebody who has not seen the rule cannot guess where it comes from.
            let why = if is_of_one_window(proof) { String::new() } else { format!(": {}", proof.because) };
            format!(
                "tenant {tenant}: {admitted} between {from:.3} s and {to:.3} s of the run, {allowed} ({promised}); {by}{why}"
            )
        }
    }
}

/// `8 per 10s`; of a token bucket with its burst.
fn promised(proof: &Certificate) -> String {
    let quota = proof.quota.replacen('/', " per ", 1);
    proof.burst.map_or_else(|| quota.clone(), |burst| format!("{quota}, bursts of up to {burst}"))
}

/// Whether what is allowed is the quota itself.
fn is_of_one_window(proof: &Certificate) -> bool {
    let limit = proof.quota.split_once('/').and_then(|(limit, _)| limit.parse().ok());
    limit.is_some() && proof.allowed == limit
}

/// Whether it proves a rejection wrong; else too many admissions.
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
