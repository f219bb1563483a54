//! Turns what was proven into sentences that a person can check, and into certificates that a program can
//! check.

use std::collections::BTreeMap;

use crate::verdict::{Certificate, Certified, Evidence, Outcome};
use saasbench_limiter::{Decision, Promise, Request, Violation};
use saasbench_model::{
    scenario::Algorithm,
    units::{Nanos, Quota},
};
use saasbench_record::reader::RecordedRun;

/// Requests shown per proof; the JSON report has all of them.
const SHOWN: usize = 12;

/// Builds proofs about one tenant's key.
#[derive(Debug)]
pub(super) struct Proofs<'a> {
    pub(super) run: &'a RecordedRun,
    pub(super) tenant: &'a str,
    pub(super) promise: Promise,
}

impl Proofs<'_> {
    /// The evidence for a proven violation.
    pub(super) fn broken(&self, violation: &Violation) -> Evidence {
        match violation {
            Violation::OverAdmission { quota, from, to, allowed, requests, given, because } => {
                let observed = self.too_many(*quota, (*from, *to), *allowed, requests);
                let expected = format!("at most {allowed}");
                let finding = Evidence::new(Outcome::Fail, self.tenant, expected, observed).detail(because);
                self.certified(finding, Some(*allowed), (requests, given), because)
            }
            Violation::WrongRejection { quota, request, counted, of, against, given, because } => {
                let observed = format!(
                    "tenant {}: {} proven wrong; the first at {:.3} s by {}, when at most {counted} of {} admissions ({quota}) \
                     could count",
                    self.tenant,
                    rejections(*of),
                    request.done.as_secs_f64(),
                    self.replica(request),
                    self.promise.room()
                );
                let expected = format!("a rejection only after {} admissions", self.promise.room());
                let finding = Evidence::new(Outcome::Fail, self.tenant, expected, observed).detail(because);
                let mut requests = vec![*request];
                requests.extend(against);
                self.certified(finding, Some(*counted), (&requests, given), because)
            }
        }
    }

    fn too_many(
        &self,
        quota: Quota,
        (from, to): (Nanos, Nanos),
        allowed: u64,
        requests: &[Request],
    ) -> String {
        let promised = match allowed {
            0 => format!("which was full ({quota})"),
            _ => format!("{allowed} promised ({quota})"),
        };
        format!(
            "tenant {}: {} admitted in the window {:.3} s – {:.3} s, {promised}; {}",
            self.tenant,
            requests.len(),
            from.as_secs_f64(),
            to.as_secs_f64(),
            self.by_replica(requests)
        )
    }

    /// The evidence for `of` rejections that none of several limits can have given; with what each limit says
    /// about the first.
    pub(super) fn rejected_by_none(&self, of: usize, violations: &[Violation]) -> Option<Evidence> {
        let (mut rejected, mut requests, mut sentences) = (None, Vec::new(), Vec::new());
        for violation in violations {
            let Violation::WrongRejection { quota, request, against, because, .. } = violation else {
                continue;
            };
            rejected = Some(*request);
            requests.extend(against.iter().copied());
            sentences.push(format!("{quota}: {because}"));
        }
        let rejected = rejected?;
        requests.sort_by_key(|request| (request.sent, request.id));
        requests.dedup();
        requests.insert(0, rejected);
        let observed = format!(
            "tenant {}: {} proven wrong by each of the {} limits of the route; the first at {:.3} s by {}",
            self.tenant,
            rejections(of as u64),
            sentences.len(),
            rejected.done.as_secs_f64(),
            self.replica(&rejected),
        );
        let expected = "a rejection only when one of the limits is used up";
        let mut finding = Evidence::new(Outcome::Fail, self.tenant, expected, observed);
        for sentence in &sentences {
            finding = finding.detail(sentence);
        }
        Some(self.certified(finding, None, (&requests, &[]), &sentences.join("; ")))
    }

    /// Adds the requests that prove the finding, and those it depends on, as lines and as a certificate.
    fn certified(
        &self,
        finding: Evidence,
        allowed: Option<u64>,
        (requests, given): (&[Request], &[Request]),
        because: &str,
    ) -> Evidence {
        let mut finding = self.lines(finding, requests);
        if !given.is_empty() {
            finding = self.lines(finding.detail("given these responses, which the proof rests on:"), given);
        }
        finding.samples = requests.iter().chain(given).map(|request| request.id).collect();
        let certified = |request: &Request| Certified {
            sample: request.id,
            sent_ns: request.sent,
            done_ns: request.done,
            replica: self.replica(request).to_owned(),
            decision: decision(request).to_owned(),
        };
        finding.certificate = Some(Certificate {
            tenant: self.tenant.to_owned(),
            quota: self.promise.quota.to_string(),
            algorithm: self.promise.algorithm.to_string(),
            burst: matches!(self.promise.algorithm, Algorithm::TokenBucket { .. })
                .then(|| self.promise.room()),
            from_ns: requests.iter().map(|request| request.sent).min().unwrap_or_default(),
            to_ns: requests.iter().map(|request| request.done).max().unwrap_or_default(),
            allowed,
            reason: because.to_owned(),
            requests: requests.iter().map(certified).collect(),
            given: given.iter().map(certified).collect(),
        });
        finding
    }

    fn lines(&self, mut finding: Evidence, requests: &[Request]) -> Evidence {
        for request in requests.iter().take(SHOWN) {
            finding = finding.detail(self.line(request));
        }
        if requests.len() > SHOWN {
            finding = finding.detail(format!("… and {} more", requests.len() - SHOWN));
        }
        finding
    }

    fn replica(&self, request: &Request) -> &str {
        replica(self.run, request)
    }

    /// Counts requests by replica: `4 by a, 4 by b`.
    fn by_replica(&self, requests: &[Request]) -> String {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for request in requests {
            *counts.entry(self.replica(request)).or_default() += 1;
        }
        counts.iter().map(|(name, count)| format!("{count} by {name}")).collect::<Vec<_>>().join(", ")
    }

    fn line(&self, request: &Request) -> String {
        line(self.run, request)
    }
}

/// One request of a proof, as a line.
pub(crate) fn line(run: &RecordedRun, request: &Request) -> String {
    format!(
        "sample {:>6}  {:>9.4} s – {:>9.4} s  {} by {}",
        request.id,
        request.sent.as_secs_f64(),
        request.done.as_secs_f64(),
        decision(request),
        replica(run, request)
    )
}

fn replica<'a>(run: &'a RecordedRun, request: &Request) -> &'a str {
    run.replica_names().get(usize::from(request.replica)).map_or("?", String::as_str)
}

fn rejections(count: u64) -> String {
    if count == 1 { "1 rejection is".to_owned() } else { format!("{count} rejections are") }
}

fn decision(request: &Request) -> &'static str {
    match request.decision {
        Decision::Admitted => "admitted",
        Decision::Rejected => "rejected",
        Decision::Unknown => "no response",
    }
}
