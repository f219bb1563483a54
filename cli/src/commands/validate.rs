//! `saasbench validate`: checks scenario files without running them.

use super::scenario::load;
use crate::{
    args::ValidateArgs,
    exit::{Exit, Failure},
    output::Output,
};

/// Checks every file: a line on standard output for each valid one, the problems of others on standard error.
///
/// # Errors
/// When standard output cannot be written.
pub fn validate(args: &ValidateArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut exit = Exit::Pass;
    for path in &args.files {
        match load(path, output.err_is_coloured()) {
            Ok((scenario, text)) => output.say(&format!(
                "{}: ok ({} tenants, {} journeys, {} loads, {} limits, {} expectations)\n",
                text.file,
                scenario.tenants.len(),
                scenario.journeys.len(),
                scenario.loads.len(),
                scenario.limits.len(),
                scenario.expectations.len()
            ))?,
            Err(problem) => {
                output.failure(&problem);
                exit = problem.exit;
            }
        }
    }
    Ok(exit)
}
