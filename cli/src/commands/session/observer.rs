//! Everything that is observed besides the load: the replicas' metrics, Prometheus's view of them, the
//! limiter's Redis, and the generator itself.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::signals::Signals;

use crate::{
    environment::RunningEnvironment,
    observe::{
        alerts::Followed,
        observer_log::{ObserverLog, ProbeLog},
        pages::{HttpPages, Pages, PagesOfName},
        prometheus::Prometheus,
        replica_client, replica_client_afresh, rules,
        scrape::{Scraper, Source},
        store, until,
    },
    output::Output,
};
use saasbench_engine::{
    clock::RunClock,
    self_monitor::{hiccup::Meter, in_flight::InFlight, stall_log::StallLog},
};
use saasbench_model::{
    plan::time::{PlanInstant, PlanTime},
    scenario::{Alert, Scenario},
    units::{Nanos, Tolerance},
};
use saasbench_record::{
    manifest::{Environment, LoadPhase, Manifest},
    promql,
    scrape::Phase,
    writer::RecordError,
};

/// How long a service may take to become quiescent after the load.
const SETTLE: Duration = Duration::from_secs(15);
/// How long Prometheus may take for a scrape that a claim needs: the longest usual interval, plus a margin.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(75);

/// Everything that is observed besides the load.
#[derive(Debug)]
pub(super) struct Observer<'a> {
    scraper: Option<Arc<Scraper>>,
    prometheus: Option<Prometheus>,
    scenario: &'a Scenario,
    up: &'a RunningEnvironment,
    dir: PathBuf,
    clock: RunClock,
    /// Log of the Redis samples, during the load and after it.
    store_looks: Arc<ProbeLog>,
}

/// Observation during the load.
#[derive(Debug)]
pub(super) struct Watching {
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<std::io::Result<()>>,
    meter: Meter,
    dir: PathBuf,
}

