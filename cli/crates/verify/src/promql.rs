//! Does the result of a PromQL query keep its bound? Every value of every series must; a result that is
//! empty, partial, `NaN` or missing proves nothing.

use super::verdict::{Claim, Evidence, Outcome, Verdict};
use crate::counters::raw::whole;
use saasbench_exposition::show_labels;
use saasbench_model::{
    plan::time::PlanInstant,
    scenario::promql::{At, Promql},
    units::Nanos,
};
use saasbench_record::{
    prometheus::{RawSeries, ResponseRecord, values},
    promql::question,
    reader::RecordedRun,
};

/// Judges all PromQL expectations; those about a fresh start are left out elsewhere.
pub fn judge(run: &RecordedRun) -> Vec<Verdict> {
    let fresh = run.manifest.environment.fresh;
    let all = run.scenario.promql.iter().filter(|promql| fresh || !promql.fresh);
    all.map(|promql| one(run, promql).stated(&run.manifest.scenario, promql.stated_at)).collect()
}

fn one(run: &RecordedRun, promql: &Promql) -> Verdict {
    let every = if promql.at == At::Every { ", at every scrape interval" } else { "" };
    let subject = format!("{} {}{every}", promql.query, promql.is);
    let series = match answer(run, promql) {
        Ok(series) => series,
        Err(why) => return Verdict::inconclusive(Claim::Promql, subject, why),
    };
    let evidence: Vec<Evidence> = series.iter().filter_map(|series| finding(run, promql, series)).collect();
    if evidence.is_empty() {
        let why = "Prometheus returned no value: no series matches the query, or none had samples then";
        return Verdict::inconclusive(Claim::Promql, subject, why);
    }
    Verdict::from_evidence(Claim::Promql, subject, evidence, |outcome, evidence| {
        let against = evidence.iter().filter(|finding| finding.outcome == outcome).count();
        match (evidence.len(), outcome) {
            (1, _) => evidence[0].observed.clone(),
            (all, Outcome::Pass) => format!("{all} series hold; {}", evidence[0].observed),
            (all, _) => format!("{against} of {all} series: {}", evidence[0].observed),
        }
    })
}

/// The series of the result, or why there are none.
fn answer(run: &RecordedRun, promql: &Promql) -> Result<Vec<RawSeries>, String> {
    let environment = &run.manifest.environment;
    if environment.prometheus.is_none() {
        return Err(format!(
            "the environment `{}` has no Prometheus to query (--prometheus, or `prometheus` in saasbench.toml)",
            environment.name
        ));
    }
    let ended = || "Prometheus was not queried: the run ended first".to_owned();
    let load = run.manifest.load.ok_or_else(ended)?;
    let started = Nanos(run.manifest.started_unix_ns);
    let warm = PlanInstant(load.start_ns + run.scenario.warmup);
    let warm = run.manifest.plan_time().to_run_time(warm).unwrap_or(Nanos::MAX);
    let question = question(promql, &run.scenario, environment, load, warm, started);
    let is_range = promql.at == At::Every;
    let is_asked = |record: &&ResponseRecord| {
        record.query == question.text() && record.range_s.is_some() == is_range && record.at_ns >= load.to_ns
    };
    let record = run.observations.prometheus.iter().rfind(is_asked).ok_or_else(ended)?;
    Ok(values(whole(record)?))
}

/// The finding about a series: its worst value.
fn finding(run: &RecordedRun, promql: &Promql, series: &RawSeries) -> Option<Evidence> {
    let subject = if series.labels.is_empty() { "value".to_owned() } else { show_labels("", &series.labels) };
    let at = |unix: f64| {
        let at = Nanos::from_secs_f64(unix) - Nanos(run.manifest.started_unix_ns);
        format!("at {:.1} s", at.as_secs_f64())
    };
    let label = if series.labels.is_empty() { String::new() } else { format!("{subject} ") };
    let breaks = |value: f64| !value.is_nan() && !promql.comparison.holds(value, promql.bound);
    let broken = series.samples.iter().filter(|(_, value)| breaks(*value)).count();
    // A number that breaks the bound is proof, whatever is undefined at other instants.
    let unclear = series.samples.iter().find(|(_, value)| broken == 0 && value.is_nan());
    if let Some((when, _)) = unclear {
        let observed = format!("{label}NaN {}: undefined without data", at(*when));
        return Some(Evidence::new(Outcome::Inconclusive, subject, &promql.is, observed));
    }
    let far = |value: f64| (value - promql.bound).abs();
    let of_interest = series.samples.iter().filter(|(_, value)| broken == 0 || breaks(*value));
    // The value that breaks the bound most or, if none does, comes closest.
    let (when, value) = of_interest.min_by(|a, b| {
        let order = far(a.1).total_cmp(&far(b.1));
        if broken > 0 { order.reverse() } else { order }
    })?;
    let outcome = if broken > 0 { Outcome::Fail } else { Outcome::Pass };
    let number = if value.is_infinite() {
        format!("{}Inf", if *value > 0.0 { "+" } else { "-" })
    } else {
        format!("{value}")
    };
    let observed = match (series.samples.len(), broken) {
        (1, _) => format!("{label}{number} {}", at(*when)),
        (all, 0) => format!("{label}{number} {} of {all} values is the closest", at(*when)),
        (all, _) => format!("{label}{number} {}; {broken} of {all} values are not {}", at(*when), promql.is),
    };
    let finding = Evidence::new(outcome, subject, &promql.is, observed);
    Some(if outcome == Outcome::Fail { finding.detail("see observations/prometheus.jsonl") } else { finding })
}

#[cfg(test)]
mod tests;
