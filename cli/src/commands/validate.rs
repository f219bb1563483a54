//! `saasbench validate`: checks scenario files without running them.

use std::io::{self, Write};

use super::scenario::load;
use crate::{args::ValidateArgs, exit::Exit, output::failure};

/// Checks every file, and says of each whether it is good: problems go to `err`.
///
/// # Errors
/// When `out` or `err` cannot be written.
pub fn validate(
    args: &ValidateArgs,
    color: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let mut exit = Exit::Pass;
    for path in &args.files {
        match load(path, color) {
            Ok((scenario, text)) => writeln!(
                out,
                "{}: ok ({} tenants, {} journeys, {} loads, {} limits, {} expectations)",
                text.file,
                scenario.tenants.len(),
                scenario.journeys.len(),
                scenario.loads.len(),
                scenario.limits.len(),
                scenario.expectations.len()
            )?,
            Err(problem) => {
                failure::print(&problem, err)?;
                exit = problem.exit;
            }
        }
    }
    Ok(exit)
}
