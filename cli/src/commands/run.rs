//! `saasbench run`: brings the environment up, drives the load, observes, records, judges, reports.

mod observer;
mod signals;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use self::{observer::Observer, signals::Signals};
use super::scenario::{declare, load};
use crate::{
    args::RunArgs,
    clock::RunClock,
    environment::{
        EnvironmentError, Up,
        access::PrometheusConfig,
        config, embedded,
        external::{self, AdHoc},
        local,
        reach::PlaceTrust,
    },
    exit::{Exit, Failure},
    load::{
        canary::Canaries,
        connect::{
            descriptors::{self, Needed},
            endpoint::{Endpoint, Protocol},
        },
        engine,
        render::Origin,
        wire::Wire,
        worker::Setup,
    },
    record::{
        manifest::{FORMAT, Machine, Manifest, ScenarioText, State, to_json, write_whole},
        reader::RecordedRun,
        writer::{RecordError, Recorder, create_directory},
    },
    report::{
        output::Output,
        own_metrics::{Live, OwnMetrics, Subject},
        progress::Progress,
    },
    scenario::{Routing, Scenario},
    units::Tolerance,
    verify,
    watch::in_flight::InFlight,
};

/// Runs a scenario from end to end.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment is not there, or the record cannot be written.
pub async fn run(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (mut scenario, text) = load(&args.scenario, output.err_is_coloured())?;
    if let Some(name) = &args.env {
        declare(&mut scenario, &args.config, name, output.err_is_coloured())?;
    }
    let scenario = Arc::new(scenario);
    let mut up = bring_up(args, &scenario).await.map_err(|error| Failure::from(&error))?;
    check_routing(&scenario, up.environment.replicas.len())?;
    check_descriptors(&scenario, &up, args.quiet, output)?;
    let own_metrics = listen(args, &mut up, output).await?;

    let dir = create_directory(&args.out, &scenario.name).map_err(|error| record_failure(&error))?;
    output.banner(&scenario, &up.environment, &dir, args.quiet);
    let signals = Signals::listen();
    let recorded =
        record(&scenario, text, Around { up: &up, dir: &dir, own_metrics }, args, output, &signals).await;
    if let Some(servers) = up.embedded {
        // Its thread ends on its own; waiting for it must not hold up this one's tasks.
        let _ = tokio::task::spawn_blocking(move || servers.stop()).await;
    }
    let death = up.local.as_mut().and_then(local::Stack::dead);
    if let Some(stack) = up.local {
        stack.stop().await;
    }

    let broken = recorded.err();
    if let Some(error) = &broken {
        output.warn(&record_failure_text(error));
    }
    if let Some(death) = &death {
        output.warn(&format!("{death}\nso the run was against a part of the stack only"));
    }
    let judged = judge(&dir, broken.is_none()).map_err(|failure| match &broken {
        Some(error) => Failure::new(Exit::Broken, record_failure_text(error)),
        None => failure,
    })?;
    output.report(&judged, args.report.json.as_deref())?;
    Ok(Exit::of_run(judged.outcome, broken.is_some() || death.is_some(), signals.interrupted()))
}

