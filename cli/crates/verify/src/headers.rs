//! Are the rate-limit headers right? One verdict per limit whose responses carry any.
//!
//! Headers are promises, too: retry at this time and you will be admitted; this many are left; this is the
//! policy. Each is compared with the responses where the truth is known. `retry_after`, `remaining` and
//! `policy` define what is tested, and why a violation is a proof; `key` provides the history that they
//! query.

mod key;
mod policy;
mod remaining;
mod retry_after;

use std::collections::HashMap;
use std::sync::Arc;

use self::key::{HeaderValue, Key};
use super::{
    limits::{self, HistoryCollector},
    parallel,
    verdict::{Claim, Evidence, Outcome, Verdict},
};
use saasbench_limiter::{HistoryContext, Promise, Request};
use saasbench_model::{scenario::Limit, units::Quota};
use saasbench_record::{reader::RecordedRun, sample::Sample};

/// What responses stated, for every key of every limit.
#[derive(Debug)]
pub struct Headers {
    /// Per limit, per entry of its `quota`.
    keys: Vec<Vec<StatedQuota>>,
    /// Policies parsed so far: there are few.
    policies: HashMap<Arc<str>, Policy>,
    /// The last of them: many samples share one text.
    last: Option<(Arc<str>, Policy)>,
}

/// Pairs of limit and window in seconds, as in a policy header.
type Policy = Arc<[(u64, u64)]>;

/// What the responses of one key stated.
#[derive(Debug, Clone, Default)]
struct StatedQuota {
    said: Vec<HeaderValue>,
    policy: Numbers,
    limit: Numbers,
}

/// How often the promised numbers were stated, and the first response with other numbers.
#[derive(Debug, Clone, Default)]
struct Numbers {
    right: u64,
    wrong: u64,
    first: Option<(u64, String)>,
}

impl Numbers {
    fn add(&mut self, right: bool, id: u64, text: impl FnOnce() -> String) {
        if right {
            self.right += 1;
        } else {
            self.wrong += 1;
            self.first.get_or_insert_with(|| (id, text()));
        }
    }
}

impl Headers {
    /// No responses yet.
    pub fn new(limits: &[Limit]) -> Self {
        let keys = limits.iter().map(|limit| vec![StatedQuota::default(); limit.quota.len()]).collect();
        Self { keys, policies: HashMap::new(), last: None }
    }

    /// Enters a response to a request of the limit's key; `limit` and `key` are numbered as in
    /// [`HistoryCollector`].
    pub fn add(&mut self, limits: &[Limit], (limit, key): (usize, usize), id: u64, sample: &Sample) {
        let Some(stated) = self.keys.get_mut(limit).and_then(|keys| keys.get_mut(key)) else { return };
        let Some((tenant, quota)) = limits[limit].quota.get(key) else { return };
        let reported = &sample.limiter;
        let number = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        // With several limits, the header has a member for each, and which one this limit is cannot be known.
        let remaining = reported.remaining.or_else(|| reported.state.as_deref().and_then(policy::remaining));
        let (remaining, retry_after) = (number(remaining), number(reported.retry_after));
        if remaining.is_some() || retry_after.is_some() || reported.reset.is_some() {
            stated.said.push(HeaderValue::new(id, remaining, retry_after, reported.reset));
        }
        if let Some(text) = reported.policy.as_ref().filter(|_| quota.window.0 % 1_000_000_000 == 0) {
            if !self.last.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, text)) {
                let read =
                    self.policies.entry(Arc::clone(text)).or_insert_with(|| policy::quotas(text).into());
                self.last = Some((Arc::clone(text), Arc::clone(read)));
            }
            let read = self.last.as_ref().map_or(&[][..], |(_, read)| read);
            let window = (quota.window.0 / 1_000_000_000) as u64;
            let promised = Promise { quota: *quota, algorithm: limits[limit].algorithm };
            let right = [quota.limit, promised.room()].iter().any(|number| read.contains(&(*number, window)));
            stated.policy.add(right, id, || format!("RateLimit-Policy: {text}"));
        }
        if let Some(value) = reported.limit {
            // For a token bucket, services report either its refill per window or its capacity.
            let states = |algorithm, quota: &Quota| {
                value == quota.limit || value == Promise { quota: *quota, algorithm }.room()
            };
            let route = &limits[limit].route;
            let of_route = || limits.iter().filter(|other| other.route == *route);
            let promised =
                || of_route().flat_map(|other| other.quota.iter().map(move |entry| (other.algorithm, entry)));
            let of_tenant = || promised().filter(|(_, (other, _))| other == tenant);
            // Its own quota is tried first, so that the others of a thousand tenants need not be searched.
            let right = states(limits[limit].algorithm, quota)
                || of_tenant().any(|(algorithm, (_, quota))| states(algorithm, quota));
            stated.limit.add(right, id, || format!("X-RateLimit-Limit: {value}"));
        }
    }

    /// One verdict per limit, but none if no response carried headers. `histories` must be of the same
    /// samples.
    pub fn judge(&self, run: &RecordedRun, histories: &HistoryCollector) -> Vec<Verdict> {
        let limits = run.scenario.limits.iter().zip(&self.keys).enumerate();
        let with_headers = limits.filter(|(_, (_, keys))| keys.iter().any(StatedQuota::is_any));
        let judged = with_headers.map(|(index, (limit, _))| {
            let verdict = self.verdict(run, histories, index, limit);
            verdict.stated(&run.manifest.scenario, limit.stated_at)
        });
        judged.collect()
    }

    fn verdict(
        &self,
        run: &RecordedRun,
        histories: &HistoryCollector,
        index: usize,
        limit: &Limit,
    ) -> Verdict {
        let mut promises: Vec<(&str, Tested)> = Vec::new();
        let keys: Vec<_> = limit.quota.iter().enumerate().collect();
        let judged = parallel::map(&keys, |(key, (tenant, quota))| {
            let stated = &self.keys[index][*key];
            let sole = limits::siblings(&run.scenario.limits, limit, *tenant).len() == 1;
            let context = histories.context(run, limit);
            let history = Key::new(histories.key(index, *key), &stated.said);
            let promise = Promise { quota: *quota, algorithm: limit.algorithm };
            asked(&history, stated, promise, &context, sole)
        });
        for ((tenant, _), judged) in limit.quota.iter().zip(judged) {
            let tenant = run.scenario.tenants.get(*tenant).map_or("", |tenant| tenant.as_str());
            for (name, mut tested) in judged {
                tested.name(tenant);
                match promises.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => sum.add(tested),
                    None => promises.push((name, tested)),
                }
            }
        }
        let subject = limit.subject();
        let held: u64 = promises.iter().map(|(_, tested)| tested.held).sum();
        let mut evidence: Vec<Evidence> =
            promises.iter().filter_map(|(name, tested)| tested.finding(run, name)).collect();
        let untested: Vec<&str> =
            promises.iter().filter(|(_, tested)| tested.is_none()).map(|(name, _)| *name).collect();
        if evidence.is_empty() {
            let why = format!(
                "headers were present, but none of their promises was tested: {}",
                untested.join("; ")
            );
            return Verdict::inconclusive(Claim::Headers, subject, why);
        }
        if !untested.is_empty() {
            evidence[0].details.push(format!("not tested: {}", untested.join("; ")));
        }
        if untested.contains(&COME_BACK) && run.manifest.environment.exclusive {
            let hint = "`retry = \"retry-after\"` on a load makes its users wait for Retry-After";
            evidence[0].details.push(hint.to_owned());
        }
        Verdict::from_evidence(Claim::Headers, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass => format!(
                "{} of {} promises were tested, and held {held} times",
                evidence.len(),
                promises.len()
            ),
            _ => evidence[0].observed.clone(),
        })
    }
}

