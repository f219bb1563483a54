//! Are the rate-limit headers right? One verdict per limit whose responses carry any.
//!
//! Headers are promises, too: retry at this time and you will be admitted; this many are left; this is the
//! policy. Each is compared with the responses where the truth is known. `retry_after`, `remaining` and
//! `policy` define what is tested, and why a violation is a proof; `key` provides the history that they
//! query, `stated` what the responses said. What was promised and not tested, and what could not be read, is
//! said in the line.

mod key;
mod policy;
mod remaining;
mod retry_after;
mod stated;

use std::collections::HashMap;
use std::sync::Arc;

use self::key::{HeaderValue, Key};
use self::stated::{Numbers, StatedQuota};
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
type Policy = Arc<[(u64, Option<u64>)]>;

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
        let state = reported.state.as_deref();
        let number = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        // With several limits, the header has a member for each, and which one this limit is cannot be known.
        let remaining = reported.remaining.or_else(|| state.and_then(policy::remaining));
        let (remaining, retry_after) = (number(remaining), number(reported.retry_after));
        if remaining.is_some() || retry_after.is_some() || reported.reset.is_some() {
            stated.said.push(HeaderValue::new(id, remaining, retry_after, reported.reset));
        }
        stated.remaining += u64::from(remaining.is_some());
        stated.retries += u64::from(retry_after.is_some());
        if let Some(text) = state.filter(|state| !policy::is_state(state)) {
            stated.unread("RateLimit", text);
        }
        if let Some(unread) = &reported.unread {
            unread.lines().for_each(|line| stated.unread_line(id, line));
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
            let is_right = |(limit, stated): &(u64, Option<u64>)| {
                [quota.limit, promised.room()].contains(limit) && stated.is_none_or(|stated| stated == window)
            };
            match read {
                [] => stated.unread("RateLimit-Policy", text),
                _ => {
                    stated.policy.add(read.iter().any(is_right), id, || format!("RateLimit-Policy: {text}"));
                }
            }
        }
        if let Some(value) = reported.limit.or_else(|| state.and_then(policy::limit)) {
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
        let mut promises: Vec<(Rule, Tested)> = Vec::new();
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
            for (rule, mut tested) in judged {
                tested.name(tenant);
                match promises.iter_mut().find(|(known, _)| *known == rule) {
                    Some((_, sum)) => sum.add(tested),
                    None => promises.push((rule, tested)),
                }
            }
        }
        let subject = limit.subject();
        let held: u64 = promises.iter().map(|(_, tested)| tested.held).sum();
        let mut evidence: Vec<Evidence> =
            promises.iter().filter_map(|(rule, tested)| tested.finding(run, rule.name)).collect();
        let untested: Vec<Rule> =
            promises.iter().filter(|(_, tested)| tested.is_none()).map(|(rule, _)| *rule).collect();
        let unread = stated::unread(&self.keys[index]);
        let mut open = String::new();
        for (what, names) in [
            ("not tested", untested.iter().map(|rule| rule.short.to_owned()).collect()),
            ("not read", unread),
        ] {
            let names: Vec<String> = names;
            if !names.is_empty() {
                open.push_str(&format!("; {what}: {}", names.join(", ")));
            }
        }
        if promises.is_empty() && open.is_empty() {
            open.push_str(": X-RateLimit-Reset by itself is not judged");
        }
        if evidence.is_empty() {
            let why = format!("headers were present, but none of their promises was tested{open}");
            return Verdict::inconclusive(Claim::Headers, subject, why);
        }
        if !untested.is_empty() {
            let names: Vec<&str> = untested.iter().map(|rule| rule.name).collect();
            evidence[0].details.push(format!("not tested: {}", names.join("; ")));
        }
        if untested.contains(&COME_BACK) && run.manifest.environment.exclusive {
            let hint = "`retry = \"retry-after\"` on a load makes its users wait for Retry-After";
            evidence[0].details.push(hint.to_owned());
        }
        Verdict::from_evidence(Claim::Headers, subject, evidence, |outcome, evidence| match outcome {
            Outcome::Pass => format!(
                "{} of {} promises were tested, and held {held} times{open}",
                evidence.len(),
                promises.len()
            ),
            _ => evidence[0].observed.clone(),
        })
    }
}

/// What a header promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// As a sentence.
    name: &'static str,
    /// In a list.
    short: &'static str,
}

const COME_BACK: Rule = Rule { name: "a retry at Retry-After is admitted", short: "a retry at Retry-After" };
const NOT_BEFORE: Rule = Rule {
    name: "no admission earlier than Retry-After, less its rounding",
    short: "no admission before Retry-After",
};
const WELL_FORMED: Rule = Rule {
    name: "Retry-After is a whole number of seconds or a date (RFC 9110)",
    short: "the form of Retry-After",
};
const NOTHING_LEFT: Rule =
    Rule { name: "a rejection leaves nothing remaining", short: "Remaining 0 on a rejection" };
const NOT_MORE: Rule =
    Rule { name: "Remaining is at most what the promise leaves", short: "Remaining on an admission" };
const AS_ANNOUNCED: Rule =
    Rule { name: "as many are admitted as Remaining says", short: "as many admissions as Remaining" };
const POLICY: Rule = Rule { name: "RateLimit-Policy states the promise", short: "RateLimit-Policy" };
const LIMIT: Rule = Rule { name: "X-RateLimit-Limit states the promise", short: "X-RateLimit-Limit" };

/// Tests all promises that the headers of a key make. With several limits they describe the tightest, so
/// `Remaining` is not tested; and where the limit that rejected has quota again, another may still reject.
fn asked(
    key: &Key<'_>,
    stated: &StatedQuota,
    promise: Promise,
    context: &HistoryContext,
    sole: bool,
) -> Vec<(Rule, Tested)> {
    let mut asked = Vec::new();
    if stated.retries > 0 {
        if sole {
            asked.push((COME_BACK, retry_after::come_back(key, context)));
        }
        asked.push((NOT_BEFORE, retry_after::not_before(key, context)));
    }
    if stated.malformed.wrong > 0 {
        let expected = "a whole number of seconds or a date";
        asked.push((WELL_FORMED, Tested::of(&stated.malformed, stated.retries, expected, key)));
    }
    if sole && stated.remaining > 0 {
        asked.push((NOTHING_LEFT, remaining::nothing_left(key)));
        asked.push((NOT_MORE, remaining::not_more(key, promise, context)));
        asked.push((AS_ANNOUNCED, remaining::as_announced(key, context)));
    }
    let Quota { limit, window } = promise.quota;
    if stated.policy.is_any() {
        let policy = format!("q={limit};w={} among the policies", window.0 / 1_000_000_000);
        asked.push((POLICY, Tested::of(&stated.policy, stated.policy.right, &policy, key)));
    }
    if stated.limit.is_any() {
        asked.push((LIMIT, Tested::of(&stated.limit, stated.limit.right, &limit.to_string(), key)));
    }
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

    fn of(numbers: &Numbers, held: u64, expected: &str, key: &Key<'_>) -> Self {
        let first = numbers.first.as_ref().map(|(id, text)| {
            let requests = key.requests.iter().filter(|request| request.id == *id).copied().collect();
            (String::new(), Break { expected: expected.to_owned(), observed: text.clone(), requests })
        });
        Self { held, broken: numbers.wrong, first }
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
