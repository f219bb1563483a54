//! One run of a scenario on an environment that is up: drives the load, observes, records, judges.

mod guard;
mod observer;
mod signals;

use std::{
    collections::BTreeMap,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::oneshot;

use self::guard::Guard;
use self::observer::Observer;
pub(super) use self::signals::Signals;
use crate::{
    clock::RunClock,
    environment::Up,
    exit::{Exit, Failure},
    load::{
        canary::Canaries,
        connect::{
            descriptors::{self, Needed},
            endpoint::{Endpoint, Protocol},
        },
        engine,
        pace::{Controls, Listener},
        render::Origin,
        wire::Wire,
        worker::Setup,
    },
    record::{
        manifest::{FORMAT, Machine, Manifest, ScenarioText, State, to_json, write_whole},
        reader::RecordedRun,
        sample::Sample,
        writer::{RecordError, Recorder},
    },
    report::{
        html,
        output::Output,
        own_metrics::{Live, OwnMetrics, Subject},
        progress::view::Phase,
        timeline::{self, Timeline},
    },
    scenario::{Routing, Scenario},
    units::Tolerance,
    verify,
    watch::in_flight::InFlight,
};

/// What a run needs beside the directory that it is recorded into.
#[derive(Debug)]
pub(super) struct Session<'a> {
    /// What to do.
    pub(super) scenario: Arc<Scenario>,
    /// The same as it was read, for the record.
    pub(super) text: ScenarioText,
    /// Where.
    pub(super) up: &'a Up,
    /// Threads that send requests, if that many were asked for.
    pub(super) workers: Option<NonZero<usize>>,
    /// Where the run's own metrics are served, if anywhere.
    pub(super) own_metrics: Option<OwnMetrics>,
    /// Who wants to know how many requests are under way, if anybody does.
    pub(super) in_flight: Option<oneshot::Sender<Arc<InFlight>>>,
    /// Whether it says nothing on its way.
    pub(super) quiet: bool,
}

