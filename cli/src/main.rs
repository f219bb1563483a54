//! The entry point: parses the command line, dispatches to a command, prints its error with a hint, and exits
//! with its code.

use std::{io::Write as _, process::ExitCode};

use anstream::{AutoStream, ColorChoice};
use clap::Parser as _;
use saasbench::{
    args::{Cli, Command, mistake},
    commands,
    exit::{Exit, Failure},
    output::{Output, failure},
    secrets,
};
use saasbench_report::github::GitHub;

#[expect(clippy::disallowed_methods, reason = "failures are printed safely")]
fn main() -> ExitCode {
    std::env::args().for_each(|argument| secrets::protect_url(&argument));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => match mistake::meant(&error) {
            None => return answered(&mistake::discreet(error)),
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

/// Prints the help, the version, or what is wrong with the command line. Standard output that cannot be
/// written fails as it does for every command; a closed pipe has read enough.
#[expect(clippy::disallowed_methods, reason = "the failure is printed safely")]
fn answered(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(problem) if !error.use_stderr() && problem.kind() != std::io::ErrorKind::BrokenPipe => {
            let failure =
                Failure::new(Exit::InternalError, format!("cannot write to standard output: {problem}"));
            let _ = failure::print(&failure, &mut anstream::stderr());
            failure.exit.into()
        }
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8)),
    }
}

#[expect(clippy::disallowed_methods, reason = "the streams are `Output`'s")]
fn dispatch(command: Command, err_is_coloured: bool) -> Result<Exit, Failure> {
    let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
    let annotates = matches!(command, Command::Run(_) | Command::Verify(_) | Command::Compare(_));
    let github = if annotates { GitHub::here() } else { None };
    let output = &mut Output::new(&mut out, &mut err, err_is_coloured).on_github(github);
    match command {
        Command::Run(args) => wait(commands::run::run(&args, output)),
        Command::Stress(args) => wait(commands::stress::stress(&args, output)),
        Command::Capacity(args) => wait(commands::capacity::capacity(&args, output)),
        Command::Verify(args) => commands::verify::verify(&args, output),
        Command::List(args) => commands::list::list(&args, output),
        Command::Show(args) => commands::show::show(&args, output),
        Command::New(args) => commands::new::new(&args, output),
        Command::Completions(args) => commands::shell::completions(&args, output),
        Command::Man(args) => commands::shell::man(&args, output),
        Command::Report(args) => commands::report::report(&args, output),
        Command::Compare(args) => commands::compare::compare(&args, output),
        Command::Validate(args) => commands::validate::validate(&args, output),
        Command::Metrics(args) => wait(commands::metrics::metrics(&args, output)),
        Command::Dashboards(args) => wait(commands::dashboards::dashboards(&args, output)),
        Command::Schema(args) => commands::schema::schema(&args, output),
        Command::Faults => commands::faults::faults(output),
        Command::Serve(args) => commands::serve::serve(args),
        Command::Up(args) => wait(commands::up::up(&args, output)),
        Command::SuperviseChild(args) => Err(commands::service::supervise_child(&args)),
        Command::Cleanup { dir } => commands::service::cleanup(&dir),
    }
}

/// Runs a command on a runtime of several threads.
fn wait(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .map_err(|error| Failure::new(Exit::InternalError, format!("cannot start a runtime: {error}")))?
        .block_on(command)
}
