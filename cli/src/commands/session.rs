//! One run of a scenario in a running environment: drives the load, observes, records, judges.

mod abort_monitor;
mod judging;
mod manifest_writer;
mod observer;
mod signals;

use std::{collections::BTreeMap, num::NonZero, path::Path, sync::Arc};

use tokio::sync::oneshot;

use self::observer::Observer;
pub(super) use self::{
    judging::{Judged, judge, judge_with_observer, record_failure, record_failure_text},
    signals::Signals,
};
use crate::commands::session::{abort_monitor::AbortMonitor, manifest_writer::ManifestWriter};
use crate::{
    environment::RunningEnvironment,
    exit::{Exit, Failure},
    live::view::Phase,
    output::{Output, details},
    publish::self_metrics::{Live, SelfMetricsServer, Subject},
    secrets::redactor,
};
use saasbench_engine::{
    canary::Canaries,
    clock::RunClock,
    connect::{
        descriptors::{self, Needed},
        endpoint::{Endpoint, Protocol},
    },
    drive::{self, Ending},
    rate_control::{RateControl, RateControlReceiver},
    redactor::credentials,
    render::Origin,
    self_monitor::{in_flight::InFlight, response_timeout::ResponseTimeout},
    wire::Wire,
    worker::Setup,
};
use saasbench_model::{
    scenario::{Routing, Scenario},
    units::Tolerance,
};
use saasbench_record::{
    damage::{self, Part},
    manifest::{FORMAT, Machine, Manifest, ScenarioText, State},
    writer::{RecordError, Recorder, TallyReader},
};

/// The inputs of a run, apart from its directory.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) scenario: Arc<Scenario>,
    /// Its text, for the record.
    pub(super) text: ScenarioText,
    /// The environment.
    pub(super) up: &'a RunningEnvironment,
    /// Number of threads that send requests, if requested.
    pub(super) workers: Option<NonZero<usize>>,
    /// Where the generator's metrics are served, if anywhere.
    pub(super) self_metrics: Option<SelfMetricsServer>,
    /// Receives the counter of requests in flight, if it is needed.
    pub(super) in_flight: Option<oneshot::Sender<Arc<InFlight>>>,
}

/// Everything that drives the load.
struct LoadRun<'a> {
    setup: Setup,
    observer: &'a Observer<'a>,
    self_metrics: Option<&'a SelfMetricsServer>,
    signals: &'a Signals,
    turns: RateControlReceiver,
}

