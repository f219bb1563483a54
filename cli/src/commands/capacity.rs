//! `saasbench capacity`: runs load steps, each with a recorded run, as directed by `capacity::search`, until
//! the highest level that keeps the objectives is known; for each number of replicas.

mod cooldown;
mod search_run;
mod settings;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::time::Instant;

use self::settings::Settings;
use super::{
    scenario::{declare, load},
    session::{Session, Signals, record_failure},
};
use crate::commands::capacity::search_run::CapacitySearchRun;
use crate::commands::target::start;
use crate::{
    args::{CapacityArgs, ReportArgs},
    environment::{RunningEnvironment, local},
    exit::{Exit, Failure},
    output::{Output, files},
};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{
    checksum::to_document,
    manifest::{ScenarioText, write_whole},
    writer::{RecordError, create_place},
};
use saasbench_report::{capacity::counted, html};
use saasbench_verify::{
    capacity::result::{CapacityReport, Count, FILE, Stopped, VERSION},
    verdict::Outcome,
};

/// Finds the capacity.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment cannot be reached, or a step cannot be
/// recorded. Measurements made so far are reported nevertheless.
pub async fn capacity(args: &CapacityArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.set_quiet(args.quiet);
    let (mut scenario, text) = load(&args.scenario, output.err_is_coloured())?;
    if let Some(name) = &args.place.env {
        declare(&mut scenario, &args.place.config, name, output.err_is_coloured())?;
    }
    let settings = Settings::new(args, &scenario)?;
    files::check(&ReportArgs { json: args.json.clone(), junit: None, markdown: None })?;
    let signals = Signals::listen();
    let dir = create_place(&args.out, &format!("{}-capacity", scenario.name))
        .map_err(|error| record_failure(&error))?;
    if settings::bounds_no_latency(&scenario) {
        output.note(
            "the scenario bounds no latency: the capacity is where errors begin or the service falls behind",
        );
    }
    let mut report = started(args, &scenario, &settings, &dir);
    let failure = search(args, &mut scenario, &text, &settings, &signals, &mut report, output).await;
    if report.counts.is_empty() {
        // Removes the directory only if it is empty.
        let _ = fs::remove_dir(&dir);
        output.note("nothing was measured");
        return failure.map_or(Ok(Exit::Interrupted), Err);
    }
    report.interrupted = signals.interrupted();
    report.failure = failure.as_ref().map(|failure| failure.message.clone());
    let is_whole = failure.is_none() && report.counts.len() == settings.replicas.len();
    let report = report.concluded(is_whole);
    let kept = keep(&report, &dir);
    let reported = output.capacity(&report, args.json.as_deref());
    if let Ok(page) = &kept {
        output.note(&format!("report: {}", page.display()));
    }
    // The first failure ends the command, unless the service has failed; all of them are reported.
    let mut failures = [failure, kept.err(), reported.err()].into_iter().flatten();
    let first = if report.outcome == Outcome::Fail { None } else { failures.next() };
    failures.for_each(|failure| output.failure(&failure));
    first.map_or_else(|| Ok(Exit::of_run(report.outcome, false, report.interrupted)), Err)
}

/// A report without results.
fn started(args: &CapacityArgs, scenario: &Scenario, settings: &Settings, dir: &Path) -> CapacityReport {
    CapacityReport {
        version: VERSION,
        scenario: scenario.name.clone(),
        environment: String::new(),
        started_unix_ns: i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default(),
        directory: dir.display().to_string(),
        by: settings.by,
        objectives: settings::objectives(scenario, settings.by),
        precision: settings.precision,
        counts: Vec::new(),
        scaling: None,
        scaling_note: None,
        at_least: args.at_least,
        at_least_with: args.at_least.and(settings.gated()),
        outcome: Outcome::Inconclusive,
        interrupted: false,
        failure: None,
    }
}

