//! Flags for publishing: generator metrics by scrape or push, annotations in Grafana.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

/// Publishing flags.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Publishing")]
pub struct PublishArgs {
    /// Serve the generator's metrics here during the run, at `/metrics`, for a Prometheus to scrape
    #[arg(long, visible_alias = "listen", value_name = "HOST:PORT")]
    pub metrics_listen: Option<SocketAddr>,

    /// Push the generator's metrics here by Prometheus remote write during the run:
    /// `http://127.0.0.1:9090/api/v1/write`
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,

    /// Send this header with every push, `NAME: VALUE`, a secret as `${env:NAME}`; repeat it for more
    #[arg(long = "push-header", value_name = "HEADER", requires = "push")]
    pub push_headers: Vec<String>,

    /// Interval between pushes, from 1s to 60s
    #[arg(long, value_name = "DURATION", value_parser = every, default_value = "5s", requires = "push")]
    pub push_every: Duration,

    /// Annotate the run, its events and its failed claims in this Grafana
    #[arg(long, value_name = "URL")]
    pub grafana: Option<String>,

    /// The environment variable with the token of a Grafana service account
    #[arg(long, value_name = "NAME", default_value = "GRAFANA_TOKEN", requires = "grafana")]
    pub grafana_token_env: String,
}

fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(60);
    if allowed.contains(&every) { Ok(every) } else { Err("expected 1s to 60s".to_owned()) }
}
