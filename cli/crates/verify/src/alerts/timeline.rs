//! Alert timelines: when each alert was pending, firing and resolved according to Prometheus's samples, and when
//! Prometheus has gaps. Timestamps are of Prometheus's clock, which differs from the run's by at most
//! `tolerance`.

use std::collections::BTreeSet;

use super::at;
use saasbench_exposition::Labels;
use saasbench_model::units::{Nanos, Tolerance};
use saasbench_record::{
    alert_rule as rule,
    alert_rule::{ACTIVE_SINCE, RESTARTS, Rule, SAMPLES, SCRAPES},
    prometheus::{RawSeries, ResponseRecord, matrix, samples_now},
    reader::RecordedRun,
};

/// A pause between scrapes longer than this many times the median distance counts as a gap.
const GAP: i64 = 2;

/// Recorded samples of all alerts. Instants are counted from the start of the load.
pub(super) struct Recorded {
    /// By how much the clocks may differ.
    pub(super) tolerance: Nanos,
    /// The last sample.
    pub(super) until: Nanos,
    /// The longest evaluation interval of the rules in question; zero where it is unknown.
    pub(super) interval: Nanos,
    /// The alerting rules; `None` where Prometheus did not list them.
    pub(super) rules: Option<Vec<Rule>>,
    /// All recorded responses; only diagnoses need them.
    pub(super) answers: Vec<ResponseRecord>,
    /// Raw samples of `ALERTS`.
    alerts: Vec<Placed>,
    /// When the alerts became active: pairs of when that was recorded and the instant it names.
    active: Vec<(Labels, Vec<(Nanos, Nanos)>)>,
    /// Instants at which the state was queried; and for each series, the indices of those at which it was
    /// present.
    instants: Vec<Nanos>,
    shown: Vec<(Labels, BTreeSet<usize>)>,
    scrapes: Vec<Vec<Nanos>>,
    restarted: bool,
}

/// A series of which only the samples' times matter.
struct Placed {
    labels: Labels,
    times: Vec<Nanos>,
}

/// What one alert did from a given instant on.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Course {
    /// The last firing sample so shortly before that instant that it was still firing then.
    pub(super) before: Option<Nanos>,
    /// Since when the expression was true that made it fire first.
    pub(super) active: Option<Nanos>,
    /// First and last pending sample.
    pub(super) pending: Option<(Nanos, Nanos)>,
    /// First firing sample.
    pub(super) firing: Option<Nanos>,
    /// Last firing sample.
    pub(super) last: Option<Nanos>,
    /// First instant after the last firing sample at which it was seen not to be firing.
    pub(super) gone: Option<Nanos>,
}

impl Recorded {
    /// Reads a run's record, or says why there is nothing to read.
    pub(super) fn read(run: &RecordedRun) -> Result<Self, String> {
        let manifest = &run.manifest;
        if manifest.environment.prometheus.is_none() {
            return Err(format!("the environment {} has no Prometheus to query", manifest.environment.name));
        }
        let Some(load) = manifest.load else { return Err("the load did not start".to_owned()) };
        let answers = &run.observations.prometheus;
        let begin = Nanos(manifest.started_unix_ns) + load.start_ns;
        let place = |unix: f64| Nanos::from_secs_f64(unix) - begin;
        let raw = latest(answers, &format!("{SAMPLES}{{"), false)?;
        let until = raw.at_ns - load.start_ns;
        let environment = &manifest.environment;
        let tolerance = Tolerance { offset: environment.clock_offset_ns, drift: environment.clock_drift };
        let times = |series: &RawSeries| series.samples.iter().map(|(time, _)| place(*time)).collect();
        let placed = |series: Vec<RawSeries>| {
            let placed = series.into_iter().map(|s| Placed { times: times(&s), labels: s.labels });
            placed.collect::<Vec<_>>()
        };
        let instant = |prefix: &str| latest(answers, prefix, false).ok().and_then(|a| a.answer.as_ref());
        let active = instant(&format!("{ACTIVE_SINCE}{{")).map(matrix).unwrap_or_default();
        let (instants, shown) = range(answers, &place);
        let rules = latest(answers, "/api/v1/rules", false).ok().and_then(|a| a.answer.as_ref());
        // A Prometheus whose rules are evaluated elsewhere returns an empty list.
        let groups = |answer: &serde_json::Value| answer.pointer("/data/groups")?.as_array().map(Vec::len);
        let lists = |answer: &&serde_json::Value| groups(answer) != Some(0);
        let rules = rules.filter(lists).map(rule::rules);
        let asked = |rule: &&Rule| run.scenario.alerts.iter().any(|alert| alert.name == rule.name);
        let intervals = rules.iter().flatten().filter(asked).map(|rule| rule.interval_s);
        Ok(Self {
            tolerance: tolerance.over(until),
            until,
            interval: Nanos::from_secs_f64(intervals.fold(0.0, f64::max)),
            alerts: placed(raw.answer.as_ref().map(matrix).unwrap_or_default()),
            active: active
                .into_iter()
                .map(|s| {
                    (s.labels, s.samples.iter().map(|(time, since)| (place(*time), place(*since))).collect())
                })
                .collect(),
            instants,
            shown,
            scrapes: instant(SCRAPES).map(matrix).unwrap_or_default().iter().map(times).collect(),
            restarted: instant(RESTARTS)
                .is_some_and(|answer| samples_now(answer).iter().any(|(_, changes)| *changes > 0.0)),
            rules,
            answers: answers.clone(),
        })
    }

