//! Judges a recorded run: compares what clients saw with what the service promised and with what its metrics
//! claim.
//!
//! The crate does no I/O but reading the recorded run (`saasbench-record`), so that any run can be judged
//! again with the same result. Limits are decided by `saasbench-limiter`, metrics are parsed by
//! `saasbench-exposition`; `saasbench-report` renders the [`Report`].
//!
//! One pass over the samples feeds the tables (`summary`, and `distribution` for charts), the client's
//! `ledger`, the limiters' histories (`limits`) and the scenario's `expectations`, each with what
//! `stall_attribution` says about the sample; then each claim is judged in its own module. `verdict` defines
//! what a verdict is, `replicas` reduces the scrapes of a replica to its counters before and after the load.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let run = saasbench_record::reader::RecordedRun::open("runs/20261121T101500Z-flood".as_ref())?;
//! let report = saasbench_verify::verify(&run)?;
//! println!("{:?}", report.outcome);
//! # Ok(())
//! # }
//! ```

pub mod alerts;
pub mod capacity;
pub mod cardinality;
pub mod client_overhead;
pub mod compare;
pub mod counters;
pub mod distribution;
pub mod expectations;
pub mod gauges;
pub mod generator;
mod grouped;
pub mod headers;
pub mod histograms;
mod integrity;
pub mod isolation;
pub mod latency_bounds;
pub mod ledger;
pub mod limits;
pub mod noisy_neighbours;
#[cfg(test)]
mod nothing_tested;
pub mod pace;
mod parallel;
#[cfg(test)]
mod presets;
mod processes;
pub mod promql;
pub mod quantiles;
pub mod redis_health;
pub mod replicas;
pub mod rules;
pub mod scrapes;
pub mod series;
pub mod sizes;
pub mod stall_attribution;
mod start_bursts;
pub mod statistics;
pub mod summary;
#[cfg(any(test, feature = "testing"))]
#[expect(clippy::unwrap_used, clippy::panic, reason = "made for tests alone")]
pub mod testing;
pub mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use counters::{Assumptions, Observed, Progress, PrometheusSpan};
use expectations::Expectations;
use gauges::GaugeCollector;
use generator::{Bottleneck, Generator};
use headers::Headers;
use isolation::IsolationCollector;
use ledger::Ledger;
use limits::HistoryCollector;
use noisy_neighbours::NoisyNeighbourCollector;
use replicas::{NotQuiescent, QuiescentScrapes};
use saasbench_model::{plan::time::PlanInstant, scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    manifest::{LoadPhase, State},
    reader::RecordedRun,
    sample::Sample,
    scrape::Phase,
    segment::SegmentError,
};
use scrapes::Scrapes;
use stall_attribution::StallExclusions;
use summary::{Counts, Summary, SummaryCollector};
use verdict::{Outcome, Verdict};

/// The verdicts and tables of a recorded run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this JSON format; incremented when readers have to change.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The scenario's description.
    pub description: Option<String>,
    /// The scenario's seed.
    pub seed: u64,
    /// Name of the environment.
    pub environment: String,
    /// Directory of the recorded run.
    pub run: String,
    /// Whether and how the run ended.
    pub state: State,
    /// Zero of the run's clock, as nanoseconds since the Unix epoch.
    pub started_unix_ns: i64,
    /// When the load phase started and ended; `null` if the run ended before it.
    pub load: Option<LoadPhase>,
    /// What a reader should know before the verdicts, such as that the run was interrupted.
    pub notes: Vec<String>,
    /// Requests, outcomes and latency as clients saw them.
    pub summary: Summary,
    /// How the load generator may have affected the measurement.
    pub generator: Generator,
    /// One verdict per claim.
    pub verdicts: Vec<Verdict>,
    /// The worst outcome of all verdicts; never `pass` for a run that was killed, or whose record is
    /// damaged.
    pub outcome: Outcome,
}

/// Version of the JSON report; incremented when readers have to change.
pub const REPORT_VERSION: u32 = 1;

/// Judges a recorded run.
///
/// # Errors
/// When a segment cannot be read.
pub fn verify(run: &RecordedRun) -> Result<Report, SegmentError> {
    verify_with_observer(run, |_, _| {}, |_| {})
}