impl Session<'_> {
    /// Checks that the environment has the replicas, and this process the connections, that the scenario
    /// needs.
    ///
    /// # Errors
    /// When there are too few.
    pub(super) fn check(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        check_routing(&self.scenario, self.up.environment().replicas.len())?;
        check_descriptors(&self.scenario, self.up, output)
    }

    /// Drives the load and records everything; if it fails, the directory contains what was recorded.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(super) async fn record(
        &mut self,
        dir: &Path,
        output: &mut Output<'_>,
        signals: &Signals,
    ) -> Result<(), RecordError> {
        let clock = RunClock::start();
        let canaries = self.scenario.uses_canaries().then(Canaries::draw);
        let mut journal = ManifestWriter::begin(dir, self.manifest(clock, canaries.as_ref()))?;
        let self_metrics = self.publish(clock, dir, output).await;
        let controls = RateControl::default();
        // All later changes by hand are recorded.
        let turns = controls.subscribe();
        output.follow(&self.scenario, clock, &signals.interrupt, &controls);
        self.tell_details(output);
        let scenario = Arc::clone(&self.scenario);
        let observer = Observer::new(&scenario, self.up, dir, clock, output.observer_log().as_ref())?;
        observer.before(signals, output).await?;

        let setup = self.setup(clock, canaries).paced_by(turns.clone());
        let drive =
            LoadRun { setup, observer: &observer, self_metrics: self_metrics.as_ref(), signals, turns };
        self.drive(drive, &mut journal, output).await?;

        observer.after(journal.manifest(), signals, output).await?;
        if let Some(self_metrics) = self_metrics {
            let lost = self_metrics.finish(&signals.stop, |text| output.note(text)).await;
            lost.into_iter().for_each(|lost| output.warn(&lost));
        }
        output.enter_phase(Phase::Judging);
        journal.end(signals.interrupted())
    }

    fn tell_details(&self, output: &mut Output<'_>) {
        let (environment, connections) = (self.up.environment(), self.up.connections());
        let machine = details::machine(&Machine::this(), self.workers());
        let (plan, places) =
            (details::plan(&self.scenario), details::places(environment, &connections.endpoints));
        output.details(std::iter::once(machine).chain(plan).chain(places));
    }

    /// The manifest before anything is sent.
    fn manifest(&self, clock: RunClock, canaries: Option<&Canaries>) -> Manifest {
        Manifest {
            format: FORMAT,
            saasbench: env!("CARGO_PKG_VERSION").to_owned(),
            state: State::Running,
            scenario: self.text.clone(),
            environment: self.up.environment().clone(),
            machine: Machine::this(),
            started_unix_ns: clock.zero_unix().0,
            canary_nonce: canaries.map(|canaries| canaries.nonce().to_owned()),
            events: Vec::new(),
            load: None,
            recorded: None,
            files: damage::pending(&self.recorded_parts()),
        }
    }

    /// The parts of the record that are there from the first request on.
    fn recorded_parts(&self) -> Vec<Part> {
        let scrapes = self.scenario.metrics.as_ref().map(|_| Part::Scrapes);
        let redis = self.up.redis_url().map(|_| Part::Redis);
        [Some(Part::Generator), scrapes, redis].into_iter().flatten().collect()
    }

    /// Starts serving and pushing the generator's metrics, if requested.
    async fn publish(
        &mut self,
        clock: RunClock,
        dir: &Path,
        output: &mut Output<'_>,
    ) -> Option<SelfMetricsServer> {
        let mut self_metrics = self.self_metrics.take()?;
        if let Some(reason) = self_metrics.begin(subject(&self.scenario, self.up, clock, dir)).await {
            output.warn(&format!("the run's own metrics cannot be pushed, which is tried again: {reason}"));
        }
        Some(self_metrics)
    }

    /// What all workers share.
    fn setup(&self, clock: RunClock, canaries: Option<Canaries>) -> Setup {
        let (scenario, environment) = (&self.scenario, self.up.environment());
        let origins: Vec<Origin> = self.up.connections().endpoints.replicas().iter().map(origin).collect();
        let tolerance = Tolerance { offset: environment.clock_offset_ns, drift: environment.clock_drift };
        let in_flight = Arc::new(InFlight::new(self.workers()));
        let secrets = secrets(scenario);
        let redactor = redactor().with(credentials(scenario, &secrets));
        let scenario = Arc::clone(scenario);
        Setup::new(scenario, &origins, &secrets, clock, tolerance, canaries, in_flight).redacted_by(redactor)
    }

    /// Drives the load, from its start until everything about it is recorded.
    async fn drive(
        &mut self,
        drive: LoadRun<'_>,
        journal: &mut ManifestWriter<'_>,
        output: &mut Output<'_>,
    ) -> Result<(), RecordError> {
        let LoadRun { setup, observer, self_metrics, signals, turns } = drive;
        let (scenario, clock, workers) = (&self.scenario, setup.clock, self.workers());
        let (in_flight, started) = (Arc::clone(&setup.in_flight), Arc::clone(&setup.started));
        let watching = observer.watch(Arc::clone(&in_flight))?;
        if let Some(curious) = self.in_flight.take() {
            let _ = curious.send(Arc::clone(&in_flight));
        }
        // A hopeless load ends early, but what follows it is not shortened.
        let halt = signals.stop.child_token();
        let fresh = self.up.environment().fresh;
        let (mut guard, aborted) =
            AbortMonitor::new(scenario, fresh, watching.stalled(), clock, halt.clone(), turns.clone());
        let (recorder, sink) = Recorder::start_with_observer(
            journal.dir().to_owned(),
            Arc::clone(scenario),
            self.up.environment().replicas.iter().map(|replica| replica.name.clone()).collect(),
            journal.manifest().identity(),
            {
                let stop = signals.stop.clone();
                move || stop.cancel()
            },
            move |batch| guard.look(batch),
        )?;
        let live = Live { tally: recorder.tally(), in_flight, stalled: watching.stalled() };
        if let Some(self_metrics) = self_metrics {
            self_metrics.load_begins(live.clone());
        }
        let tally = recorder.tally();
        output.loads(live, started);
        let endpoints = Arc::clone(&self.up.connections().endpoints);
        let timeout = ResponseTimeout::new(scenario.timeout, clock).with_stalls(watching.stalled());
        let connect = move |worker| Ok(Wire::new(Arc::clone(&endpoints), worker, &timeout, clock));
        let ending = Ending { stop: halt.clone(), give_up: signals.give_up.clone() };
        let driving = drive::drive_on_threads(Arc::new(setup), workers, connect, sink, &ending);
        let phase = journal.follow(driving, turns, &halt, &aborted, output).await;
        // All sinks were dropped with the load, so the recorder ends by itself.
        let recording =
            tokio::task::spawn_blocking(move || recorder.finish()).await.map_err(|_| RecordError::Ended)?;
        output.enter_phase(Phase::Settling);
        let observing = watching.finish(&signals.give_up).await;
        let recorded = recording?;
        let samples = format!("samples recorded: {}, in {} segments", recorded.samples, recorded.segments);
        let connections = details::connections(self.up.environment(), &self.up.connections().endpoints);
        output.details(connections.into_iter().chain([samples]));
        observing?;
        self.recognise_tls(&tally, output).await;
        journal.load_ended(phase.map_err(RecordError::engine)?, recorded)
    }

    /// Says which replicas speak TLS though their addresses do not say so, if nothing else explains why no request
    /// got a response.
    async fn recognise_tls(&self, tally: &TallyReader, output: &mut Output<'_>) {
        let total = tally.lock().total();
        if total.answered() > 0 || total.unknown == 0 {
            return;
        }
        for (endpoint, replica) in
            self.up.connections().endpoints.replicas().iter().zip(&self.up.environment().replicas)
        {
            if endpoint.speaks_tls_unasked().await {
                let name = &replica.name;
                output.note(&format!("replica {name} speaks TLS: its address has to begin with https://"));
            }
        }
    }

    /// The default number of workers: one per core, or half of that if the service was started by saasbench
    /// and shares this machine.
    fn workers(&self) -> usize {
        let is_ours = self.up.shares_machine();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        self.workers.map_or(if is_ours { cores.div_ceil(2) } else { cores }, NonZero::get)
    }
}