const COME_BACK: &str = "a retry at Retry-After is admitted";

impl StatedQuota {
    fn is_any(&self) -> bool {
        !self.said.is_empty()
            || self.policy.right + self.policy.wrong + self.limit.right + self.limit.wrong > 0
    }
}

/// Tests all promises of a key. With several limits the headers describe the tightest, so `Remaining` is not
/// tested.
fn asked(
    key: &Key<'_>,
    stated: &StatedQuota,
    promise: Promise,
    context: &HistoryContext,
    sole: bool,
) -> Vec<(&'static str, Tested)> {
    let mut asked = vec![
        (COME_BACK, retry_after::come_back(key, context)),
        ("no admission earlier than Retry-After, less its rounding", retry_after::not_before(key, context)),
    ];
    if sole {
        asked.push(("a rejection leaves nothing remaining", remaining::nothing_left(key)));
        asked.push((
            "Remaining is at most what the promise leaves",
            remaining::not_more(key, promise, context),
        ));
        asked.push(("as many are admitted as Remaining says", remaining::as_announced(key, context)));
    }
    let Quota { limit, window } = promise.quota;
    let policy = format!("q={limit};w={} among the policies", window.0 / 1_000_000_000);
    asked.push(("RateLimit-Policy states the promise", Tested::of(&stated.policy, &policy, key)));
    asked.push(("X-RateLimit-Limit states the promise", Tested::of(&stated.limit, &limit.to_string(), key)));
    asked
}

/// The test result of a promise.
#[derive(Debug, Default)]
struct Tested {
    held: u64,
    broken: u64,
    first: Option<(String, Break)>,
}

/// A broken promise.
#[derive(Debug)]
struct Break {
    expected: String,
    observed: String,
    requests: Vec<Request>,
}

impl Tested {
    fn held(&mut self) {
        self.held += 1;
    }

    fn broken(&mut self, first: impl FnOnce() -> Break) {
        self.broken += 1;
        self.first.get_or_insert_with(|| (String::new(), first()));
    }

    fn is_none(&self) -> bool {
        self.held + self.broken == 0
    }

    fn of(numbers: &Numbers, expected: &str, key: &Key<'_>) -> Self {
        let first = numbers.first.as_ref().map(|(id, text)| {
            let requests = key.requests.iter().filter(|request| request.id == *id).copied().collect();
            (String::new(), Break { expected: expected.to_owned(), observed: text.clone(), requests })
        });
        Self { held: numbers.right, broken: numbers.wrong, first }
    }

    /// Names the tenant in the first violation.
    fn name(&mut self, tenant: &str) {
        if let Some((name, _)) = &mut self.first {
            tenant.clone_into(name);
        }
    }

    fn add(&mut self, other: Self) {
        self.held += other.held;
        self.broken += other.broken;
        self.first = self.first.take().or(other.first);
    }

    fn finding(&self, run: &RecordedRun, name: &str) -> Option<Evidence> {
        let times = self.held + self.broken;
        let Some((tenant, first)) = &self.first else {
            let observed = format!("{name}: held {times} of {times}");
            return (times > 0).then(|| Evidence::new(Outcome::Pass, name, name, observed));
        };
        let observed =
            format!("tenant {tenant}: {}; {} of {times} times broken: {name}", first.observed, self.broken);
        let mut finding = Evidence::new(Outcome::Fail, tenant, &first.expected, observed);
        for request in &first.requests {
            finding = finding.detail(limits::proofs::line(run, request));
        }
        finding.samples = first.requests.iter().map(|request| request.id).collect();
        Some(finding)
    }
}

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
