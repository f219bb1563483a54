//! Judges Prometheus's own scrapes of a replica, from `up`, `scrape_duration_seconds`,
//! `scrape_samples_scraped`, and the times of raw samples.

use super::{FEW, diagnosed, slow_page};
use crate::{
    counters::raw::{asked, same_time, series_of, target},
    replicas,
    stall_attribution::StallExclusions,
    verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict},
};
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    manifest::Replica, observations::Scrape, prometheus::ResponseRecord, reader::RecordedRun,
};

/// Number of intervals from which on a pause is a gap: one skipped scrape is not.
const GAP: f64 = 2.5;
/// From this many failed scrapes on, they are no coincidence.
const DOWN: usize = 2;

/// Our own scrape and one of Prometheus's within this time of each other show the same state.
const SAME_SECOND: Nanos = Nanos::from_secs(1);

/// A raw sample: seconds since the epoch, and its value.
type Raw = (f64, f64);

/// Judges Prometheus's scrapes of a replica, whose first response was at `first_answer`.
pub fn by_prometheus(
    run: &RecordedRun,
    contract: &MetricsContract,
    (index, replica): (usize, &Replica),
    first_answer: Option<Nanos>,
    exclusions: &StallExclusions,
) -> Verdict {
    let subject = format!("{} of {} by Prometheus", contract.path, replica.name);
    let answers = &run.observations.prometheus;
    let up = match asked(answers, "up").and_then(|()| target(answers, replica)) {
        Ok(up) => up,
        Err(why) => return Verdict::inconclusive(Claim::Scrapes, subject, why),
    };
    let up = in_load(run, &up.samples);
    if up.is_empty() {
        let why = "Prometheus did not scrape it between the start and the end of the load";
        return Verdict::inconclusive(Claim::Scrapes, subject, why);
    }
    let scrapes = run.observations.scrapes.get(index).map(Vec::as_slice).unwrap_or_default();
    let restarts = replicas::restarts(scrapes, contract);
    let interval = median(intervals(&up));
    let view = View { run, contract, replica, scrapes, restarts, first_answer, exclusions, interval };
    let findings = [
        view.down(&up),
        view.durations(answers),
        view.pages(answers, &up),
        view.vanished(answers, &up),
        view.gaps(&up),
    ];
    let evidence: Vec<Evidence> = findings.into_iter().flatten().collect();
    Verdict::from_evidence(Claim::Scrapes, subject, evidence, |outcome, evidence| match outcome {
        Outcome::Pass => {
            let every = view.interval.map_or_else(String::new, |every| format!(", one every {every:.1} s"));
            format!("{} scrapes found it up{every}", up.len())
        }
        _ => evidence[0].observed.clone(),
    })
}

/// The samples from the last scrape before the load to the first one after it.
fn in_load(run: &RecordedRun, samples: &[Raw]) -> Vec<Raw> {
    let unix = |at: Nanos| (Nanos(run.manifest.started_unix_ns) + at).as_secs_f64();
    let Some(load) = run.manifest.load else { return samples.to_vec() };
    let (from, to) = (unix(load.from_ns), unix(load.to_ns));
    let first = samples.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    let last = samples.partition_point(|(at, _)| *at <= to) + 1;
    samples.get(first..last.min(samples.len())).unwrap_or_default().to_vec()
}

/// One replica as Prometheus saw it.
struct View<'a> {
    run: &'a RecordedRun,
    contract: &'a MetricsContract,
    replica: &'a Replica,
    /// Our own scrapes of it.
    scrapes: &'a [Scrape],
    /// Restarts according to our own scrapes.
    restarts: Vec<(Nanos, Nanos)>,
    /// When it had sent its first response of the run.
    first_answer: Option<Nanos>,
    exclusions: &'a StallExclusions,
    /// The target's median scrape interval in seconds; `None` with too few scrapes.
    interval: Option<f64>,
}

