//! Parses the command line, dispatches, prints an error with its hint, and ends with the exit code; no logic.

use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::Parser as _;
use saasbench::{
    args::{Cli, Command, mistake},
    commands,
    exit::{Exit, Failure},
    output::{Output, failure},
};
use saasbench_report::github::GitHub;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => match mistake::meant(&error) {
            None => mistake::discreet(error).exit(),
            Some(failure) => {
                let _ = failure::print(&failure, &mut anstream::stderr());
                return failure.exit.into();
            }
        },
    };
    let choice = match cli.color.as_str() {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    choice.write_global();
    let err_is_coloured = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let mut err = AutoStream::new(std::io::stderr(), choice);
    match dispatch(cli.command, err_is_coloured) {
        Ok(exit) => exit.into(),
        Err(problem) => {
            let _ = failure::print(&problem, &mut err);
            problem.exit.into()
        }
    }
}

fn dispatch(command: Command, err_is_coloured: bool) -> Result<Exit, Failure> {
    let mut out = anstream::stdout();
    let mut err = anstream::stderr();
    let unwritable = |error: std::io::Error| Failure::new(Exit::Broken, format!("cannot write: {error}"));
    match command {
        Command::Run(args) => runtime()?.block_on(commands::run::run(
            &args,
            &mut Output::new(&mut out, &mut err, err_is_coloured).on_github(GitHub::here()),
        )),
        Command::Stress(args) => runtime()?
            .block_on(commands::stress::stress(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))),
        Command::Capacity(args) => {
            let mut output = Output::new(&mut out, &mut err, err_is_coloured);
            runtime()?.block_on(commands::capacity::capacity(&args, &mut output))
        }
        Command::Verify(args) => commands::verify::verify(
            &args,
            &mut Output::new(&mut out, &mut err, err_is_coloured).on_github(GitHub::here()),
        ),
        Command::List(args) => {
            commands::list::list(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::Show(args) => {
            commands::show::show(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::New(args) => {
            commands::new::new(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::Completions(args) => {
            commands::shell::completions(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::Man(args) => {
            commands::shell::man(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::Report(args) => {
            commands::report::report(&args, &mut Output::new(&mut out, &mut err, err_is_coloured))
        }
        Command::Compare(args) => commands::compare::compare(
            &args,
            &mut Output::new(&mut out, &mut err, err_is_coloured).on_github(GitHub::here()),
        ),
        Command::Validate(args) => {
            commands::validate::validate(&args, err_is_coloured, &mut out, &mut err).map_err(unwritable)
        }
        Command::Metrics(args) => {
            let mut output = Output::new(&mut out, &mut err, err_is_coloured);
            runtime()?.block_on(commands::metrics::metrics(&args, &mut output))
        }
        Command::Dashboards(args) => {
            let mut output = Output::new(&mut out, &mut err, err_is_coloured);
            runtime()?.block_on(commands::dashboards::dashboards(&args, &mut output))
        }
        Command::Schema(args) => {
            let mut output = Output::new(&mut out, &mut err, err_is_coloured);
            commands::schema::schema(&args, &mut output).map(|()| Exit::Pass)
        }
        Command::Faults => commands::faults::faults(&mut out).map_err(unwritable),
        Command::Serve(args) => commands::serve::serve(args),
        Command::Up(args) => {
            let output = &mut Output::new(&mut out, &mut err, err_is_coloured);
            runtime()?.block_on(commands::up::up(&args, output))
        }
        Command::SuperviseChild(args) => Err(commands::service::supervise_child(&args)),
        Command::Cleanup { dir } => commands::service::cleanup(&dir),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Broken, format!("cannot start a runtime: {error}")))
}
