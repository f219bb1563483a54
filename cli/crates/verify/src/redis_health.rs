//! Was the limiter's Redis healthy during the run: did keys without a TTL accumulate, was anything evicted,
//! did it stay up, and how did its memory grow? Two sources: our own polling, and redis_exporter by way of
//! Prometheus.
//!
//! A key without a TTL is never removed: a store that gains some with the load grows permanently.

use super::verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict};
use crate::counters::raw::{asked, named};
use saasbench_model::units::Nanos;
use saasbench_record::{
    reader::RecordedRun,
    redis_samples::{self, Health},
};

/// This many increases prove a leak; one less, if at least this many keys were gained.
const STEPS: usize = 3;

/// What a source saw, and when, on the run's clock.
type Seen = (Nanos, Health);

/// One verdict per source; none if there is no source.
pub fn judge(run: &RecordedRun) -> Vec<Verdict> {
    let environment = &run.manifest.environment;
    let mut verdicts = Vec::new();
    if environment.redis.is_some() {
        let restarts = redis_samples::restarts(&run.observations.store);
        // A restart empties it: earlier samples say nothing about growth.
        let since = restarts.last().map_or(Nanos(i64::MIN), |(_, to)| *to);
        let looks = run.observations.store.iter().filter(|look| look.from_ns >= since);
        let seen: Vec<Seen> = looks.filter_map(|look| Some((look.from_ns, look.health?))).collect();
        let outages = redis_samples::outages(&run.observations.store);
        verdicts.push(with_outages(one(run, "Redis by polling", &seen), &outages));
    }
    if environment.prometheus.is_some() {
        verdicts.extend(by_exporter(run));
    }
    verdicts
}

/// Says when Redis did not respond. Nobody promised that it would, so it is no failure by itself; but it may be why
/// others fail.
fn with_outages(mut verdict: Verdict, outages: &[(Nanos, Nanos)]) -> Verdict {
    let Some((from, to)) = outages.iter().max_by_key(|(from, to)| *to - *from) else { return verdict };
    let span =
        |(from, to): &(Nanos, Nanos)| format!("{:.1} s to {:.1} s", from.as_secs_f64(), to.as_secs_f64());
    let more = match outages.len() {
        1 => String::new(),
        count => format!(", the longest of {count} times"),
    };
    let lasted = *to - *from;
    verdict.summary += &format!("; no response from {} ({lasted}{more})", span(&(*from, *to)));
    let all: Vec<String> = outages.iter().map(span).collect();
    let observed = format!("no response from {}", all.join(", "));
    let expected = "reported only";
    verdict.evidence.push(Evidence::new(Outcome::Pass, "outages", expected, observed));
    verdict
}