/// Searches for each number of replicas, until one fails or the user interrupts; returns why it failed, if it
/// did.
async fn search(
    args: &CapacityArgs,
    scenario: &mut Scenario,
    text: &ScenarioText,
    settings: &Settings,
    signals: &Signals,
    report: &mut CapacityReport,
    output: &mut Output<'_>,
) -> Option<Failure> {
    let dir = PathBuf::from(&report.directory);
    for replicas in &settings.replicas {
        if let Some(replicas) = replicas {
            scenario.embedded.replicas = *replicas;
        }
        let work = Work { args, scenario, text, settings, dir: &dir, signals };
        let start = signals.stop.run_until_cancelled(start(&args.place, scenario));
        // Whatever was started ends when it is dropped.
        let up = match start.await? {
            Ok(up) => up,
            Err(error) => return Some(Failure::from(&error)),
        };
        report.environment.clone_from(&up.environment().name);
        let (count, failure) = work.one(up, report.counts.last(), output).await;
        report.counts.extend(count);
        if failure.is_some() || signals.stop.is_cancelled() {
            return failure;
        }
    }
    None
}

/// Writes the report and its HTML page into the search's directory.
fn keep(report: &CapacityReport, dir: &Path) -> Result<PathBuf, Failure> {
    let write = |path: &Path, text: &[u8]| {
        write_whole(path, text).map_err(|error| record_failure(&RecordError::write(path)(error)))
    };
    let path = dir.join(FILE);
    let json = to_document(report).map_err(|error| record_failure(&RecordError::write(&path)(error)))?;
    write(&path, &json)?;
    let page = dir.join(html::capacity::FILE);
    write(&page, html::capacity::render(report).as_bytes())?;
    Ok(page)
}

/// The inputs of the search for each number of replicas.
struct Work<'a> {
    args: &'a CapacityArgs,
    scenario: &'a Scenario,
    text: &'a ScenarioText,
    settings: &'a Settings,
    dir: &'a Path,
    signals: &'a Signals,
}

impl Work<'_> {
    /// Searches with one number of replicas, and stops the environment. Returns the result, if anything was
    /// measured, and why it failed, if it did. `last` is the result with fewer replicas.
    async fn one(
        &self,
        up: RunningEnvironment,
        last: Option<&Count>,
        output: &mut Output<'_>,
    ) -> (Option<Count>, Option<Failure>) {
        let begin = Instant::now();
        let replicas = up.environment().replicas.len();
        let shares_machine = up.shares_machine();
        let about = format!(
            "{} · {}, {} · recording into {}",
            self.scenario.name,
            up.environment().name,
            counted(replicas),
            self.dir.display()
        );
        output.note(&about);
        let session = Session {
            scenario: Arc::new(self.scenario.clone()),
            text: self.text.clone(),
            up: &up,
            workers: self.args.workers,
            self_metrics: None,
            in_flight: None,
        };
        let checked = session.check(output);
        let deadline = begin + self.settings.budget_of_each();
        let mut search = CapacitySearchRun::new(self, up, replicas, last, deadline);
        let ended = match checked {
            Ok(()) => search.run(output).await,
            Err(failure) => Err(failure),
        };
        let has_started = search.has_started();
        let (steps, bracket, up) = search.finish();
        let death = up.stop().await.map(|death| {
            let hint = format!("the steps so far are in {}", self.dir.display());
            Failure::new(Exit::Unreachable, death.to_string()).hint(hint)
        });
        let (stopped, failure) = match (ended, death) {
            (_, Some(death)) => (Stopped::Failed, Some(death)),
            (Err(failure), None) => (Stopped::Failed, Some(failure)),
            (Ok(stopped), None) => (stopped, None),
        };
        let is_reported = has_started || stopped == Stopped::Budget;
        let took = Nanos::from(begin.elapsed());
        let count = || Count::new(replicas, steps, bracket, stopped, shares_machine, took);
        (is_reported.then(count), failure)
    }
}

impl Settings {
    /// `--replicas` is only for services that saasbench starts.
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
