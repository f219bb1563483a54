//! The command line of the local stack: `up`, and `supervise-child`, through which its processes are started.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

const HELP: &str = "Examples:
  saasbench up
  saasbench up --replicas 4 --port-base 9000 --data stack

Exit codes:
  0    ended by Ctrl-C, SIGTERM or SIGHUP
  2    the command line or the tenants file is wrong
  4    the stack could not be started, or one of its services has died";

/// Arguments of `up`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct UpArgs {
    /// Replicas of the service
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub replicas: u8,

    /// Tenants, one JSON object per line [default: the built-in acme, globex and initech]
    #[arg(long, value_name = "FILE")]
    pub tenants: Option<PathBuf>,

    /// Inject a fault into the service; repeat it for more (`saasbench faults` lists them)
    #[arg(long = "fault", value_name = "NAME[=VALUE]")]
    pub faults: Vec<tenancy::Fault>,

    /// How often Prometheus scrapes, and evaluates its rules
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = scrape_interval)]
    pub scrape_interval: Duration,

    /// Keep logs and data in this directory, instead of in a temporary one that is removed at the end
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Have Alertmanager send its notifications to this URL
    #[arg(long, value_name = "URL", value_parser = webhook)]
    pub webhook: Option<String>,

    /// Use the ports from this one on (replicas first) instead of any that are free
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port_base: Option<u16>,
}

/// Arguments of `supervise-child`.
#[derive(Debug, Args)]
pub struct SuperviseChildArgs {
    /// Process id of the parent
    #[arg(long, value_name = "PID")]
    pub parent: u32,

    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

fn scrape_interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval < Duration::from_millis(100) || interval > Duration::from_secs(60) {
        return Err("expected between 100ms and 1m, such as `1s` or `5s`".to_owned());
    }
    Ok(interval)
}

fn webhook(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("expected a URL such as http://127.0.0.1:9000/alerts".to_owned());
    }
    Ok(text.to_owned())
}
