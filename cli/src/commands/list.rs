//! `saasbench list`: lists recorded runs.

use crate::{
    args::ListArgs,
    exit::{Exit, Failure},
    output::Output,
    run_store,
};

/// Lists them, the latest first.
///
/// # Errors
/// When the directory cannot be read, or the list cannot be written.
pub fn list(args: &ListArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let runs = run_store::entries(&args.out).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {}: {error}", args.out.display()))
            .hint("name the directory that `saasbench run --out` recorded into")
    })?;
    if runs.is_empty() && args.report.json.is_none() {
        output.note(&format!("nothing is recorded in {}; `saasbench run` does so", args.out.display()));
    }
    let now = jiff::Timestamp::now().as_nanosecond();
    output.run_list(&runs, i64::try_from(now).unwrap_or(i64::MAX), args.report.json.as_deref())?;
    Ok(Exit::Pass)
}
