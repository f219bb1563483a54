//! The binary `tenancy-server`: parses its arguments, runs, and turns an error into a message, a hint and an
//! exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tenancy::{Args, RunError};

/// The reference multi-tenant server: sessions, mock chat and rate limits per tenant, global over all
/// replicas.
#[derive(Debug, Parser)]
#[command(name = "tenancy-server", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    let Cli { args } = Cli::parse();
    let outcome =
        args.runtime().map_err(RunError::from).and_then(|runtime| runtime.block_on(tenancy::run(args)));
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let mut stderr = std::io::stderr().lock();
    // If standard error is closed, the exit code has to be enough.
    let _ = writeln!(stderr, "error: {error}");
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "hint: {hint}");
    }
    ExitCode::from(error.exit_code())
}