impl View<'_> {
    /// Scrapes with `up` 0.
    fn down(&self, up: &[Raw]) -> Option<Evidence> {
        let expected = "`up` is 1 at every scrape";
        let down: Vec<f64> = up.iter().filter(|(_, value)| *value != 1.0).map(|(at, _)| *at).collect();
        let Some(first) = down.first() else {
            return Some(Evidence::new(Outcome::Pass, "up", expected, format!("1 at {} scrapes", up.len())));
        };
        let observed = format!(
            "{} of {} scrapes found it down, the first at {:.1} s",
            down.len(),
            up.len(),
            self.on_our_clock(*first).as_secs_f64()
        );
        let unexplained: Vec<f64> = down.into_iter().filter(|at| !self.is_explained(*at)).collect();
        let proven = unexplained.iter().filter(|at| !self.was_answered(**at)).count();
        let outcome = match (unexplained.len(), proven) {
            (0, _) => Outcome::Pass,
            (_, 0..DOWN) => Outcome::Inconclusive,
            _ => Outcome::Fail,
        };
        let finding = Evidence::new(outcome, "up", expected, observed);
        Some(match outcome {
            Outcome::Pass => finding.detail("it was restarted then, or the generator's machine stalled"),
            Outcome::Inconclusive if unexplained.len() < DOWN => {
                finding.detail("a single one may be an accident")
            }
            Outcome::Inconclusive => {
                finding.detail("our own scrapes at that time got responses: it was not down for all clients")
            }
            Outcome::Fail => match self.cut_off() {
                Some(diagnosis) => diagnosed(finding, diagnosis),
                None => finding,
            },
        })
    }

    /// How long its scrapes took.
    fn durations(&self, answers: &[ResponseRecord]) -> Option<Evidence> {
        let durations = self.samples(answers, "scrape_duration_seconds");
        let within = self.contract.scrape_within;
        let median = median(durations.iter().map(|(_, value)| *value).collect())?;
        let longest = durations.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let (median, longest) = (Nanos::from_secs_f64(median), Nanos::from_secs_f64(longest));
        let expected = format!("at most {within}, most of the time");
        let observed = format!("median {median}, longest {longest}");
        if median <= within {
            return Some(Evidence::new(Outcome::Pass, "scrape_duration_seconds", expected, observed));
        }
        let finding = Evidence::new(Outcome::Fail, "scrape_duration_seconds", expected, observed);
        Some(diagnosed(finding, slow_page(median)))
    }

    /// Scrapes without a sample.
    fn pages(&self, answers: &[ResponseRecord], up: &[Raw]) -> Option<Evidence> {
        let scraped = self.samples(answers, "scrape_samples_scraped");
        let was_up = |at: f64| up.iter().any(|(time, value)| same_time(*time, at) && *value == 1.0);
        let seen: Vec<f64> = scraped
            .iter()
            .filter(|(at, samples)| was_up(*at) && (*samples > 0.0 || self.has_counted(*at)))
            .map(|(_, samples)| *samples)
            .collect();
        let empty = seen.iter().filter(|samples| **samples == 0.0).count();
        let (least, most) = seen.iter().fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), samples| {
            (least.min(*samples), most.max(*samples))
        });
        let expected = "samples at every scrape";
        match (seen.is_empty(), empty) {
            (true, _) => None,
            (false, 0) => {
                let observed = format!("{least} to {most}");
                Some(Evidence::new(Outcome::Pass, "scrape_samples_scraped", expected, observed))
            }
            (false, _) => {
                let observed = format!("{empty} of {} scrapes found an empty exposition", seen.len());
                Some(Evidence::new(Outcome::Fail, "scrape_samples_scraped", expected, observed))
            }
        }
    }

    /// Counters missing from a successful scrape: a counter never disappears while its process lives.
    fn vanished(&self, answers: &[ResponseRecord], up: &[Raw]) -> Option<Evidence> {
        let good: Vec<f64> = up.iter().filter(|(_, value)| *value == 1.0).map(|(at, _)| *at).collect();
        let name = &self.contract.requests;
        for series in series_of(answers, name, self.replica) {
            let (first, last) = (series.samples.first()?.0, series.samples.last()?.0);
            // Where the exposition has timestamps of its own, samples cannot be assigned to scrapes.
            let span = up.first()?.0..=up.last()?.0;
            let is_of_scrape = |at: f64| up.iter().any(|(time, _)| same_time(*time, at));
            if series.samples.iter().any(|(at, _)| span.contains(at) && !is_of_scrape(*at)) {
                continue;
            }
            let is_there = |at: f64| series.samples.iter().any(|(time, _)| same_time(*time, at));
            // A new process has the series again only once something has counted in it.
            let survived = |at: f64| {
                let before =
                    series.samples.iter().rfind(|(time, _)| *time < at).map_or(first, |(time, _)| *time);
                let after =
                    series.samples.iter().find(|(time, _)| *time > at).map_or(last, |(time, _)| *time);
                !self.was_restarted(before, after)
            };
            let missing = good.iter().find(|at| {
                (first..last).contains(*at) && !is_there(**at) && !self.is_explained(**at) && survived(**at)
            });
            if let Some(at) = missing {
                let series = saasbench_exposition::show_labels(name, &series.labels);
                let observed = format!(
                    "{series} is not among the samples of the scrape at {:.1} s, and is there before and after",
                    self.on_our_clock(*at).as_secs_f64()
                );
                let finding = Evidence::new(
                    Outcome::Fail,
                    "staleness",
                    "a counter stays until its process ends",
                    observed,
                );
                let sentence = "a part of the exposition is missing at times";
                let diagnosis = Diagnosis::new("metrics-truncated", serde_json::json!({}), sentence);
                return Some(diagnosed(finding, diagnosis));
            }
        }
        None
    }

    /// Pauses in which Prometheus did not scrape at all.
    fn gaps(&self, up: &[Raw]) -> Option<Evidence> {
        let interval = self.interval?;
        let expected = format!("a scrape every {interval:.1} s");
        let gap = up
            .windows(2)
            .map(|pair| (pair[0].0, pair[1].0 - pair[0].0))
            .filter(|(at, gap)| {
                *gap > GAP * interval && !self.is_explained(*at) && !self.is_explained(at + gap)
            })
            .max_by(|a, b| a.1.total_cmp(&b.1));
        Some(match gap {
            None => Evidence::new(Outcome::Pass, "gaps", &expected, expected.clone()),
            Some((at, gap)) => {
                let observed = format!(
                    "Prometheus did not scrape it for {gap:.1} s from {:.1} s on, and otherwise does every {interval:.1} s",
                    self.on_our_clock(at).as_secs_f64()
                );
                Evidence::new(Outcome::Inconclusive, "gaps", expected, observed)
            }
        })
    }

    /// Raw samples, while the load ran, of a metric that Prometheus writes for each scrape.
    fn samples(&self, answers: &[ResponseRecord], metric: &str) -> Vec<Raw> {
        let series = series_of(answers, metric, self.replica);
        series.first().map(|series| in_load(self.run, &series.samples)).unwrap_or_default()
    }

    /// Whether a restart or a stall of this machine explains a failure at this time.
    fn is_explained(&self, at: f64) -> bool {
        let reach = Nanos::from_secs_f64(2.0 * self.interval.unwrap_or(1.0))
            + self.run.manifest.environment.clock_offset_ns;
        let at = self.on_our_clock(at);
        let (from, to) = (at - reach, at + reach);
        self.restarts.iter().any(|(begin, end)| from < *end && *begin < to)
            || self.exclusions.clear(at, to) < (to - at)
    }

    /// Whether a scrape of our own at that time succeeded fast enough for Prometheus.
    fn was_answered(&self, at: f64) -> bool {
        let at = self.on_our_clock(at);
        let near = |scrape: &&Scrape| scrape.from - SAME_SECOND <= at && at <= scrape.from + SAME_SECOND;
        self.scrapes.iter().filter(near).any(|scrape| {
            let is_whole = scrape.page.as_ref().is_some_and(|page| page.flaw.is_none());
            is_whole && scrape.to - scrape.from <= self.contract.scrape_within
        })
    }

    /// Whether the process had certainly sent a response by the time of a scrape, which must therefore show
    /// it.
    fn has_counted(&self, at: f64) -> bool {
        let at_ours = self.on_our_clock(at) - self.run.manifest.environment.clock_offset_ns;
        self.first_answer.is_some_and(|first| first < at_ours) && !self.is_explained(at)
    }

    /// Whether it was restarted between two of Prometheus's scrapes.
    fn was_restarted(&self, from: f64, to: f64) -> bool {
        let offset = self.run.manifest.environment.clock_offset_ns;
        let (from, to) = (self.on_our_clock(from) - offset, self.on_our_clock(to) + offset);
        self.restarts.iter().any(|(begin, end)| from < *end && *begin < to)
    }

    /// Diagnoses a body that Prometheus cannot read, from our own scrapes.
    fn cut_off(&self) -> Option<Diagnosis> {
        let scrapes = self.scrapes;
        let flaws: Vec<_> = scrapes.iter().filter_map(|scrape| scrape.page.as_ref()?.flaw.as_ref()).collect();
        if !flaws.is_empty() && flaws.iter().all(|flaw| flaw.at_end) {
            let sentence = "the scrapes end in the middle of their last line, so Prometheus rejects them";
            return Some(Diagnosis::new("metrics-truncated", serde_json::json!({}), sentence));
        }
        let durations = super::Durations::of(scrapes, self.exclusions);
        let median = durations.median().filter(|median| *median > self.contract.scrape_within)?;
        (durations.0.len() >= FEW).then(|| slow_page(median))
    }

    fn on_our_clock(&self, unix: f64) -> Nanos {
        Nanos::from_secs_f64(unix) - Nanos(self.run.manifest.started_unix_ns)
    }
}

fn intervals(samples: &[Raw]) -> Vec<f64> {
    samples.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    (values.len() >= FEW).then(|| values.get(values.len() / 2).copied()).flatten()
}