impl Session<'_> {
    /// Whether the environment has the replicas, and this process the connections, that the scenario needs.
    ///
    /// # Errors
    /// When it has not.
    pub(super) fn check(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        check_routing(&self.scenario, self.up.environment.replicas.len())?;
        check_descriptors(&self.scenario, self.up, self.quiet, output)
    }

    /// Drives the load and records everything; the directory holds what there is even when it fails.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(super) async fn record(
        &mut self,
        dir: &Path,
        output: &mut Output<'_>,
        signals: &Signals,
    ) -> Result<(), RecordError> {
        let (scenario, up, quiet, workers) = (&self.scenario, self.up, self.quiet, self.workers());
        let mut own_metrics = self.own_metrics.take();
        let clock = RunClock::start();
        let replicas: Vec<String> =
            up.environment.replicas.iter().map(|replica| replica.name.clone()).collect();
        let canaries = scenario.uses_canaries().then(Canaries::draw);
        let mut manifest = Manifest {
            format: FORMAT,
            saasbench: env!("CARGO_PKG_VERSION").to_owned(),
            state: State::Running,
            scenario: self.text.clone(),
            environment: up.environment.clone(),
            machine: Machine::this(),
            started_unix_ns: clock.zero_unix().0,
            canary_nonce: canaries.as_ref().map(|canaries| canaries.nonce().to_owned()),
            events: Vec::new(),
            load: None,
            recorded: None,
        };
        manifest.write(dir).map_err(RecordError::write(dir))?;

        if let Some(own_metrics) = &mut own_metrics
            && let Some(reason) = own_metrics.begin(subject(scenario, up, clock, dir)).await
        {
            output.warn(&format!("the run's own metrics cannot be pushed, which is tried again: {reason}"));
        }
        let controls = Controls::default();
        output.follow(scenario, clock, &signals.interrupt, &controls, quiet);
        output.detail(&format!("threads that send requests: {workers}"));
        let observer = Observer::new(scenario, up, dir, clock)?;
        observer.before(&signals.stop, output, quiet).await?;

        let in_flight = Arc::new(InFlight::new(workers));
        let endpoints = Arc::clone(&up.reached.endpoints);
        let origins: Vec<Origin> = endpoints.replicas().iter().map(origin).collect();
        let tolerance =
            Tolerance { offset: up.environment.clock_offset_ns, drift: up.environment.clock_drift };
        let setup = Setup::new(
            Arc::clone(scenario),
            &origins,
            &secrets(scenario),
            clock,
            tolerance,
            canaries,
            Arc::clone(&in_flight),
        )
        .paced_by(controls.listen());
        let watching = observer.watch(Arc::clone(&in_flight))?;
        if let Some(curious) = self.in_flight.take() {
            let _ = curious.send(Arc::clone(&in_flight));
        }
        // A hopeless load ends early, but what comes after it has all its time.
        let halt = signals.stop.child_token();
        let (mut guard, aborted) = Guard::new(
            scenario,
            up.environment.fresh,
            watching.stalled(),
            clock,
            halt.clone(),
            controls.listen(),
        );
        let (recorder, sink) = Recorder::start_beside(
            dir.to_owned(),
            Arc::clone(scenario),
            replicas,
            signals.stop.clone(),
            move |batch| guard.look(batch),
        )?;
        let live = Live { tally: recorder.tally(), in_flight, stalled: watching.stalled() };
        if let Some(own_metrics) = &own_metrics {
            own_metrics.load_begins(live.clone());
        }
        output.loads(live);
        let timeout = scenario.timeout.to_duration();
        let connect = move |worker| Ok(Wire::new(Arc::clone(&endpoints), worker, timeout, clock));
        let driving = engine::drive_on_threads(Arc::new(setup), workers, connect, sink, &halt);
        let phase = beside(driving, controls.listen(), dir, &mut manifest, output).await;
        let phase = phase.map_err(RecordError::engine);
        // Every sink is gone with the load, so the recorder comes to its end by itself.
        let recording =
            tokio::task::spawn_blocking(move || recorder.finish()).await.map_err(|_| RecordError::Ended)?;
        output.goes_on(Phase::Settling);
        let observing = watching.finish().await;
        let recorded = recording?;
        output.detail(&format!("samples recorded: {}, in {} segments", recorded.samples, recorded.segments));
        manifest.recorded = Some(recorded);
        observing?;

        let phase = phase?;
        manifest.load = Some(phase);
        if let Some(event) = aborted.get() {
            manifest.events.push(event.clone());
            output.note(&event.text, quiet);
        }
        manifest.write(dir).map_err(RecordError::write(dir))?;
        observer.after(phase, &signals.stop, output, quiet).await?;
        if let Some(own_metrics) = own_metrics {
            let lost = own_metrics.finish(&signals.stop, |text| output.note(text, quiet)).await;
            lost.into_iter().for_each(|lost| output.warn(&lost));
        }
        output.goes_on(Phase::Judging);
        manifest.state = match (signals.interrupted(), aborted.get()) {
            (true, _) => State::Interrupted,
            (false, Some(_)) => State::Aborted,
            (false, None) => State::Finished,
        };
        manifest.write(dir).map_err(RecordError::write(dir))
    }

    /// How many workers a run has that asks for none in particular: as many as there are cores, or half as many where the
    /// service is ours and runs on this machine, too.
    fn workers(&self) -> usize {
        let is_ours = self.up.embedded.is_some() || self.up.local.is_some();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        self.workers.map_or(if is_ours { cores.div_ceil(2) } else { cores }, NonZero::get)
    }
}

