//! `saasbench up`: runs the local stack until a signal ends it.

use std::io;

use tenancy::ShutdownSignals;

use crate::{
    args::UpArgs,
    environment::{
        EnvironmentError, embedded,
        local::{self, Wanted},
    },
    exit::{Exit, Failure},
    input,
    output::{Output, stack},
};

/// Starts the stack, prints its addresses, and stops it on Ctrl-C, SIGTERM or SIGHUP. An ignored SIGHUP stays
/// ignored: a stack under `nohup` keeps running.
///
/// # Errors
/// When it does not start, or one of its services ends.
pub async fn up(args: &UpArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let broken = |error: io::Error| {
        Failure::new(Exit::InternalError, format!("cannot watch the local stack: {error}"))
    };
    let mut signals = ShutdownSignals::listen();
    let wanted = wanted(args).map_err(|error| Failure::from(&error))?;
    output.note("starting the local stack");
    let stack = tokio::select! {
        stack = local::start(wanted) => stack,
        () = signals.next() => return Ok(Exit::Pass),
    };
    let mut stack = stack.map_err(|error| Failure::from(&EnvironmentError::from(error)))?;
    // The run that will listen there is another process.
    stack.metrics_listener = None;
    output.say(&stack::render(&stack))?;
    tokio::select! {
        death = stack.wait_for_exit() => {
            let death = death.map_err(broken)?;
            let logs = format!("the logs of all parts are kept in {}", stack.data().path().display());
            stack.stop().await;
            Err(Failure::new(Exit::Unreachable, death.to_string()).hint(logs))
        }
        () = signals.next() => {
            output.note("ending the local stack");
            stack.stop().await;
            Ok(Exit::Pass)
        }
    }
}

fn wanted(args: &UpArgs) -> Result<Wanted, EnvironmentError> {
    let tenants = match &args.tenants {
        None => None,
        Some(file) => {
            let name = file.display().to_string();
            let text = input::read_to_string(file).map_err(|error| EnvironmentError::Usage {
                message: format!("cannot read the tenants in {name}: {error}"),
                hint: "name a file with a JSON object per line for each tenant".to_owned(),
            })?;
            embedded::check_tenants(&text, &name)?;
            Some(text)
        }
    };
    Ok(Wanted {
        replicas: args.replicas.into(),
        tenants,
        faults: args.faults.iter().map(ToString::to_string).collect(),
        scrape_interval: args.scrape_interval,
        data: args.data.clone(),
        webhook: args.webhook.clone(),
        port_base: args.port_base,
    })
}
