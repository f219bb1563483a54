//! Follows alerts after the load until each has done what is promised of it, or is too late. Then records
//! what shows their behaviour: `ALERTS` with all its samples, the rules, and whether Prometheus was up all
//! the time.
//!
//! All queries cover one span, from well before the load until the last poll, so that a reader need not know
//! any of its numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::prometheus::Prometheus;
use saasbench_engine::clock::RunClock;
use saasbench_exposition::Labels;
use saasbench_model::{
    scenario::{Alert, AlertPromise},
    units::{Nanos, Tolerance},
};
use saasbench_record::{
    alert_rule as rule,
    alert_rule::{ACTIVE_SINCE, Basis, RESTARTS, Rule, SAMPLES, SCRAPES, Selector},
    prometheus::samples_now,
    query::ApiRequest,
};

/// Between two probes.
const POLL: Duration = Duration::from_secs(1);
/// How long Prometheus may fail to respond before it counts as unavailable.
const GONE: Duration = Duration::from_secs(15);
/// The record starts this long before the load.
const BEFORE: Nanos = Nanos::from_secs(120);
/// The most instants that Prometheus evaluates a range query at.
const MOST_STEPS: f64 = 10_000.0;

/// How many alerts a note names.
const MOST_NAMES: usize = 3;

/// The alerts to follow, with their deadlines.
#[derive(Debug)]
pub struct Followed<'a> {
    /// The promises.
    pub alerts: &'a [Alert],
    /// The instant that causes are counted from, on the run's clock.
    pub begin: Nanos,
    /// How far the run's clock and Prometheus's may differ.
    pub tolerance: Tolerance,
}

/// The result of one poll.
struct Poll {
    now: Nanos,
    /// Labels of all that have fired since the load started.
    fired: Vec<Labels>,
    /// Labels of all active ones, including `alertstate`.
    active: Vec<Labels>,
}

