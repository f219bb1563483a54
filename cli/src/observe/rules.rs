//! Records what recording rules computed, twice: their recorded samples, and their expressions evaluated at
//! the same instants.

use std::io;

use tokio_util::sync::CancellationToken;

use super::prometheus::Prometheus;
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{
    prometheus::matrix,
    query::ApiRequest,
    rules::{Rule, concerned, groups},
};

/// Instants of each rule that are evaluated again, the newest.
const INSTANTS: usize = 5;
/// Rules that are checked at most: each takes several queries, and the user waits for them.
const MOST: usize = 50;

/// Records all rules, the samples that the run's recording rules recorded from `from` to `to` (seconds since
/// the epoch), and their expressions evaluated at some instants of that span. It ends with `stop`,
/// or with the first query without a response.
///
/// # Errors
/// The file system's.
pub async fn record(
    prometheus: &Prometheus,
    scenario: &Scenario,
    span: (f64, f64),
    stop: &CancellationToken,
    note: impl FnMut(&str),
) -> io::Result<()> {
    tokio::select! {
        result = ask(prometheus, scenario, span, note) => result,
        () = stop.cancelled() => Ok(()),
    }
}

async fn ask(
    prometheus: &Prometheus,
    scenario: &Scenario,
    (from, to): (f64, f64),
    mut note: impl FnMut(&str),
) -> io::Result<()> {
    let Some(answer) = prometheus.record(&ApiRequest::Rules).await? else { return Ok(()) };
    let rules: Vec<Rule> = concerned(&groups(&answer), scenario)
        .into_iter()
        .flat_map(|group| group.rules)
        .filter(|rule| rule.is_recording() && rule.health != "err")
        .collect();
    if rules.len() > MOST {
        note(&format!("of {} recording rules {MOST} are compared with their expressions", rules.len()));
    }
    let range = Nanos::from_secs_f64(to - from).as_secs_f64().ceil().max(1.0);
    for rule in rules.iter().take(MOST) {
        let query = format!("{}[{range}s]", rule.name);
        let Some(samples) = prometheus.record(&ApiRequest::Instant { query, time: to }).await? else {
            return Ok(());
        };
        let mut instants: Vec<f64> =
            matrix(&samples).iter().flat_map(|series| series.samples.iter().map(|(at, _)| *at)).collect();
        instants.sort_by(f64::total_cmp);
        instants.dedup();
        for time in instants.into_iter().rev().take(INSTANTS) {
            let request = ApiRequest::Instant { query: rule.query.clone(), time };
            if prometheus.record(&request).await?.is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}
