//! Starts the environment that the command line names, or connects to it.

use crate::{
    args::TargetArgs,
    environment::{
        EnvironmentError, RunningEnvironment,
        access::PrometheusConfig,
        config,
        connect::TlsTrust,
        embedded,
        external::{self, AdHoc},
        local,
    },
    input,
};
use saasbench_model::scenario::Scenario;

/// Starts or connects to the environment that `args` select.
///
/// # Errors
/// When it cannot be reached or started, or the arguments contradict each other.
pub(super) async fn start(
    args: &TargetArgs,
    scenario: &Scenario,
) -> Result<RunningEnvironment, EnvironmentError> {
    let trust = TlsTrust::read(args.insecure, args.ca_file.as_deref(), "--ca-file")?;
    if let Some(name) = &args.env {
        if name == local::LOCAL {
            check_local(args)?;
            config::reserve(local::LOCAL, &args.config)?;
            return local::for_scenario(scenario, args.faults.iter().map(ToString::to_string).collect())
                .await;
        }
        if !args.faults.is_empty() {
            return Err(EnvironmentError::Usage {
                message: format!("the environment `{name}` cannot be asked to have faults"),
                hint: "give --fault without --env, or with `--env local`: there saasbench starts the service"
                    .to_owned(),
            });
        }
        let file = args.config.display().to_string();
        let text = input::read_to_string(&args.config).map_err(|error| EnvironmentError::Usage {
            message: format!("cannot read {file}, where the environment `{name}` should be: {error}"),
            hint: "name the file with --config, or give the addresses with --target".to_owned(),
        })?;
        return external::named(name, config::find(&text, &file, name)?, scenario, trust).await;
    }
    if args.targets.is_empty() {
        return embedded::start(scenario, &args.faults.iter().copied().collect()).await;
    }
    let prometheus = args.prometheus.as_deref();
    let prometheus = prometheus.map(|url| PrometheusConfig::of_arguments(url, &args.prometheus_headers));
    let given = AdHoc {
        targets: args.targets.clone(),
        prometheus: prometheus.transpose()?,
        redis: args.redis.clone(),
        exclusive: args.exclusive,
        fresh: args.fresh,
    };
    external::ad_hoc(given, scenario, trust).await
}

/// Rejects options that the local stack does not support.
fn check_local(args: &TargetArgs) -> Result<(), EnvironmentError> {
    let rejected = |flag: &str, why: &str, hint: &str| {
        let message = format!("{flag} is not for the environment `{}`: {why}", local::LOCAL);
        Err(EnvironmentError::Usage { message, hint: hint.to_owned() })
    };
    let (why, hint) = ("its replicas respond without TLS", "leave it out");
    if args.insecure {
        return rejected("--insecure", why, hint);
    }
    if args.ca_file.is_some() {
        return rejected("--ca-file", why, hint);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn the_local_stack_rejects_unsupported_options() {
        let mut text = String::new();
        for flags in [&["--insecure"][..], &["--ca-file", "ca.pem"], &[]] {
            let words = ["saasbench", "run", "x.toml", "--env", "local"].iter().chain(flags);
            let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
            let _ = match check_local(&args.place) {
                Err(error) => writeln!(text, "{error}\n  {}", error.hint().unwrap_or_default()),
                Ok(()) => writeln!(text, "good"),
            };
        }
        insta::assert_snapshot!(text, @"
        --insecure is not for the environment `local`: its replicas respond without TLS
          leave it out
        --ca-file is not for the environment `local`: its replicas respond without TLS
          leave it out
        good
        ");
    }
}