/// Like [`verify`], but also calls `each` with every sample and its number, and `each_history` with the judged
/// history of every key of every limit: reading samples and sorting histories take longest, and need not be
/// repeated for charts.
///
/// # Errors
/// When a segment cannot be read.
pub fn verify_with_observer(
    run: &RecordedRun,
    mut each: impl FnMut(u64, &Sample),
    each_history: impl FnMut(&limits::Judged<'_>),
) -> Result<Report, SegmentError> {
    let scenario = &run.scenario;
    let mut settled: Vec<Result<QuiescentScrapes, NotQuiescent>> = match &scenario.metrics {
        Some(contract) => {
            let exclusive = run.manifest.environment.exclusive;
            run.observations.scrapes.iter().map(|s| replicas::settled(s, contract, exclusive)).collect()
        }
        None => Vec::new(),
    };
    let bounds = scenario.metrics.iter().flat_map(|contract| bounds(contract, &settled));
    let drift = run.manifest.environment.clock_drift;
    let mut ledger = Ledger::new(scenario, run.replica_names().len(), bounds, drift);
    let mut summary = SummaryCollector::new(scenario, run.replica_names().len(), judged_from(run));
    let mut histories = HistoryCollector::new(scenario);
    let mut headers = Headers::new(&scenario.limits);
    let mut expectations = Expectations::new(scenario, run.manifest.environment.fresh, judged_from(run));
    let mut exclusions = StallExclusions::new(&run.self_monitor.stalls);
    let mut generator = generator::GeneratorCollector::new(judged_from(run), &run.self_monitor.usage);
    let mut isolation_collector = IsolationCollector::new(scenario);
    let mut noisy_neighbour_collector = NoisyNeighbourCollector::new(run);
    let mut in_flight = GaugeCollector::new(run);
    let mut progress = Progress::new(run);
    let mut scrapes = Scrapes::new(run);
    let mut last = Nanos::ZERO;
    run.for_each_sample(|id, sample| {
        each(id, sample);
        let attribution = exclusions.of(sample);
        ledger.add(sample, attribution);
        in_flight.add(sample);
        progress.add(sample, &exclusions);
        summary.add(sample);
        histories.add(scenario, id, sample, |key| headers.add(&scenario.limits, key, id, sample));
        expectations.add(scenario, id, sample, attribution, &exclusions);
        generator.add(sample, attribution);
        isolation_collector.add(scenario, id, sample);
        scrapes.add(scenario, id, sample);
        noisy_neighbour_collector.add(scenario, sample, attribution);
        last = last.max(sample.done);
    })?;
    ledger.close(scenario);
    for (index, settled) in settled.iter_mut().enumerate() {
        let (Some(views), Some(contract)) = (ledger.replica(index), &scenario.metrics) else { continue };
        if run.manifest.environment.exclusive {
            let until = views.unanswered_until(scenario.service.timeout);
            replicas::await_gauge(settled, contract, until, views.answered());
        }
    }

    tell_processes_apart(run, &ledger, &progress, &mut settled);

    let (generator, of_generator) = generator.finish(run, &exclusions);
    let bottleneck = of_generator.iter().find(|verdict| verdict.outcome != Outcome::Pass);
    let bound = bottleneck.map(|verdict| verdict.summary.clone());
    let bottleneck =
        bottleneck.map(|verdict| Bottleneck { bound: &verdict.summary, slack: generator.slack() });
    let mut verdicts = expectations.judge(run, &exclusions, bottleneck);
    let of_headers = headers.judge(run, &histories);
    verdicts.extend(histories.judge(run, each_history));
    verdicts.extend(of_headers);
    verdicts.extend(isolation_collector.judge(run));
    let flooded = run.scenario.neighbours.as_ref().map(|neighbours| neighbours.stated_at);
    verdicts.extend(
        noisy_neighbour_collector.judge(run).map(|verdict| verdict.stated(&run.manifest.scenario, flooded)),
    );
    verdicts.extend(promql::judge(run));
    verdicts.extend(rules::judge(run));
    verdicts.extend(redis_health::judge(run));
    if let Some(contract) = &scenario.metrics {
        verdicts.extend(scrape_verdicts(run, contract, &scrapes, &settled, &exclusions));
        verdicts.extend(metric_verdicts(run, contract, &ledger, &progress, &settled, bottleneck));
        verdicts.extend(in_flight.judge(run, &settled));
        verdicts.extend(cardinality::judge(run, in_flight.answered()));
    }
    verdicts.extend(alerts::judge(run, bound.as_deref()));
    verdicts.extend(of_generator);
    pace::withhold(run, &mut verdicts);
    integrity::withhold(run, &mut verdicts);
    let outcome = integrity::outcome(run, &verdicts);
    let summary = summary.finish(scenario, run.replica_names());
    Ok(Report {
        version: REPORT_VERSION,
        scenario: scenario.name.clone(),
        description: scenario.about.clone(),
        seed: scenario.seed,
        environment: run.manifest.environment.name.clone(),
        run: run.dir.display().to_string(),
        state: run.manifest.state,
        started_unix_ns: run.manifest.started_unix_ns,
        load: run.manifest.load,
        notes: notes(run, last, summary.warmup.as_ref()),
        summary,
        generator,
        verdicts,
        outcome,
    })
}

/// Finds several processes that start at the same time behind one address, from what each of them counts.
fn tell_processes_apart(
    run: &RecordedRun,
    ledger: &Ledger,
    progress: &Progress,
    settled: &mut [Result<QuiescentScrapes, NotQuiescent>],
) {
    let environment = &run.manifest.environment;
    let Some(contract) = run.scenario.metrics.as_ref().filter(|_| environment.exclusive) else { return };
    for (index, (replica, settled)) in environment.replicas.iter().zip(settled).enumerate() {
        let falls = settled.as_ref().is_ok_and(|seen| !seen.falls.is_empty() || !seen.restarts.is_empty());
        let (true, Some(views)) = (falls && run.manifest.state != State::Running, ledger.replica(index))
        else {
            continue;
        };
        let scrapes = run.observations.scrapes.get(index).map(Vec::as_slice).unwrap_or_default();
        let standings = progress.standings(&run.scenario, index);
        let observed = Observed { contract, replica, views, settled, scrapes, standings: &standings };
        if counters::is_met_again(&observed) {
            *settled = Err(NotQuiescent::SeveralProcesses { at_least: 2 });
        }
    }
}

/// Verdicts about the service's metrics: counters first, from both sources, then histograms and quantiles.
fn metric_verdicts(
    run: &RecordedRun,
    contract: &MetricsContract,
    ledger: &Ledger,
    progress: &Progress,
    settled: &[Result<QuiescentScrapes, NotQuiescent>],
    bottleneck: Option<Bottleneck<'_>>,
) -> Vec<Verdict> {
    let environment = &run.manifest.environment;
    let assumptions = Assumptions {
        exclusive: environment.exclusive,
        restarted: false,
        complete: run.manifest.state != State::Running,
    };
    let replicas = || {
        let indexed = environment.replicas.iter().zip(settled).enumerate();
        indexed.filter_map(|(i, (replica, settled))| Some((i, replica, ledger.replica(i)?, settled)))
    };
    let (mut by_scrape, mut by_prometheus) = (Vec::new(), Vec::new());
    for (i, replica, views, settled) in replicas() {
        let scrapes = run.observations.scrapes.get(i).map(Vec::as_slice).unwrap_or_default();
        let standings = progress.standings(&run.scenario, i);
        let standings = standings.as_slice();
        let observed = Observed { contract, replica, views, settled, scrapes, standings };
        by_scrape.extend(counters::by_scrape(&observed, assumptions));
        if environment.prometheus.is_some() {
            let span = prometheus_span(run, i);
            let answers = &run.observations.prometheus;
            by_prometheus.extend(counters::by_prometheus(
                contract,
                replica,
                (views, settled),
                answers,
                span,
                assumptions,
            ));
        }
    }
    for (scrape, prometheus) in by_scrape.iter_mut().zip(&mut by_prometheus) {
        counters::compare_source(scrape, prometheus);
    }
    let sources = by_scrape.into_iter().chain(by_prometheus);
    let mut verdicts: Vec<Verdict> = sources.map(|source| source.verdict).collect();
    for (_, replica, views, settled) in replicas() {
        verdicts.extend(histograms::judge(contract, replica, ledger, views, settled));
    }
    for (_, replica, views, settled) in replicas() {
        verdicts.extend(quantiles::judge(contract, replica, ledger, views, settled, bottleneck));
    }
    let replicas_seen: Vec<sizes::ReplicaView<'_>> =
        replicas().map(|(_, replica, views, settled)| (replica, views, settled)).collect();
    verdicts.extend(sizes::judge(&run.scenario, &replicas_seen, assumptions));
    verdicts
}

/// Verdicts about the scrapes themselves, by saasbench and by Prometheus; all other claims about metrics
/// depend on them.
fn scrape_verdicts(
    run: &RecordedRun,
    contract: &MetricsContract,
    scrapes: &Scrapes,
    settled: &[Result<QuiescentScrapes, NotQuiescent>],
    exclusions: &StallExclusions,
) -> Vec<Verdict> {
    let environment = &run.manifest.environment;
    let ours = environment.replicas.iter().enumerate().zip(&run.observations.scrapes).zip(settled);
    let ours =
        ours.map(|((replica, seen), settled)| scrapes.judge(contract, replica, seen, settled, exclusions));
    let of_prometheus = environment.prometheus.iter().flat_map(|_| environment.replicas.iter().enumerate());
    let theirs = of_prometheus.map(|replica| {
        let first = scrapes.first_answer(replica.0);
        scrapes::by_prometheus(run, contract, replica, first, exclusions)
    });
    ours.chain(theirs).collect()
}

/// The span that Prometheus's samples of a replica must cover.
fn prometheus_span(run: &RecordedRun, replica: usize) -> PrometheusSpan {
    let load = run.manifest.load;
    let rest = run.observations.scrapes.get(replica).and_then(|scrapes| {
        scrapes
            .iter()
            .rfind(|scrape| scrape.phase == Phase::After && scrape.text.is_ok())
            .map(|scrape| scrape.from)
    });
    let rest = rest.or(load.map(|load| load.to_ns)).unwrap_or(Nanos::MAX);
    let rest_unix = Nanos(run.manifest.started_unix_ns) + rest + run.manifest.environment.clock_offset_ns;
    PrometheusSpan { from: load.map_or(Nanos::ZERO, |load| load.from_ns), rest_unix: rest_unix.as_secs_f64() }
}

/// The bucket bounds of the contract's duration histograms, in seconds.
fn bounds(contract: &MetricsContract, settled: &[Result<QuiescentScrapes, NotQuiescent>]) -> Vec<f64> {
    let mut bounds = Vec::new();
    for settled in settled.iter().flatten() {
        for metric in histograms::metrics(contract) {
            for histogram in histograms::histograms(&settled.after, metric).values() {
                bounds.extend(histogram.buckets.iter().map(|bucket| bucket.upper));
            }
        }
    }
    bounds
}

/// When the warm-up ends, which is when samples start to be judged. `Nanos::MAX` if there is a warm-up and the
/// start of the load is unknown.
fn judged_from(run: &RecordedRun) -> Nanos {
    match (run.scenario.warmup, run.manifest.load) {
        (Nanos::ZERO, _) => Nanos(i64::MIN),
        (warmup, Some(load)) => {
            let end = run.manifest.plan_time().to_run_time(PlanInstant(load.start_ns + warmup));
            end.unwrap_or(Nanos::MAX)
        }
        (_, None) => Nanos::MAX,
    }
}

fn notes(run: &RecordedRun, last: Nanos, warmup: Option<&Counts>) -> Vec<String> {
    let state = match run.manifest.state {
        State::Finished => None,
        State::Interrupted => Some("the run was interrupted: only the recorded part is judged".to_owned()),
        State::Aborted => {
            let (at, why) = run.manifest.abort().unwrap_or((last, "its load was ended early"));
            let at = at.as_secs_f64();
            Some(format!("the run was aborted at {at:.1} s; only the recorded part is judged: {why}"))
        }
        State::Running => Some(format!(
            "the run was cut off (or is still running): it is judged up to its last complete segment, which ends at {:.1} s",
            last.as_secs_f64()
        )),
    };
    let changed = (!run.manifest.scenario.is_unchanged())
        .then(|| "the scenario in the record is not the one that was run: its text was changed".to_owned());
    let overrides = run.manifest.scenario.overrides;
    let loads = (!overrides.is_empty()).then(|| format!("changed by the command line: {overrides}"));
    let faults = &run.manifest.environment.faults;
    let lies = (!faults.is_empty())
        .then(|| format!("the service ran with injected faults: --fault {}", faults.join(" --fault ")));
    let insecure = run.manifest.environment.insecure.then(|| {
        "certificates were not verified (insecure): nothing proves that the responses came from the service"
            .to_owned()
    });
    let warmup = warmup.filter(|_| run.manifest.load.is_some()).map(|counts| {
        let Counts { requests, dropped, errors, .. } = counts;
        format!(
            "warm-up of {}: limits and metrics include its {requests} requests; expectations and latency exclude them (errors: {errors}, dropped arrivals: {dropped})",
            run.scenario.warmup
        )
    });
    state
        .into_iter()
        .chain(pace::note(run))
        .chain(changed)
        .chain(integrity::notes(run))
        .chain(loads)
        .chain(lies)
        .chain(insecure)
        .chain(warmup)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::Judge as _;
    use saasbench_record::{
        sample::RequestOutcome,
        testing::{TestRun, sample},
    };

    #[test]
    fn a_scenario_that_was_changed_in_the_record_is_noted() {
        let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
        assert_eq!(made.judge().notes, [""; 0]);
        // Not by accident: the manifest has a checksum.
        made.manifest.scenario.text.push_str("# more\n");
        assert!(made.judge().notes[0].contains("its text was changed"));
    }
}
