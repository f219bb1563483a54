//! `saasbench verify`: judges a recorded run again.

use super::show::{found, open};
use crate::{
    args::VerifyArgs,
    exit::{Exit, Failure},
    output::{Output, files},
};
use saasbench_record::manifest::State;
use saasbench_report::gate::GateInputs;

/// Opens the run, judges it, and reports. The run itself is not changed.
///
/// # Errors
/// When the run cannot be read, or the report cannot be written.
pub fn verify(args: &VerifyArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    files::check(&args.report)?;
    let run = open(&found(&args.run)?)?;
    let report =
        saasbench_verify::verify(&run).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    output.report(&report, GateInputs::default(), &args.report)?;
    Ok(Exit::of_run(report.outcome, false, report.state == State::Interrupted))
}
