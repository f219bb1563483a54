//! What broke, in words for one who has never seen the tool: of what, and how much beyond what was promised.

use std::collections::BTreeMap;

use super::Page;
use crate::verify::verdict::{Certificate, Certified};

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
pub(crate) fn meaning(observed: &str) -> Option<&'static str> {
    observed.contains("canary").then_some(
        "A canary is a word that this run made up and sent for one tenant alone: it can have come to another only through the service.",
    )
}

/// What a proof comes to: `tenant acme: 9 requests were admitted, at most 8 are allowed (8 per 10s); 5 by replica a, 4 by
/// replica b`.
pub(crate) fn proven(proof: &Certificate) -> String {
    let Certificate { tenant, allowed, requests, .. } = proof;
    let quota = proof.quota.replacen('/', " per ", 1);
    match requests.first() {
        Some(first) if is_of_refusal(proof) => {
            let replica = &first.replica;
            format!(
                "tenant {tenant}: replica {replica} refused a request, though at most {allowed} of {quota} were used up"
            )
        }
        _ => {
            let count = requests.len();
            let by = by_replica(requests);
            format!(
                "tenant {tenant}: {count} requests were admitted, at most {allowed} are allowed ({quota}); {by}"
            )
        }
    }
}

/// Whether it proves a refusal wrong; else too many admissions.
pub(crate) fn is_of_refusal(proof: &Certificate) -> bool {
    proof.requests.first().is_some_and(|first| first.decision == "refused")
}

/// `5 by replica a, 4 by replica b`.
fn by_replica(requests: &[Certified]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for request in requests {
        *counts.entry(&request.replica).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count} by replica {name}")).collect::<Vec<_>>().join(", ")
}