    /// What the alerts that `is` selects did from `begin` on, all taken together.
    pub(super) fn course(&self, is: impl Fn(&Labels) -> bool, begin: Nanos) -> Course {
        let from = begin - self.tolerance;
        let of = |state: &str| {
            let meant = self.alerts.iter().filter(|series| {
                series.labels.get("alertstate").is_some_and(|of| of == state) && is(&series.labels)
            });
            let mut times: Vec<Nanos> = meant.flat_map(|series| series.times.iter().copied()).collect();
            times.sort_unstable();
            times
        };
        let (firing, pending) = (of("firing"), of("pending"));
        let later = |times: &[Nanos]| {
            let mut later = times.iter().copied().filter(|time| *time >= from);
            later.next().map(|first| (first, later.next_back().unwrap_or(first)))
        };
        let recently = if self.interval > Nanos::ZERO {
            from - self.interval - self.interval
        } else {
            // For how long a sample remains valid is unknown: any earlier one may be.
            Nanos(i64::MIN)
        };
        let fired = later(&firing);
        Course {
            before: firing.iter().rfind(|time| **time < from && **time >= recently).copied(),
            active: fired.and_then(|(first, _)| self.active_since(first, &is)),
            pending: later(&pending),
            firing: fired.map(|(first, _)| first),
            last: fired.map(|(_, last)| last),
            gone: fired.and_then(|(_, last)| self.gone_after(last, &is)),
        }
    }

    /// Since when the expression was true for what fired at `at`; possibly since long before the first
    /// recorded sample.
    fn active_since(&self, at: Nanos, is: &impl Fn(&Labels) -> bool) -> Option<Nanos> {
        let fired = |series: &&Placed| {
            let firing = series.labels.get("alertstate").is_some_and(|state| state == "firing");
            firing && is(&series.labels) && series.times.contains(&at)
        };
        let plain = |series: &Placed| {
            let mut labels = series.labels.clone();
            labels.remove("alertstate");
            labels
        };
        let fired: BTreeSet<Labels> = self.alerts.iter().filter(fired).map(plain).collect();
        let of_fired = self.active.iter().filter(|(labels, _)| fired.contains(labels));
        let last = of_fired.filter_map(|(_, samples)| samples.iter().rfind(|(time, _)| *time <= at));
        last.map(|(_, since)| *since).min()
    }

