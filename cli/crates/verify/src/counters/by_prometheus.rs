//! Prometheus as a source: its raw samples of a replica, placed by its own clock.

use super::{
    Assumptions, Counter, CounterSource, Gains, cell, compare, counters,
    diagnose::Accounts,
    expected::expected,
    raw::{asked, same_time, series_of, target},
};
use crate::{
    ledger::Views,
    replicas::{NotQuiescent, QuiescentScrapes},
    verdict::{Claim, Verdict},
};
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    manifest::Replica,
    prometheus::{POSITION, RawSeries, ResponseRecord, newest_scrapes},
};

/// The span that Prometheus's samples of a replica must cover to show the whole run.
#[derive(Debug, Clone, Copy)]
pub struct PrometheusSpan {
    /// No request was sent before this, on the run's clock.
    pub from: Nanos,
    /// By this time the replica's counters were quiescent: seconds since the epoch, the clocks' tolerance
    /// included.
    pub rest_unix: f64,
}

/// Compares Prometheus's raw samples of a replica with the ledger: one verdict per counter.
pub fn by_prometheus(
    contract: &MetricsContract,
    replica: &Replica,
    (views, settled): (&Views, &Result<QuiescentScrapes, NotQuiescent>),
    answers: &[ResponseRecord],
    span: PrometheusSpan,
    assumptions: Assumptions,
) -> Vec<CounterSource> {
    let judge = |counter: Counter<'_>| {
        let subject = counter.subject(replica, "Prometheus");
        let before = match one_process(settled).and_then(|()| seen_whole_run(answers, counter, replica, span))
        {
            Ok(before) => before,
            Err(why) => {
                let verdict = Verdict::inconclusive(Claim::Counters, subject, why);
                return CounterSource { verdict, gains: None };
            }
        };
        let restarted = series_of(answers, "process_start_time_seconds", replica)
            .iter()
            .any(|series| series.samples.windows(2).any(|pair| pair[0].1 != pair[1].1));
        let mut gains = Gains::new();
        for series in series_of(answers, counter.name, replica) {
            if let Some(key) = cell(counter, &series.labels) {
                *gains.entry(key).or_default() += gain(&series, before);
            }
        }
        let assumptions = Assumptions { restarted, ..assumptions };
        let place = "see observations/prometheus.jsonl";
        let verdict = compare(subject, counter, views, &gains, assumptions, place);
        let reported = assumptions.exclusive && assumptions.complete && !restarted;
        let accounts = Accounts::new(&expected(counter, counter.ledger(views), &gains), &gains);
        let diagnosis = accounts.diagnose(None).filter(|_| reported);
        CounterSource { verdict: verdict.explained(diagnosis), gains: Some(gains) }
    };
    counters(contract).into_iter().map(judge).collect()
}

/// Prometheus meets any of several processes, and puts what it reads into one series.
fn one_process(settled: &Result<QuiescentScrapes, NotQuiescent>) -> Result<(), String> {
    match settled {
        Err(why @ NotQuiescent::SeveralProcesses { .. }) => Err(why.to_string()),
        _ => Ok(()),
    }
}

/// The time of Prometheus's last scrape before the load, by its own clock; or why it did not cover the whole
/// run.
fn seen_whole_run(
    answers: &[ResponseRecord],
    counter: Counter<'_>,
    replica: &Replica,
    span: PrometheusSpan,
) -> Result<f64, String> {
    asked(answers, counter.name)?;
    let up = target(answers, replica)?;
    let position = |of: &dyn Fn(&&ResponseRecord) -> bool| {
        let answer = answers.iter().filter(|answer| answer.query == POSITION).rfind(of)?.answer.as_ref()?;
        newest_scrapes(answer).get(&replica.instance).copied()
    };
    let up_at = |at: f64| up.samples.iter().rfind(|(time, _)| same_time(*time, at)).map(|(_, up)| *up);
    let Some(before) = position(&|answer| answer.at_ns <= span.from).filter(|at| up_at(*at) == Some(1.0))
    else {
        return Err("Prometheus had not scraped it before the load began".to_owned());
    };
    match position(&|answer| answer.at_ns > span.from).filter(|at| *at >= span.rest_unix) {
        None => Err("Prometheus has not scraped it since its counters stopped changing".to_owned()),
        Some(at) if up_at(at) != Some(1.0) => Err("Prometheus found it down after the load".to_owned()),
        Some(_) => Ok(before),
    }
}

/// The increase of a counter since the scrape at `before`: the sum of its increments. A decrease is a reset,
/// after which it counts from zero. A series that did not exist at `before` starts at zero.
fn gain(series: &RawSeries, before: f64) -> f64 {
    let until = |at: f64| at < before || same_time(at, before);
    let mut last = series.samples.iter().rfind(|(at, _)| until(*at)).map_or(0.0, |(_, value)| *value);
    let mut gain = 0.0;
    for (_, value) in series.samples.iter().filter(|(at, _)| !until(*at)) {
        gain += if *value >= last { value - last } else { *value };
        last = *value;
    }
    gain
}
