//! `saasbench up`: the local stack, until it is told to stop.

use std::{fs, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::UpArgs,
    environment::{
        EnvironmentError, embedded,
        local::{self, Wanted},
    },
    exit::{Exit, Failure},
    output::{Output, stack},
};

/// Starts the stack, says where everything is, and ends it on Ctrl-C, SIGTERM or SIGHUP.
///
/// # Errors
/// When it does not come up, or one of its parts dies.
pub async fn up(args: &UpArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let broken = |error: io::Error| Failure::new(Exit::Broken, format!("cannot listen for signals: {error}"));
    let mut told = Told::listen().map_err(broken)?;
    let wanted = wanted(args).map_err(|error| Failure::from(&error))?;
    output.note("starting the local stack");
    let stack = tokio::select! {
        stack = local::start(wanted) => stack,
        () = told.received() => return Ok(Exit::Pass),
    };
    let mut stack = stack.map_err(|error| Failure::from(&EnvironmentError::from(error)))?;
    // The run that is to serve there is another process.
    stack.metrics_listener = None;
    output.say(&stack::render(&stack))?;
    tokio::select! {
        death = stack.wait_for_exit() => {
            let death = death.map_err(broken)?;
            let logs = format!("the logs of all parts are kept in {}", stack.data().path().display());
            stack.stop().await;
            Err(Failure::new(Exit::Unreachable, death.to_string()).hint(logs))
        }
        () = told.received() => {
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
            let text = fs::read_to_string(file).map_err(|error| EnvironmentError::Usage {
                message: format!("cannot read the tenants in {name}: {error}"),
                hint: "name a file with a JSON object a line for each tenant".to_owned(),
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

/// What asks the stack to end.
struct Told([Signal; 3]);

impl Told {
    fn listen() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
