//! `saasbench run`: brings the environment up, has the session run on it, reports.

use std::sync::Arc;

use super::{
    place::{bring_up, take_down},
    scenario::{declare, load},
    session::{Session, Signals, judge, record_failure, record_failure_text},
};
use crate::{
    args::RunArgs,
    environment::{Up, local},
    exit::{Exit, Failure},
    record::writer::create_directory,
    report::{files, output::Output, own_metrics::OwnMetrics},
};

/// Runs a scenario from end to end.
///
/// # Errors
/// When the scenario or the command line is wrong, the environment is not there, or the record cannot be written.
pub async fn run(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.set_display(args.display);
    let ended = run_scenario(args, output).await;
    output.ended(ended)
}

async fn run_scenario(args: &RunArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    check_metrics(args)?;
    files::check(&args.report)?;
    let (mut scenario, text) = load(&args.scenario, output.err_is_coloured())?;
    if let Some(name) = &args.place.env {
        declare(&mut scenario, &args.place.config, name, output.err_is_coloured())?;
    }
    let mut up = bring_up(&args.place, &scenario).await.map_err(|error| Failure::from(&error))?;
    let own_metrics = listen(args, &mut up, output).await?;
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
    let broken = recorded.is_err() || death.is_some() || !drawn;
    Ok(Exit::of_run(judged.report.outcome, broken, signals.interrupted()))
}

/// The local stack has its own place for the run's metrics.
fn check_metrics(args: &RunArgs) -> Result<(), Failure> {
    if args.metrics_listen.is_none() || args.place.env.as_deref() != Some(local::LOCAL) {
        return Ok(());
    }
    let message = format!(
        "--metrics-listen is not for the environment `{}`: its Prometheus knows where the run's own metrics are",
        local::LOCAL
    );
    Err(Failure::new(Exit::Usage, message)
        .hint("leave it out: they are served without it, and the run says where"))
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
    output.note(&format!("the run's own metrics: {}", listening.url()), args.display.quiet);
    Ok(Some(listening))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn the_local_stack_is_not_told_where_to_serve_the_metrics_of_the_run() {
        let words = ["saasbench", "run", "x.toml", "--env", "local", "--metrics-listen", "127.0.0.1:0"];
        let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        let failure = check_metrics(&args).unwrap_err();
        insta::assert_snapshot!(format!("{}\n{}", failure.message, failure.hint.unwrap_or_default()), @"
        --metrics-listen is not for the environment `local`: its Prometheus knows where the run's own metrics are
        leave it out: they are served without it, and the run says where
        ");
    }
}
