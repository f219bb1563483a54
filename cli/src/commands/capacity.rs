//! `saasbench capacity`: takes steps of load, each a recorded run of its own, as `capacity::search` says, until the highest
//! level that keeps the objectives is known; for each number of replicas.

mod hunt;
mod rest;
mod settings;

use std::{path::Path, sync::Arc};

use tokio::time::Instant;

use self::{hunt::Hunt, settings::Settings};
use super::{
    place::{bring_up, take_down},
    scenario::{declare, load},
    session::{Session, Signals, record_failure},
};
use crate::{
    args::CapacityArgs,
    capacity::result::{CapacityReport, Count, VERSION},
    environment::local,
    exit::{Exit, Failure},
    record::{
        manifest::{ScenarioText, to_json, write_whole},
        writer::{RecordError, create_place},
    },
    report::{capacity::counted, output::Output},
    scenario::Scenario,
    units::Nanos,
    verify::verdict::Outcome,
};

/// Finds the capacity.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment is not there, or a step cannot be recorded.
pub async fn capacity(args: &CapacityArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (mut scenario, text) = load(&args.scenario, output.err_is_coloured())?;
    if let Some(name) = &args.place.env {
        declare(&mut scenario, &args.place.config, name, output.err_is_coloured())?;
    }
    let settings = Settings::new(args, &scenario)?;
    let dir = create_place(&args.out, &format!("{}-capacity", scenario.name))
        .map_err(|error| record_failure(&error))?;
    let signals = Signals::listen();
    let mut report = CapacityReport {
        version: VERSION,
        scenario: scenario.name.clone(),
        environment: String::new(),
        directory: dir.display().to_string(),
        by: settings.by,
        objectives: settings::objectives(&scenario),
        precision: settings.precision,
        counts: Vec::new(),
        scaling: None,
        scaling_note: None,
        at_least: args.at_least,
        outcome: Outcome::Inconclusive,
        interrupted: false,
    };
    if settings::bounds_no_latency(&scenario) {
        output.note(
            "the scenario bounds no latency: the capacity is where errors begin or the service falls behind",
            args.quiet,
        );
    }
    for replicas in &settings.replicas {
        if signals.stop.is_cancelled() {
            break;
        }
        if let Some(replicas) = replicas {
            scenario.embedded.replicas = *replicas;
        }
        let last = report.counts.last();
        let work = Work {
            args,
            scenario: &scenario,
            text: &text,
            settings: &settings,
            dir: &dir,
            signals: &signals,
        };
        let (environment, count) = work.one(last, output).await.inspect_err(|_| {
            // Nothing was recorded where there was nothing to record.
            let _ = std::fs::remove_dir(&dir);
        })?;
        report.environment = environment;
        report.counts.push(count);
    }
    report.interrupted = signals.interrupted();
    let report = report.concluded();
    let path = dir.join("capacity.json");
    to_json(&report)
        .and_then(|json| write_whole(&path, &json))
        .map_err(|error| record_failure(&RecordError::write(&path)(error)))?;
    output.capacity(&report, args.json.as_deref())?;
    Ok(Exit::of_run(report.outcome, false, report.interrupted))
}

/// What the search for each number of replicas needs.
struct Work<'a> {
    args: &'a CapacityArgs,
    scenario: &'a Scenario,
    text: &'a ScenarioText,
    settings: &'a Settings,
    dir: &'a Path,
    signals: &'a Signals,
}

impl Work<'_> {
    /// Brings the environment up, searches, and takes it down; its name, and what was found. `last` is what was found with
    /// fewer replicas.
    async fn one(&self, last: Option<&Count>, output: &mut Output<'_>) -> Result<(String, Count), Failure> {
        let begin = Instant::now();
        let up = bring_up(&self.args.place, self.scenario).await.map_err(|error| Failure::from(&error))?;
        let (name, replicas) = (up.environment.name.clone(), up.environment.replicas.len());
        let shares_machine = up.embedded.is_some() || up.local.is_some();
        let about = format!(
            "{} · {name}, {} · recording into {}",
            self.scenario.name,
            counted(replicas),
            self.dir.display()
        );
        output.note(&about, self.args.quiet);
        let session = Session {
            scenario: Arc::new(self.scenario.clone()),
            text: self.text.clone(),
            up: &up,
            workers: self.args.workers,
            own_metrics: None,
            in_flight: None,
            quiet: self.args.quiet,
        };
        let checked = session.check(output);
        let deadline = begin + self.settings.budget_of_each();
        let mut hunt = Hunt::new(self, up, replicas, last, deadline);
        let ended = match checked {
            Ok(()) => hunt.run(output).await,
            Err(failure) => Err(failure),
        };
        let (steps, bracket, up) = hunt.finish();
        let death = take_down(up).await;
        let stopped = ended?;
        if let Some(death) = death {
            let hint = format!("the steps so far are in {}", self.dir.display());
            return Err(Failure::new(Exit::Unreachable, death.to_string()).hint(hint));
        }
        let took = Nanos::from(begin.elapsed());
        Ok((name, Count::new(replicas, steps, bracket, stopped, shares_machine, took)))
    }
}

impl Settings {
    /// `--replicas` is for services that we start.
    fn check_replicas(args: &CapacityArgs) -> Result<(), Failure> {
        match &args.place.env {
            Some(name) if name != local::LOCAL && !args.replicas.is_empty() => {
                let message = format!(
                    "--replicas is not for the environment `{name}`: saasbench does not start its replicas"
                );
                Err(Failure::new(Exit::Usage, message)
                    .hint("start them yourself, and search once for each number of them"))
            }
            _ => Ok(()),
        }
    }
}
