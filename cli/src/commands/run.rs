//! `saasbench run`: starts the environment, runs the session on it, and reports.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    compare::{compare_with, is_of, open_all},
    publish,
    scenario::{declare, load},
    session::{Judged, Session, Signals, judge, record_failure, record_failure_text},
};
use crate::commands::target::start;
use crate::{
    args::{RunArgs, SessionArgs, TargetArgs},
    exit::{Exit, Failure},
    output::{Output, files},
};
use saasbench_model::scenario::{Scenario, overrides::Overrides};
use saasbench_record::{manifest::ScenarioText, writer::create_directory};
use saasbench_report::gate::GateInputs;
use saasbench_verify::compare::Comparison;

/// Runs a scenario from start to end.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment cannot be reached, or the record cannot be
/// written.
pub async fn run(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.set_display(args.session.display)?;
    let ended = run_scenario(args, output).await;
    output.ended(ended)
}

async fn run_scenario(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let (mut scenario, mut text) = load(&args.scenario, output.err_is_coloured())?;
    change(&mut scenario, &mut text, args.overrides.into())?;
    if let Some(name) = &args.place.env {
        declare(&mut scenario, &args.place.config, name, output.err_is_coloured())?;
    }
    go(scenario, text, &args.place, &args.session, output).await
}

/// Applies overrides to a scenario, and records them.
fn change(scenario: &mut Scenario, text: &mut ScenarioText, overrides: Overrides) -> Result<(), Failure> {
    overrides.apply(scenario).map_err(|error| {
        let message = format!("{} cannot be run so: {error}", text.file);
        Failure::new(Exit::Usage, message).hint(error.hint())
    })?;
    text.overrides = overrides;
    Ok(())
}

/// Runs a scenario from start to end, with the target and options of the command line.
///
/// # Errors
/// As [`run`].
pub(super) async fn go(
    scenario: Scenario,
    text: ScenarioText,
    place: &TargetArgs,
    args: &SessionArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    publish::check(&args.publish, place.env.as_deref())?;
    let baselines = open_all(&args.baseline.baselines)?;
    files::check(&args.report)?;
    is_of(&baselines, &text)?;
    let mut up = start(place, &scenario).await.map_err(|error| Failure::from(&error))?;
    let self_metrics = publish::self_metrics(&args.publish, &mut up, output).await?;
    let overrides = text.overrides;
    let mut session = Session {
        scenario: Arc::new(scenario),
        text,
        up: &up,
        workers: args.workers,
        self_metrics,
        in_flight: None,
    };
    session.check(output)?;

    let dir = create_directory(&args.out, &session.scenario.name).map_err(|error| record_failure(&error))?;
    output.banner(&session.scenario, up.environment(), &dir);
    if !overrides.is_empty() {
        output.note(&format!("changed by the command line: {overrides}"));
    }
    let signals = Signals::listen();
    let recorded = session.record(&dir, output, &signals).await;
    let death = up.stop().await;
    let mut internal_errors = Vec::new();
    if let Err(error) = &recorded {
        internal_errors.push(record_failure_text(error));
    }
    if let Some(death) = &death {
        internal_errors.push(format!("{death}\nso the run was against a part of the stack only"));
    }
    internal_errors.iter().for_each(|mishap| output.warn(mishap));
    let judged = judge(&dir, &recorded)?;
    // The run has its verdict, whatever the result of the comparison.
    let compared = compare_with(&baselines, &dir, args);
    if let Some(Err(error)) = &judged.page {
        internal_errors.push(format!("the report could not be written: {error}"));
    }
    let ended = Ended { judged, compared, internal_errors };
    output.report(&ended.judged.report, ended.beside(), &args.report)?;
    output.page(ended.judged.page.as_ref());
    // The run is complete: an interruption from here on only ends waiting. An interrupted run is annotated,
    // too.
    let interrupted = signals.interrupted();
    let stop = if interrupted { CancellationToken::new() } else { signals.interrupt.clone() };
    publish::annotate(&args.publish, &dir, &ended.judged.report, &stop, output).await;
    match &ended.compared {
        None => {}
        Some(Ok(comparison)) => output.comparison_of_run(comparison, &args.report)?,
        Some(Err(failure)) => output.failure(failure),
    }
    Ok(ended.exit(interrupted))
}

/// Everything that decides the exit code of a run.
struct Ended {
    judged: Judged,
    compared: Option<Result<Comparison, Failure>>,
    /// Errors of saasbench itself.
    internal_errors: Vec<String>,
}

impl Ended {
    fn beside(&self) -> GateInputs<'_> {
        let compared = self.compared.as_ref();
        let compared = compared.map(|compared| compared.as_ref().map_err(|failure| &*failure.message));
        GateInputs { compared, internal_errors: &self.internal_errors }
    }

    fn exit(&self, interrupted: bool) -> Exit {
        let unkept = self.compared.as_ref().and_then(|compared| compared.as_ref().err());
        let broken = !self.internal_errors.is_empty()
            || unkept.is_some_and(|failure| failure.exit == Exit::InternalError);
        Exit::of_run(self.beside().and(self.judged.report.outcome), broken, interrupted)
    }
}
