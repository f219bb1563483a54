//! `saasbench serve`: the reference server, as `tenancy-server` runs it.

use crate::exit::{Exit, Failure};

/// Serves until a signal ends it.
///
/// # Errors
/// When the server cannot start.
pub fn serve(args: tenancy::Args) -> Result<Exit, Failure> {
    let runtime = args
        .runtime()
        .map_err(|error| Failure::new(Exit::InternalError, format!("cannot start a runtime: {error}")))?;
    runtime.block_on(tenancy::run(args)).map(|()| Exit::Pass).map_err(|error| {
        let exit = match error.exit_code() {
            code if code == Exit::Unreachable as u8 => Exit::Unreachable,
            code if code == Exit::InternalError as u8 => Exit::InternalError,
            _ => Exit::Usage,
        };
        let failure = Failure::new(exit, error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}
