//! `saasbench verify`: judges a recorded run again.

use crate::{
    args::VerifyArgs,
    exit::{Exit, Failure},
    record::{
        manifest::State,
        reader::{OpenError, RecordedRun},
    },
    report::{files, output::Output},
    verify,
};

/// Opens the run, judges it, and reports. The run itself stays as it is.
///
/// # Errors
/// When the run cannot be read, or the report not written.
pub fn verify(args: &VerifyArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    files::check(&args.report)?;
    let run = RecordedRun::open(&args.run).map_err(|error| match &error {
        OpenError::NotARun(_) => Failure::new(Exit::Usage, error.to_string())
            .hint("`saasbench run` names the directory of each run at its end"),
        _ => Failure::new(Exit::Usage, error.to_string()),
    })?;
    let report = verify::verify(&run).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    output.report(&report, &args.report)?;
    Ok(Exit::of_run(report.outcome, false, report.state == State::Interrupted))
}
