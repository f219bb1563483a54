//! `saasbench run`: brings the environment up, has the session run on it, reports.

use std::sync::Arc;

use super::{
    compare::{compare_with, is_of, open_all},
    place::{bring_up, take_down},
    publish,
    scenario::{declare, load},
    session::{Session, Signals, judge, record_failure, record_failure_text},
};
use crate::{
    args::{PlaceArgs, RunArgs, SessionArgs},
    exit::{Exit, Failure},
    record::{manifest::ScenarioText, writer::create_directory},
    report::{files, output::Output},
    scenario::{Scenario, overrides::Overrides},
    verify::verdict::Outcome,
};

/// Runs a scenario from end to end.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment is not there, or the record cannot be written.
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

/// Changes the loads of a scenario, and takes note of it for the record.
fn change(scenario: &mut Scenario, text: &mut ScenarioText, overrides: Overrides) -> Result<(), Failure> {
    overrides.apply(scenario).map_err(|error| {
        let message = format!("{} cannot be run so: {error}", text.file);
        Failure::new(Exit::Usage, message).hint(error.hint())
    })?;
    text.overrides = overrides;
    Ok(())
}

/// Runs a scenario from end to end, where and how the command line says.
///
/// # Errors
/// As [`run`].
pub(super) async fn go(
    scenario: Scenario,
    text: ScenarioText,
    place: &PlaceArgs,
    args: &SessionArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    publish::check(&args.publish, place.env.as_deref())?;
    let baselines = open_all(&args.baseline.baselines)?;
    files::check(&args.report)?;
    is_of(&baselines, &text)?;
    let mut up = bring_up(place, &scenario).await.map_err(|error| Failure::from(&error))?;
    let own_metrics = publish::own_metrics(&args.publish, &mut up, args.display.quiet, output).await?;
    let overrides = text.overrides;
    let mut session = Session {
        scenario: Arc::new(scenario),
        text,
        up: &up,
        workers: args.workers,
        own_metrics,
        in_flight: None,
        quiet: args.display.quiet,
    };
    session.check(output)?;

    let dir = create_directory(&args.out, &session.scenario.name).map_err(|error| record_failure(&error))?;
    output.banner(&session.scenario, &up.environment, &dir, args.display.quiet);
    if !overrides.is_empty() {
        output.note(&format!("changed by the command line: {overrides}"), args.display.quiet);
    }
    let signals = Signals::listen();
    let recorded = session.record(&dir, output, &signals).await;
    let death = take_down(up).await;
    if let Err(error) = &recorded {
        output.warn(&record_failure_text(error));
    }
    if let Some(death) = &death {
        output.warn(&format!("{death}\nso the run was against a part of the stack only"));
    }
    let judged = judge(&dir, &recorded)?;
    output.report(&judged.report, &args.report)?;
    let drawn = output.page(judged.page.as_ref(), args.display.quiet);
    publish::annotate(&args.publish, &dir, &judged.report, output).await;
    // The run has its verdict, whatever becomes of the comparison.
    let compared = compare_with(&baselines, &dir, args, output);
    if let Err(failure) = &compared {
        output.failure(failure);
    }
    let outcome = judged.report.outcome.max(*compared.as_ref().unwrap_or(&Outcome::Inconclusive));
    let unwritten = compared.is_err_and(|failure| failure.exit == Exit::Broken);
    let broken = recorded.is_err() || death.is_some() || !drawn || unwritten;
    Ok(Exit::of_run(outcome, broken, signals.interrupted()))
}