async fn bring_up(args: &RunArgs, scenario: &Scenario) -> Result<Up, EnvironmentError> {
    let trust = PlaceTrust::read(args.insecure, args.roots.as_deref(), "--roots")?;
    if let Some(name) = &args.env {
        if name == local::LOCAL {
            check_local(args)?;
            config::reserve(local::LOCAL, &args.config)?;
            return local::for_scenario(scenario, args.faults.iter().map(ToString::to_string).collect())
                .await;
        }
        if !args.faults.is_empty() {
            return Err(EnvironmentError::Usage {
                message: format!("the environment `{name}` cannot be told to have faults"),
                hint: "give --fault without --env, or with `--env local`: there saasbench starts the service"
                    .to_owned(),
            });
        }
        let file = args.config.display().to_string();
        let text = fs::read_to_string(&args.config).map_err(|error| EnvironmentError::Usage {
            message: format!("cannot read {file}, where the environment `{name}` should be: {error}"),
            hint: "name the file with --config, or give the addresses with --target".to_owned(),
        })?;
        return external::named(name, config::find(&text, &file, name)?, scenario, trust).await;
    }
    if args.targets.is_empty() {
        return embedded::start(scenario, &args.faults.iter().copied().collect()).await;
    }
    let prometheus = args.prometheus.as_deref();
    let prometheus = prometheus.map(|url| PrometheusConfig::of_arguments(url, &args.prometheus_headers));
    let given = AdHoc {
        targets: args.targets.clone(),
        prometheus: prometheus.transpose()?,
        redis: args.redis.clone(),
        exclusive: args.exclusive,
        fresh: args.fresh,
    };
    external::ad_hoc(given, scenario, trust).await
}

/// Refuses what the local stack has no use for.
fn check_local(args: &RunArgs) -> Result<(), EnvironmentError> {
    let refused = |flag: &str, why: &str, hint: &str| {
        let message = format!("{flag} is not for the environment `{}`: {why}", local::LOCAL);
        Err(EnvironmentError::Usage { message, hint: hint.to_owned() })
    };
    let (why, hint) = ("its replicas answer without TLS", "leave it out");
    if args.insecure {
        return refused("--insecure", why, hint);
    }
    if args.roots.is_some() {
        return refused("--roots", why, hint);
    }
    if args.metrics_listen.is_some() {
        let why = "its Prometheus knows where the run's own metrics are";
        let hint = "leave it out: they are served without it, and the run says where";
        return refused("--metrics-listen", why, hint);
    }
    Ok(())
}

/// Where the run's own metrics are served, if anywhere.
async fn listen(args: &RunArgs, up: &mut Up, output: &mut Output<'_>) -> Result<Option<OwnMetrics>, Failure> {
    let listening = match (args.metrics_listen, up.own_metrics.take()) {
        (Some(address), _) => OwnMetrics::listen(address).await.map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot serve the run's own metrics on {address}: {error}"))
                .hint("choose another address with --metrics-listen; port 0 takes any that is free")
        })?,
        (None, Some(listener)) => OwnMetrics::serve(listener).map_err(|error| {
            Failure::new(Exit::Broken, format!("cannot serve the run's own metrics: {error}"))
        })?,
        (None, None) => return Ok(None),
    };
    output.note(&format!("the run's own metrics: {}", listening.url()), args.quiet);
    Ok(Some(listening))
}

