//! `saasbench run`: brings the environment up, drives the load, observes, records, judges, reports.

mod observer;
mod signals;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use self::{observer::Observer, signals::Signals};
use super::scenario::load;
use crate::{
    args::RunArgs,
    clock::RunClock,
    environment::{
        EnvironmentError, Up, config, embedded,
        external::{self, AdHoc},
    },
    exit::{Exit, Failure},
    load::{canary::Canaries, engine, http::Http, user::Shared},
    record::{
        manifest::{FORMAT, Machine, Manifest, ScenarioText, State, to_json, write_whole},
        reader::RecordedRun,
        writer::{RecordError, Recorder, create_directory},
    },
    report::{output::Output, progress::Progress},
    scenario::{Routing, Scenario, Step, template},
    units::Tolerance,
    verify,
};

/// Runs a scenario from end to end.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment is not there, or the record cannot be written.
pub async fn run(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (scenario, text) = load(&args.scenario, output.err_is_coloured())?;
    let scenario = Arc::new(scenario);
    let up = bring_up(args, &scenario).await.map_err(|error| environment_failure(&error))?;
    check_routing(&scenario, up.environment.replicas.len())?;

    let dir = create_directory(&args.out, &scenario.name).map_err(|error| record_failure(&error))?;
    output.banner(&scenario, &up.environment, &dir, args.quiet);
    let signals = Signals::listen();
    let recorded = record(&scenario, text, &up, &dir, args.quiet, output, &signals).await;
    if let Some(servers) = up.embedded {
        // Its thread ends on its own; waiting for it must not hold up this one's tasks.
        let _ = tokio::task::spawn_blocking(move || servers.stop()).await;
    }

    let broken = recorded.err();
    if let Some(error) = &broken {
        output.warn(&record_failure_text(error));
    }
    let judged = judge(&dir, broken.is_none()).map_err(|failure| match &broken {
        Some(error) => Failure::new(Exit::Broken, record_failure_text(error)),
        None => failure,
    })?;
    output.report(&judged, args.report.json.as_deref())?;
    Ok(Exit::of_run(judged.outcome, broken.is_some(), signals.interrupted()))
}

async fn bring_up(args: &RunArgs, scenario: &Scenario) -> Result<Up, EnvironmentError> {
    if let Some(name) = &args.env {
        let file = args.config.display().to_string();
        let text = fs::read_to_string(&args.config).map_err(|error| EnvironmentError::Usage {
            message: format!("cannot read {file}, where the environment `{name}` should be: {error}"),
            hint: "name the file with --config, or give the addresses with --target".to_owned(),
        })?;
        return external::named(name, config::find(&text, &file, name)?).await;
    }
    if args.targets.is_empty() {
        return embedded::start(scenario, &args.faults.iter().copied().collect()).await;
    }
    external::ad_hoc(AdHoc {
        targets: args.targets.clone(),
        prometheus: args.prometheus.clone(),
        redis: args.redis.clone(),
        exclusive: args.exclusive,
        fresh: args.fresh,
    })
    .await
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

/// Drives the load and records everything; the run's directory holds what there is even when it fails.
async fn record(
    scenario: &Arc<Scenario>,
    text: ScenarioText,
    up: &Up,
    dir: &Path,
    quiet: bool,
    output: &mut Output<'_>,
    signals: &Signals,
) -> Result<(), RecordError> {
    let clock = RunClock::start();
    let replicas: Vec<String> = up.environment.replicas.iter().map(|replica| replica.name.clone()).collect();
    let canaries = scenario.uses_canaries().then(Canaries::draw);
    let mut manifest = Manifest {
        format: FORMAT,
        saasbench: env!("CARGO_PKG_VERSION").to_owned(),
        state: State::Running,
        scenario: text,
        environment: up.environment.clone(),
        machine: Machine::this(),
        started_unix_ns: clock.zero_unix().0,
        canary_nonce: canaries.as_ref().map(|canaries| canaries.nonce().to_owned()),
        load: None,
        recorded: None,
    };
    manifest.write(dir).map_err(RecordError::write(dir))?;

    let observer = Observer::new(scenario, up, dir, clock)?;
    observer.before(&signals.stop, output, quiet).await?;
    let watching = observer.watch();

    let (recorder, sink) =
        Recorder::start(dir.to_owned(), Arc::clone(scenario), replicas, signals.stop.clone())?;
    let urls = up.environment.replicas.iter().map(|replica| replica.url.clone()).collect();
    let transport = Http::new(urls, scenario.timeout.to_duration(), clock).map_err(RecordError::tls)?;
    let shared = Arc::new(Shared {
        scenario: Arc::clone(scenario),
        replicas: up.environment.replicas.len(),
        transport,
        clock,
        tolerance: Tolerance { offset: up.environment.clock_offset_ns, drift: up.environment.clock_drift },
        sink,
        secrets: secrets(scenario),
        canaries,
    });
    let progress = Progress::start(scenario, recorder.tally(), quiet, &signals.interrupt);
    let phase = engine::drive(shared, &signals.stop).await;
    progress.finish().await;
    // Every sink is gone with the load, so the recorder comes to its end by itself.
    let recording =
        tokio::task::spawn_blocking(move || recorder.finish()).await.map_err(|_| RecordError::Ended)?;
    let observing = watching.finish().await;
    manifest.recorded = Some(recording?);
    observing?;

    manifest.load = Some(phase);
    manifest.write(dir).map_err(RecordError::write(dir))?;
    observer.after(phase, output, quiet).await?;
    manifest.state = if signals.interrupted() { State::Interrupted } else { State::Finished };
    manifest.write(dir).map_err(RecordError::write(dir))
}

/// Values of every `${env:NAME}` of a scenario; that they are set was checked when it was resolved.
fn secrets(scenario: &Scenario) -> BTreeMap<String, String> {
    let templates = scenario.steps.iter().flat_map(Step::templates);
    templates
        .flat_map(|template| &template.parts)
        .filter_map(|part| match part {
            template::Part::Variable(template::Variable::Secret(name)) => {
                Some((name.clone(), std::env::var(name).ok()?))
            }
            _ => None,
        })
        .collect()
}

/// Judges the run from its record alone, and keeps the verdict beside it where `keep`.
fn judge(dir: &Path, keep: bool) -> Result<verify::Report, Failure> {
    let run = RecordedRun::open(dir).map_err(|error| Failure::new(Exit::Broken, error.to_string()))?;
    let report = verify::verify(&run).map_err(|error| Failure::new(Exit::Broken, error.to_string()))?;
    if keep {
        let path = dir.join("verdict.json");
        to_json(&report)
            .and_then(|json| write_whole(&path, &json))
            .map_err(|error| record_failure(&RecordError::write(&path)(error)))?;
    }
    Ok(report)
}

fn environment_failure(error: &EnvironmentError) -> Failure {
    let exit = match error {
        EnvironmentError::Unreachable { .. } | EnvironmentError::Embedded(_) => Exit::Unreachable,
        EnvironmentError::UnknownTenants(_) | EnvironmentError::Usage { .. } => Exit::Usage,
    };
    let hint = error.hint();
    Failure { hint, ..Failure::new(exit, error.to_string()) }
}

fn record_failure(error: &RecordError) -> Failure {
    Failure::new(Exit::Broken, record_failure_text(error))
}

fn record_failure_text(error: &RecordError) -> String {
    format!("the run could not be recorded: {error}")
}