    /// Whether any sample of an alert of this name was recorded.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.alerts.iter().any(|series| series.labels.get("alertname").is_some_and(|of| of == name))
    }

    /// The first instant after `last` at which no matching series was firing: the evaluation before it had
    /// ended the series.
    fn gone_after(&self, last: Nanos, is: &impl Fn(&Labels) -> bool) -> Option<Nanos> {
        let there = |instant: usize| {
            self.shown.iter().any(|(labels, instants)| {
                labels.get("alertstate").is_some_and(|of| of == "firing")
                    && is(labels)
                    && instants.contains(&instant)
            })
        };
        let mut later = self.instants.iter().enumerate().filter(|(_, instant)| **instant > last);
        later.find(|(number, _)| !there(*number)).map(|(_, instant)| *instant)
    }

    /// The response to one of [`rule`]'s queries, whatever its span; `None` where it was not sent or failed.
    pub(super) fn now(&self, query: &str) -> Option<Vec<(Labels, f64)>> {
        let asked = latest(&self.answers, &format!("{}[", rule::without_span(query)), false).ok()?;
        asked.answer.as_ref().map(samples_now)
    }

    /// The labels of all alerts of a name that fired.
    pub(super) fn fired(&self, name: &str) -> Vec<&Labels> {
        let firing = self.alerts.iter().filter(|series| {
            let is = |label: &str, value: &str| series.labels.get(label).is_some_and(|of| of == value);
            is("alertstate", "firing") && is("alertname", name)
        });
        firing.map(|series| &series.labels).collect()
    }

    /// Why Prometheus may have missed something within a span, if so.
    pub(super) fn doubt_of(&self, (from, to): (Nanos, Nanos)) -> Option<String> {
        if self.restarted {
            return Some("Prometheus was restarted".to_owned());
        }
        let Some(usual) = self.scrapes.iter().filter_map(|times| usual_distance(times)).min() else {
            return Some("Prometheus has no scrapes: nothing shows that it was running".to_owned());
        };
        let mut all: Vec<Nanos> = self.scrapes.iter().flatten().copied().collect();
        all.sort_unstable();
        // The newest scrape may be one interval old, and so may the last one before the span.
        let ends = std::iter::once(to.min(self.until));
        let mut last = all.iter().copied().rfind(|time| *time <= from).unwrap_or(from);
        let inside = all.iter().copied().filter(|time| *time > from && *time < to);
        for next in inside.chain(ends) {
            if (next - last).0 > usual.0.saturating_mul(GAP) {
                return Some(format!("Prometheus made no scrape from {} to {}", at(last), at(next)));
            }
            last = next;
        }
        None
    }
}

impl Course {
    /// Whether the expression was true at the end but the alert had not fired yet.
    pub(super) fn pending_at_end(&self, until: Nanos, interval: Nanos) -> bool {
        self.pending.is_some_and(|(_, last)| last + interval + interval >= until)
    }

    /// The course in words, in order of time; `None` for an alert that did nothing.
    pub(super) fn reported(&self) -> Option<String> {
        let mut parts = Vec::new();
        parts.extend(self.pending.map(|(from, to)| format!("pending from {} to {}", at(from), at(to))));
        if let (Some(from), Some(to)) = (self.firing, self.last) {
            parts.push(format!("firing from {} to {}", at(from), at(to)));
            parts.extend(self.gone.map(|gone| format!("gone by {}", at(gone))));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The last response to a query with this prefix: a range query if `is_range`, else an instant query.
pub(super) fn latest<'a>(
    answers: &'a [ResponseRecord],
    prefix: &str,
    is_range: bool,
) -> Result<&'a ResponseRecord, String> {
    let asked = answers.iter().rfind(|a| a.query.starts_with(prefix) && a.range_s.is_some() == is_range);
    match asked {
        None => Err("Prometheus was not queried: the run ended first".to_owned()),
        Some(ResponseRecord { answer: None, error, .. }) => {
            let error = error.as_deref().unwrap_or("no reason given");
            Err(format!("Prometheus did not respond: {error}"))
        }
        Some(answer) => Ok(answer),
    }
}

/// The instants at which the alerts' state was queried, and which series were present at which of them.
fn range(
    answers: &[ResponseRecord],
    place: &impl Fn(f64) -> Nanos,
) -> (Vec<Nanos>, Vec<(Labels, BTreeSet<usize>)>) {
    let Ok(record) = latest(answers, &format!("{SAMPLES}{{"), true) else { return Default::default() };
    let Some((length, step)) = record.range_s.filter(|(_, step)| *step > 0.0) else {
        return Default::default();
    };
    let start = record.time_unix_s - length;
    let last = (length / step).round() as usize;
    let instants = (0..=last).map(|number| place(start + number as f64 * step)).collect();
    let numbered = |series: RawSeries| {
        let number = |(time, _): &(f64, f64)| ((time - start) / step).round() as usize;
        (series.labels, series.samples.iter().map(number).collect())
    };
    let shown = record.answer.as_ref().map(matrix).unwrap_or_default();
    (instants, shown.into_iter().map(numbered).collect())
}

/// The median distance between scrapes of one target.
fn usual_distance(times: &[Nanos]) -> Option<Nanos> {
    let mut distances: Vec<Nanos> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied()
}