impl<'a> Observer<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        up: &'a RunningEnvironment,
        dir: &Path,
        clock: RunClock,
        observer_log: Option<&ObserverLog>,
    ) -> Result<Self, RecordError> {
        let looks = || ProbeLog::new(observer_log.cloned());
        let scraper = match &scenario.metrics {
            Some(contract) => {
                let scraper =
                    Scraper::new(sources(up, contract.body_size_limit)?, contract.clone(), dir, clock);
                Some(Arc::new(scraper.map_err(RecordError::write(dir))?.with_log(looks())))
            }
            None => None,
        };
        let bounds_are_asked = !scenario.alerts.is_empty() || !scenario.promql.is_empty();
        let is_asked = scenario.metrics.is_some() || bounds_are_asked;
        let prometheus = up.prometheus().cloned().filter(|_| is_asked);
        let prometheus = prometheus.map(|client| Prometheus::new(client, dir, clock)).transpose();
        let prometheus = prometheus.map_err(RecordError::write(dir))?;
        let prometheus = prometheus.map(|prometheus| prometheus.with_log(looks()));
        let store_looks = Arc::new(looks());
        Ok(Self { scraper, prometheus, scenario, up, dir: dir.to_owned(), clock, store_looks })
    }

    /// Scrapes before the load; if something may have moved the counters before, until they are quiescent.
    /// Prometheus must have scraped that state, too, and is waited for.
    pub(super) async fn before(&self, signals: &Signals, output: &mut Output<'_>) -> Result<(), RecordError> {
        let (environment, stop) = (self.up.environment(), &signals.stop);
        if let Some(scraper) = &self.scraper {
            let scraping = async {
                scraper.look_around(Phase::Before, &signals.give_up).await?;
                if environment.fresh || !environment.exclusive {
                    scraper.scrape_all(Phase::Before).await
                } else {
                    scraper.settle(Phase::Before, SETTLE, &signals.give_up).await
                }
            };
            unless_stopped(stop, scraping).await.map_err(RecordError::write(&self.dir))?;
        }
        if let (Some(prometheus), Some(_)) = (&self.prometheus, &self.scraper) {
            output.note("waiting for Prometheus to scrape every replica");
            self.wait_for_prometheus(prometheus, stop).await?;
        }
        Ok(())
    }

    async fn wait_for_prometheus(
        &self,
        prometheus: &Prometheus,
        stop: &CancellationToken,
    ) -> Result<(), RecordError> {
        let Environment { replicas, clock_offset_ns, .. } = self.up.environment();
        let since = self.clock.now();
        let waiting = prometheus.wait_for_scrapes(replicas, since, *clock_offset_ns, PROMETHEUS_TIMEOUT);
        unless_stopped(stop, waiting).await.map_err(RecordError::write(&self.dir))
    }

    pub(super) fn watch(&self, in_flight: Arc<InFlight>) -> Result<Watching, RecordError> {
        let meter = Meter::start(&self.dir, self.clock, in_flight).map_err(RecordError::write(&self.dir))?;
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(scraper) = &self.scraper {
            let (scraper, stop) = (Arc::clone(scraper), stop.clone());
            tasks.spawn(async move { scraper.scrape_until(stop).await });
        }
        if let Some(url) = self.up.redis_url().map(str::to_owned) {
            let (dir, clock, stop) = (self.dir.clone(), self.clock, stop.clone());
            let looks = Arc::clone(&self.store_looks);
            tasks.spawn(async move { store::watch(&url, &dir, clock, stop, &looks).await });
        }
        Ok(Watching { stop, tasks, meter, dir: self.dir.clone() })
    }

    /// Observation after the load: the final counters, and then whatever a claim needs to wait for.
    pub(super) async fn after(
        &self,
        manifest: &Manifest,
        signals: &Signals,
        output: &mut Output<'_>,
    ) -> Result<(), RecordError> {
        let Some(phase) = manifest.load else { return Ok(()) };
        let (time, stop, give_up) = (manifest.plan_time(), &signals.stop, &signals.give_up);
        self.counters(phase, give_up, output).await?;
        until(give_up, self.store_at_rest())
            .await
            .unwrap_or(Ok(()))
            .map_err(RecordError::write(&self.dir))?;
        let note = |text: &str| output.note(text);
        let asked = until(give_up, self.questions(phase, &time, stop, note)).await;
        asked.unwrap_or(Ok(())).map_err(RecordError::write(&self.dir))?;
        until(give_up, self.alerts(phase, &time, stop, output)).await.unwrap_or(Ok(()))
    }

    /// Follows alerts until each has done what is promised, or is too late.
    async fn alerts(
        &self,
        phase: LoadPhase,
        time: &PlanTime,
        stop: &CancellationToken,
        output: &mut Output<'_>,
    ) -> Result<(), RecordError> {
        let (Some(prometheus), [_, ..]) = (&self.prometheus, &*self.scenario.alerts) else { return Ok(()) };
        let Environment { clock_offset_ns, clock_drift, .. } = *self.up.environment();
        let tolerance = Tolerance { offset: clock_offset_ns, drift: clock_drift };
        let begin = phase.start_ns;
        let placed = |alert: &Alert| {
            let promise = alert.promise.placed(|at| reached(time, begin + at) - begin);
            Alert { promise, ..alert.clone() }
        };
        let alerts: Vec<Alert> = self.scenario.alerts.iter().map(placed).collect();
        let followed = Followed { alerts: &alerts, begin, tolerance };
        let following = followed.follow(prometheus, self.clock, stop, |text| output.note(text));
        following.await.map_err(RecordError::write(&self.dir))
    }

    /// Queries to Prometheus besides raw samples: the scenario's PromQL expectations, and what rules
    /// recorded.
    async fn questions(
        &self,
        phase: LoadPhase,
        time: &PlanTime,
        stop: &CancellationToken,
        note: impl FnMut(&str),
    ) -> std::io::Result<()> {
        let Some(prometheus) = &self.prometheus else { return Ok(()) };
        let warm = reached(time, phase.start_ns + self.scenario.warmup);
        for promql in &self.scenario.promql {
            let started = self.clock.zero_unix();
            let question =
                promql::question(promql, self.scenario, self.up.environment(), phase, warm, started);
            prometheus.record(&question).await?;
        }
        let unix = |at: Nanos| (self.clock.zero_unix() + at).as_secs_f64();
        let span = (unix(phase.from_ns), unix(phase.to_ns));
        rules::record(prometheus, self.scenario, span, stop, note).await
    }

    /// A last sample of Redis when the service is quiescent: by then every key has its TTL.
    async fn store_at_rest(&self) -> std::io::Result<()> {
        let Some(url) = self.up.redis_url() else { return Ok(()) };
        let once = CancellationToken::new();
        once.cancel();
        store::watch(url, &self.dir, self.clock, once, &self.store_looks).await
    }

    /// The counters when they are quiescent, and Prometheus's samples once it has scraped them.
    async fn counters(
        &self,
        phase: LoadPhase,
        give_up: &CancellationToken,
        output: &mut Output<'_>,
    ) -> Result<(), RecordError> {
        let Some(contract) = &self.scenario.metrics else { return Ok(()) };
        let environment = self.up.environment();
        if let Some(scraper) = &self.scraper {
            // In a shared environment the counters never stop; it is enough to wait until ours are included.
            let deadline = if environment.exclusive { SETTLE } else { contract.settle.to_duration() };
            let looked_around = scraper.look_around(Phase::After, give_up).await;
            looked_around.map_err(RecordError::write(&self.dir))?;
            scraper.settle(Phase::After, deadline, give_up).await.map_err(RecordError::write(&self.dir))?;
        }
        if let Some(prometheus) = &self.prometheus {
            output.note("waiting for Prometheus to see the end");
            let never = CancellationToken::new();
            until(give_up, self.wait_for_prometheus(prometheus, &never)).await.unwrap_or(Ok(()))?;
            // From well before the load, so that every series' value at its start is among the samples.
            let from = phase.from_ns - Nanos::from_secs(120);
            let raw = prometheus.record_raw_samples(contract, &environment.replicas, from);
            until(give_up, raw).await.unwrap_or(Ok(())).map_err(RecordError::write(&self.dir))?;
        }
        Ok(())
    }
}