/// Whose metrics the run's own are.
fn subject(scenario: &Arc<Scenario>, up: &Up, clock: RunClock) -> Subject {
    Subject {
        scenario: Arc::clone(scenario),
        environment: up.environment.name.clone(),
        replicas: up.environment.replicas.iter().map(|replica| replica.instance.clone()).collect(),
        started_unix: clock.zero_unix(),
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

/// What a run has around it.
struct Around<'a> {
    up: &'a Up,
    dir: &'a Path,
    own_metrics: Option<OwnMetrics>,
}

/// Drives the load and records everything; the run's directory holds what there is even when it fails.
async fn record(
    scenario: &Arc<Scenario>,
    text: ScenarioText,
    Around { up, dir, own_metrics }: Around<'_>,
    args: &RunArgs,
    output: &mut Output<'_>,
    signals: &Signals,
) -> Result<(), RecordError> {
    let (quiet, workers) = (args.quiet, workers(args, up.embedded.is_some() || up.local.is_some()));
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

    if let Some(own_metrics) = &own_metrics {
        own_metrics.begin(subject(scenario, up, clock));
    }
    let observer = Observer::new(scenario, up, dir, clock)?;
    observer.before(&signals.stop, output, quiet).await?;

    let in_flight = Arc::new(InFlight::new(workers));
    let endpoints = Arc::clone(&up.reached.endpoints);
    let origins: Vec<Origin> = endpoints.replicas().iter().map(origin).collect();
    let tolerance = Tolerance { offset: up.environment.clock_offset_ns, drift: up.environment.clock_drift };
    let setup = Setup::new(
        Arc::clone(scenario),
        &origins,
        &secrets(scenario),
        clock,
        tolerance,
        canaries,
        Arc::clone(&in_flight),
    );
    let watching = observer.watch(Arc::clone(&in_flight))?;
    let (recorder, sink) =
        Recorder::start(dir.to_owned(), Arc::clone(scenario), replicas, signals.stop.clone())?;
    if let Some(own_metrics) = &own_metrics {
        own_metrics.load_begins(Live { tally: recorder.tally(), in_flight, stalled: watching.stalled() });
    }
    let timeout = scenario.timeout.to_duration();
    let connect = move |worker| Ok(Wire::new(Arc::clone(&endpoints), worker, timeout, clock));
    let progress = Progress::start(scenario, recorder.tally(), quiet, &signals.interrupt);
    let driving = engine::drive_on_threads(Arc::new(setup), workers, connect, sink, &signals.stop);
    let phase = driving.await.map_err(RecordError::engine);
    progress.finish().await;
    // Every sink is gone with the load, so the recorder comes to its end by itself.
    let recording =
        tokio::task::spawn_blocking(move || recorder.finish()).await.map_err(|_| RecordError::Ended)?;
    let observing = watching.finish().await;
    manifest.recorded = Some(recording?);
    observing?;

    let phase = phase?;
    manifest.load = Some(phase);
    manifest.write(dir).map_err(RecordError::write(dir))?;
    observer.after(phase, &signals.stop, output, quiet).await?;
    if let Some(own_metrics) = own_metrics {
        own_metrics.finish(&signals.stop, |text| output.note(text, quiet)).await;
    }
    manifest.state = if signals.interrupted() { State::Interrupted } else { State::Finished };
    manifest.write(dir).map_err(RecordError::write(dir))
}

/// What a replica's requests say of where it is.
fn origin(endpoint: &Endpoint) -> Origin {
    let target = endpoint.target();
    Origin { authority: target.authority.clone(), prefix: target.prefix.clone() }
}

/// How many workers a run has that asks for none in particular: as many as there are cores, or half as many where the
/// service is ours and runs on this machine, too.
fn workers(args: &RunArgs, is_ours: bool) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.workers.map_or(if is_ours { cores.div_ceil(2) } else { cores }, std::num::NonZero::get)
}

/// Values of every `${env:NAME}` of a scenario; that they are set was checked when it was resolved.
fn secrets(scenario: &Scenario) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    scenario.secrets().into_iter().filter_map(value).collect()
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

fn record_failure(error: &RecordError) -> Failure {
    Failure::new(Exit::Broken, record_failure_text(error))
}

fn record_failure_text(error: &RecordError) -> String {
    format!("the run could not be recorded: {error}")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn the_local_stack_is_not_told_what_it_has_no_use_for() {
        let mut text = String::new();
        for flags in [&["--insecure"][..], &["--roots", "ca.pem"], &["--metrics-listen", "127.0.0.1:0"], &[]]
        {
            let words = ["saasbench", "run", "x.toml", "--env", "local"].iter().chain(flags);
            let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
            let _ = match check_local(&args) {
                Err(error) => writeln!(text, "{error}\n  {}", error.hint().unwrap_or_default()),
                Ok(()) => writeln!(text, "good"),
            };
        }
        insta::assert_snapshot!(text, @"
        --insecure is not for the environment `local`: its replicas answer without TLS
          leave it out
        --roots is not for the environment `local`: its replicas answer without TLS
          leave it out
        --metrics-listen is not for the environment `local`: its Prometheus knows where the run's own metrics are
          leave it out: they are served without it, and the run says where
        good
        ");
    }
}