impl Followed<'_> {
    /// Follows them until all are done, Prometheus is unavailable or `stop`; then records the results. `note` gets
    /// what is waited for, whenever that changes.
    ///
    /// # Errors
    /// Any I/O error.
    pub async fn follow(
        &self,
        prometheus: &Prometheus,
        clock: RunClock,
        stop: &CancellationToken,
        mut note: impl FnMut(&str),
    ) -> io::Result<()> {
        let rules = match prometheus.query(&ApiRequest::Rules).await {
            Ok(answer) => rule::rules(&answer),
            Err(_) => Vec::new(),
        };
        let since = clock.now();
        let mut answered = tokio::time::Instant::now();
        let mut noted = String::new();
        while answered.elapsed() < GONE && !stop.is_cancelled() {
            if let Some(poll) = self.poll(prometheus, clock).await {
                answered = tokio::time::Instant::now();
                let Some(text) = self.waited_for(&rules, since, &poll) else { break };
                if text != noted {
                    note(&text);
                    noted = text;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
        self.record(prometheus, clock).await
    }

    /// The names of the alerts, as a matcher.
    fn matcher(&self) -> String {
        let names: BTreeSet<&str> = self.alerts.iter().map(|alert| alert.name.as_str()).collect();
        let names: Vec<String> = names.into_iter().map(super::prometheus::escape_regex).collect();
        format!("{{alertname=~{:?}}}", names.join("|"))
    }

    async fn poll(&self, prometheus: &Prometheus, clock: RunClock) -> Option<Poll> {
        let now = clock.now();
        let seconds = ((now - self.begin).as_secs_f64() as i64).max(1);
        let matcher = self.matcher();
        let firing = matcher.replace('}', ",alertstate=\"firing\"}");
        let fired = prometheus.now(&format!("last_over_time({SAMPLES}{firing}[{seconds}s])"));
        let active = prometheus.now(&format!("{SAMPLES}{matcher}"));
        let labels = |answer: Value| samples_now(&answer).into_iter().map(|(labels, _)| labels).collect();
        let fired = prometheus.query(&fired).await.ok().map(labels)?;
        Some(Poll { now, fired, active: prometheus.query(&active).await.ok().map(labels)? })
    }

    /// What is waited for, as text; `None` if nothing is.
    fn waited_for(&self, rules: &[Rule], since: Nanos, poll: &Poll) -> Option<String> {
        let mut waiting: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for alert in self.alerts {
            if let Some(what) = self.awaits(alert, rules, since, poll) {
                waiting.entry(what).or_default().push(alert.to_string());
            }
        }
        let shown = |(what, alerts): (&&str, &Vec<String>)| {
            let more = alerts.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names: Vec<&str> = alerts.iter().take(MOST_NAMES).map(String::as_str).collect();
            format!("{what}: {}{more}", names.join(", "))
        };
        let waiting: Vec<String> = waiting.iter().map(shown).collect();
        (!waiting.is_empty()).then(|| format!("waiting for alerts {}", waiting.join("; ")))
    }

    /// What an alert still has to do, as text; `None` once it has done it or it is too late.
    fn awaits(&self, alert: &Alert, rules: &[Rule], since: Nanos, poll: &Poll) -> Option<&'static str> {
        let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.name == alert.name).collect();
        let longest = |of: fn(&Rule) -> f64| {
            Nanos::from_secs_f64(rules.iter().map(|rule| of(rule)).fold(0.0, f64::max))
        };
        let (interval, hold) = (longest(|rule| rule.interval_s), longest(|rule| rule.hold_s));
        // An event at the deadline is visible only after the next evaluation.
        let margin = interval + interval + Nanos::from_secs(1) + self.tolerance.over(poll.now - self.begin);
        let is = |state: &str| {
            poll.active
                .iter()
                .any(|labels| labels.get("alertstate").is_some_and(|of| of == state) && alert.matches(labels))
        };
        let (what, deadline) = match alert.promise {
            AlertPromise::Fires { cause, within, resolves_within } => {
                let fired = poll.fired.iter().any(|labels| alert.matches(labels));
                match (fired, resolves_within) {
                    (false, _) => ("to fire", self.begin + cause.0 + within),
                    (true, Some(within)) if is("firing") => ("to resolve", self.begin + cause.1 + within),
                    (true, _) => return None,
                }
            }
            AlertPromise::Silent if is("firing") || rules.is_empty() => return None,
            AlertPromise::Silent if is("pending") => ("to stay silent", since + hold + margin),
            AlertPromise::Silent => ("to stay silent", since + margin),
        };
        let left = deadline + margin - poll.now;
        (left > Nanos::ZERO).then_some(what)
    }

    /// Records everything about the alerts, whatever they did.
    async fn record(&self, prometheus: &Prometheus, clock: RunClock) -> io::Result<()> {
        let seconds = ((clock.now() - self.begin + BEFORE).as_secs_f64().ceil()).max(1.0);
        let (span, matcher) = (format!("{seconds}s"), self.matcher());
        let rules = prometheus.record(&ApiRequest::Rules).await?;
        let queries = [
            format!("{SAMPLES}{matcher}[{span}]"),
            format!("{ACTIVE_SINCE}{matcher}[{span}]"),
            format!("{SCRAPES}[{span}]"),
            format!("{RESTARTS}[{span}]) and on (instance, job) prometheus_build_info"),
        ];
        for request in queries {
            prometheus.record(&prometheus.now(&request)).await?;
        }
        // Raw samples do not show when a series ended; a series that is visible at one instant and not at the
        // next does.
        let range = |query: String| {
            let end = prometheus.now_unix();
            let step = (seconds / MOST_STEPS).max(0.5);
            ApiRequest::Range { query, start: end - (seconds / step).floor() * step, end, step }
        };
        prometheus.record(&range(format!("{SAMPLES}{matcher}"))).await?;
        let mut asked = BTreeSet::new();
        for rule in rules.as_ref().map(rule::rules).unwrap_or_default() {
            let alerts = self.alerts.iter().filter(|alert| alert.name == rule.name);
            let wanted: Vec<&String> = alerts.clone().flat_map(|alert| alert.labels.keys()).collect();
            let Some(basis) = Basis::of(&rule.query).filter(|_| alerts.count() > 0) else { continue };
            record_basis(prometheus, &basis, &wanted, &span, &mut asked).await?;
            for comparison in &basis.comparisons {
                prometheus.record(&range(rule::course(&comparison.left))).await?;
            }
        }
        Ok(())
    }
}

/// Records whether there are series that a rule's expression can read and, if not, what there is instead.
/// `wanted` are labels that its alert should have, `asked` the queries sent so far.
async fn record_basis(
    prometheus: &Prometheus,
    basis: &Basis,
    wanted: &[&String],
    span: &str,
    asked: &mut BTreeSet<String>,
) -> io::Result<()> {
    let mut ask = async |query: String| {
        if asked.insert(query.clone()) { prometheus.record(&prometheus.now(&query)).await } else { Ok(None) }
    };
    for Selector { text, metric, matched, grouped } in &basis.selectors {
        ask(rule::count(text, span)).await?;
        let series = ask(rule::count(metric, span)).await?;
        if series.is_some_and(|answer| samples_now(&answer).is_empty()) {
            ask(rule::relatives(metric, span)).await?;
            continue;
        }
        let labels: BTreeSet<&String> = matched.iter().chain(grouped).chain(wanted.iter().copied()).collect();
        for label in labels {
            ask(rule::values(metric, label, span)).await?;
        }
    }
    Ok(())
}