/// The run's instant of a plan's instant; later than all others if an unfinished pause is in between.
fn reached(time: &PlanTime, planned: Nanos) -> Nanos {
    time.to_run_time(PlanInstant(planned)).unwrap_or(Nanos::MAX)
}

/// How each replica's metrics are fetched.
fn sources(up: &RunningEnvironment, body_size_limit: u64) -> Result<Vec<Source>, RecordError> {
    let endpoints = up.connections().endpoints.replicas().iter();
    let sources =
        endpoints.zip(&up.environment().replicas).enumerate().map(|(index, (endpoint, replica))| {
            let target = endpoint.target();
            let http = replica_client(&up.connections().tls, endpoint).map_err(RecordError::tls)?;
            let afresh = replica_client_afresh(&up.connections().tls, endpoint).map_err(RecordError::tls)?;
            let pages = HttpPages { http, afresh, base_url: target.base_url(), body_size_limit };
            // Without an address for the run, what is scraped may be another process than what is loaded.
            let pages: Box<dyn Pages> = match (endpoint.address(), target.socket()) {
                (None, None) => {
                    Box::new(PagesOfName { pages, endpoints: Arc::clone(&up.connections().endpoints), index })
                }
                _ => Box::new(pages),
            };
            Ok(Source { replica: replica.clone(), pages })
        });
    sources.collect()
}

/// Waits for `work`, but not beyond `graceful_stop`: then its result stays unknown.
async fn unless_stopped(
    stop: &CancellationToken,
    work: impl Future<Output = std::io::Result<()>>,
) -> std::io::Result<()> {
    tokio::select! {
        result = work => result,
        () = stop.cancelled() => Ok(()),
    }
}

impl Watching {
    /// The stalls of the generator so far.
    pub(super) fn stalled(&self) -> Arc<StallLog> {
        self.meter.stall_log()
    }

    pub(super) async fn finish(mut self, give_up: &CancellationToken) -> Result<(), RecordError> {
        self.stop.cancel();
        self.meter.finish().map_err(RecordError::write(&self.dir))?;
        // What is still going on when this is given up ends with the set.
        while let Some(Some(result)) = until(give_up, self.tasks.join_next()).await {
            result.map_err(|_| RecordError::Ended)?.map_err(RecordError::write(&self.dir))?;
        }
        Ok(())
    }
}