/// The verdict by redis_exporter; `None` where Prometheus does not scrape one.
fn by_exporter(run: &RecordedRun) -> Option<Verdict> {
    let subject = "Redis by redis_exporter";
    let answers = &run.observations.prometheus;
    let up = named(answers, "redis_up");
    let first = up.first()?;
    if let Err(why) = asked(answers, "redis_db_keys") {
        return Some(Verdict::inconclusive(Claim::Redis, subject, why));
    }
    if up.len() > 1 {
        let why = format!("Prometheus scrapes {} of them: which one is the limiter's is unknown", up.len());
        return Some(Verdict::inconclusive(Claim::Redis, subject, why));
    }
    let down = first.samples.iter().filter(|(_, up)| *up != 1.0).count();
    if down > 0 {
        let why = format!("Redis was down at {down} of {} scrapes", first.samples.len());
        return Some(Verdict::inconclusive(Claim::Redis, subject, why));
    }
    let at = |name: &str, time: f64| -> Option<u64> {
        let of_metric = named(answers, name);
        let at_time = |samples: &[(f64, f64)]| {
            samples.iter().find(|(at, _)| (at - time).abs() < 0.0005).map(|(_, value)| *value as u64)
        };
        let values: Vec<u64> = of_metric.iter().filter_map(|series| at_time(&series.samples)).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    let zero = Nanos(run.manifest.started_unix_ns);
    let seen: Vec<Seen> = first
        .samples
        .iter()
        .filter_map(|(time, _)| {
            let health = Health {
                keys: at("redis_db_keys", *time)?,
                expiring: at("redis_db_keys_expiring", *time)?,
                evicted: at("redis_evicted_keys_total", *time)?,
                memory: at("redis_memory_used_bytes", *time)?,
            };
            Some((Nanos::from_secs_f64(*time) - zero, health))
        })
        .collect();
    let from = run.manifest.load.map_or(Nanos::ZERO, |load| load.from_ns);
    let first = seen.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    Some(one(run, subject, seen.get(first..).unwrap_or_default()))
}

/// The verdict about what one source saw, in order of time.
fn one(run: &RecordedRun, subject: &str, seen: &[Seen]) -> Verdict {
    let [(_, first), .., (_, last)] = seen else {
        return Verdict::inconclusive(Claim::Redis, subject, "there are fewer than two samples");
    };
    if last.evicted <= first.evicted && seen.iter().all(|(_, health)| health.keys == 0) {
        let why = format!("not tested: it had no key at any of {} samples", seen.len());
        return Verdict::inconclusive(Claim::Redis, subject, why);
    }
    let environment = &run.manifest.environment;
    // A Redis that only Prometheus knows need not be the limiter's.
    let ours = environment.exclusive && environment.redis.is_some();
    let evidence = vec![without_ttl(seen, first, last, ours), evicted(seen, ours), memory(run, first, last)];
    Verdict::from_evidence(Claim::Redis, subject, evidence, |outcome, evidence| match outcome {
        Outcome::Pass => {
            format!(
                "{} keys, {} of them without a TTL; {}",
                last.keys,
                last.without_ttl(),
                evidence[2].observed
            )
        }
        _ => evidence[0].observed.clone(),
    })
}

/// Growth of keys without a TTL.
fn without_ttl(seen: &[Seen], first: &Health, last: &Health, ours: bool) -> Evidence {
    let (before, after) = (first.without_ttl(), last.without_ttl());
    let expected = "no more of them than before the load";
    let observed = format!("keys without a TTL: {before} before the load, {after} after it");
    if after <= before {
        return Evidence::new(Outcome::Pass, "keys without a TTL", expected, observed);
    }
    let doubt = if !ours {
        Some("the environment is shared: the keys may be other clients'")
    } else if !keeps_growing(seen, after - before) {
        Some("their number stopped growing: they may be intended, or get their TTL later")
    } else {
        None
    };
    if let Some(doubt) = doubt {
        let finding = Evidence::new(Outcome::Inconclusive, "keys without a TTL", expected, observed);
        return finding.detail(doubt);
    }
    let mut finding = Evidence::new(Outcome::Fail, "keys without a TTL", expected, observed);
    let sentence = format!("{} keys were written without a TTL: they never expire", after - before);
    finding.details.push(format!("diagnosis: {sentence}"));
    finding.details.push("redis-cli --scan shows them, and `TTL KEY` is -1".to_owned());
    let parameters = serde_json::json!({ "keys": after - before });
    finding.diagnosis = Some(Diagnosis::new("redis-keys-leak", parameters, sentence));
    finding
}

/// Whether keys without a TTL grew again and again. A key that is written once, or whose EXPIRE had not
/// followed yet when Redis was polled, is not a leak.
fn keeps_growing(seen: &[Seen], grown: u64) -> bool {
    let steps = seen.windows(2).filter(|pair| pair[1].1.without_ttl() > pair[0].1.without_ttl()).count();
    steps >= STEPS || (steps + 1 == STEPS && grown >= STEPS as u64)
}

/// Keys that Redis evicted because its memory was full.
fn evicted(seen: &[Seen], ours: bool) -> Evidence {
    let risen = seen.windows(2).map(|pair| pair[1].1.evicted.saturating_sub(pair[0].1.evicted)).sum::<u64>();
    let expected = "none";
    let observed = format!("{risen} keys were evicted");
    if risen == 0 {
        return Evidence::new(Outcome::Pass, "evictions", expected, observed);
    }
    let outcome = if ours { Outcome::Fail } else { Outcome::Inconclusive };
    Evidence::new(outcome, "evictions", expected, observed).detail(
        "a limit whose key was evicted starts again: limits are judged as if Redis had lost its data then",
    )
}

/// Growth of memory: reported only, because nothing was promised about it.
fn memory(run: &RecordedRun, first: &Health, last: &Health) -> Evidence {
    let (before, after) = (first.memory as f64, last.memory as f64);
    let samples = run.manifest.recorded.map_or(0, |recorded| recorded.samples);
    let each = match samples {
        0 => String::new(),
        samples => format!(", {:+.0} bytes per request", (after - before) / samples as f64),
    };
    let observed = format!("memory {:.2} MB before, {:.2} MB after{each}", before / 1e6, after / 1e6);
    Evidence::new(Outcome::Pass, "memory", "reported only", observed)
}

#[cfg(test)]
mod tests;