/// Waits for the end of the load. What is done to it by hand meanwhile is in the record at once: a killed run must not accuse anyone of it.
async fn beside<T>(
    driving: impl Future<Output = T>,
    mut listener: Listener,
    dir: &Path,
    manifest: &mut Manifest,
    output: &Output<'_>,
) -> T {
    let mut driving = std::pin::pin!(driving);
    loop {
        let ended = tokio::select! {
            ended = &mut driving => Some(ended),
            () = listener.changed() => None,
        };
        let changes = listener.changes();
        let told = manifest.events.iter().filter(|event| event.pace.is_some()).count();
        for event in changes.iter().skip(told) {
            output.event(event);
            manifest.events.push(event.clone());
        }
        if changes.len() > told {
            // What cannot be written now cannot be written at the end either, and is told then.
            let _ = manifest.write(dir);
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
}

/// A load that goes to the third replica needs three.
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

/// The process may have enough connections open; where only open loads with all their users would need more, that is noted.
fn check_descriptors(
    scenario: &Scenario,
    up: &Up,
    quiet: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let endpoints = up.reached.endpoints.replicas().iter();
    let by_http1 = endpoints.filter(|endpoint| endpoint.protocol() == Protocol::Http11).count();
    let needed = Needed::by(scenario, by_http1, up.embedded.is_some());
    let allowed = descriptors::raise();
    descriptors::check(needed.surely, allowed)
        .map_err(|few| Failure::new(Exit::Usage, few.to_string()).hint(few.hint()))?;
    if let Err(few) = descriptors::check(needed.at_most, allowed) {
        output.note(&format!("{few}: if it comes to that, requests are not sent"), quiet);
    }
    Ok(())
}

/// Whose metrics the run's own are.
fn subject(scenario: &Arc<Scenario>, up: &Up, clock: RunClock, dir: &Path) -> Subject {
    Subject {
        scenario: Arc::clone(scenario),
        run: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        environment: up.environment.name.clone(),
        replicas: up.environment.replicas.iter().map(|replica| replica.instance.clone()).collect(),
        started_unix: clock.zero_unix(),
    }
}

/// What a replica's requests say of where it is.
fn origin(endpoint: &Endpoint) -> Origin {
    let target = endpoint.target();
    Origin { authority: target.authority.clone(), prefix: target.prefix.clone() }
}

/// Values of every `${env:NAME}` of a scenario; that they are set was checked when it was resolved.
fn secrets(scenario: &Scenario) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    scenario.secrets().into_iter().filter_map(value).collect()
}

/// A judged run.
#[derive(Debug)]
pub(super) struct Judged {
    /// What it came to.
    pub(super) report: verify::Report,
    /// The page that shows it, in the run's directory; the error where it could not be written. `None` for a record that
    /// broke off: there is no room for it.
    pub(super) page: Option<Result<PathBuf, RecordError>>,
}

/// Judges a run from its record alone, and keeps the verdict and the page that shows it beside it unless the record broke
/// off.
///
/// # Errors
/// When there is not enough of it to judge, or the verdict cannot be written.
pub(super) fn judge(dir: &Path, recorded: &Result<(), RecordError>) -> Result<Judged, Failure> {
    judge_record(dir, recorded.is_ok()).map_err(|failure| match recorded {
        Err(error) => record_failure(error),
        Ok(()) => failure,
    })
}

/// The same for one who wants to see the run before, and each sample on the way.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_beside<T>(
    dir: &Path,
    begin: impl FnOnce(&RecordedRun) -> T,
    mut each: impl FnMut(&mut T, &Sample),
) -> Result<(verify::Report, T), Failure> {
    let run = open(dir)?;
    let mut seen = begin(&run);
    let (report, timeline) =
        timeline::judge(&run, |sample| each(&mut seen, sample)).map_err(|error| broken(&error))?;
    let Judged { report, page } = keep(&run, report, &timeline)?;
    match page {
        Some(Err(error)) => Err(record_failure(&error)),
        _ => Ok((report, seen)),
    }
}

fn judge_record(dir: &Path, is_whole: bool) -> Result<Judged, Failure> {
    let run = open(dir)?;
    let (report, timeline) = timeline::judge(&run, |_| {}).map_err(|error| broken(&error))?;
    if is_whole { keep(&run, report, &timeline) } else { Ok(Judged { report, page: None }) }
}

fn open(dir: &Path) -> Result<RecordedRun, Failure> {
    RecordedRun::open(dir).map_err(|error| broken(&error))
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Broken, error.to_string())
}

fn keep(run: &RecordedRun, report: verify::Report, timeline: &Timeline) -> Result<Judged, Failure> {
    let path = run.dir.join("verdict.json");
    to_json(&report)
        .and_then(|json| write_whole(&path, &json))
        .map_err(|error| record_failure(&RecordError::write(&path)(error)))?;
    let path = run.dir.join(html::FILE);
    let written = write_whole(&path, html::render(&report, run, timeline).as_bytes());
    Ok(Judged { report, page: Some(written.map_err(RecordError::write(&path)).map(|()| path)) })
}

/// A run that could not be recorded.
pub(super) fn record_failure(error: &RecordError) -> Failure {
    Failure::new(Exit::Broken, record_failure_text(error))
}

/// The same in words.
pub(super) fn record_failure_text(error: &RecordError) -> String {
    format!("the run could not be recorded: {error}")
}