/// Checks that the environment has enough replicas: a load on the third replica needs three.
fn check_routing(scenario: &Scenario, replicas: usize) -> Result<(), Failure> {
    let beyond = scenario.loads.iter().find_map(|load| match load.routing {
        Routing::Only(index) if index >= replicas => Some(index + 1),
        _ => None,
    });
    match beyond {
        None => Ok(()),
        Some(number) => Err(Failure::new(
            Exit::Usage,
            format!(
                "a load of {} goes to replica {number}, and the environment has {replicas}",
                scenario.name
            ),
        )
        .hint("give as many --target as the scenario needs, or set [embedded] replicas")),
    }
}

/// Checks that the process may have enough open connections; if only open loads with all their users would
/// need more, that is noted.
fn check_descriptors(
    scenario: &Scenario,
    up: &RunningEnvironment,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let endpoints = up.connections().endpoints.replicas().iter();
    let by_http1 = endpoints.filter(|endpoint| endpoint.protocol() == Protocol::Http11).count();
    let needed = Needed::by(scenario, by_http1, up.is_embedded());
    let allowed = descriptors::raise();
    descriptors::check(needed.surely, allowed)
        .map_err(|few| Failure::new(Exit::Usage, few.to_string()).hint(few.hint()))?;
    if let Err(few) = descriptors::check(needed.at_most, allowed) {
        output.note(&format!("{few}: if it comes to that, requests are not sent"));
    }
    Ok(())
}

/// The subject of the generator's metrics.
fn subject(scenario: &Arc<Scenario>, up: &RunningEnvironment, clock: RunClock, dir: &Path) -> Subject {
    Subject {
        scenario: Arc::clone(scenario),
        run: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        environment: up.environment().name.clone(),
        replicas: up.environment().replicas.iter().map(|replica| replica.instance.clone()).collect(),
        started_unix: clock.zero_unix(),
    }
}

/// The origin of requests to a replica.
fn origin(endpoint: &Endpoint) -> Origin {
    let target = endpoint.target();
    Origin { authority: target.authority.clone(), prefix: target.prefix.clone() }
}

/// Values of all `${env:NAME}` of a scenario; that they are set was checked when it was resolved.
fn secrets(scenario: &Scenario) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    scenario.secrets().into_iter().filter_map(value).collect()
}
