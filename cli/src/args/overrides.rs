//! `run`'s overrides of a scenario's loads, named as in Locust and k6.

use clap::Args;

use saasbench_model::{
    scenario::{notation, overrides::Overrides},
    units::Nanos,
};

/// Overrides of the scenario's loads.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Overrides of the scenario's loads")]
pub struct OverrideArgs {
    /// Users of all loads that have users; each load keeps its share and its shape
    #[arg(short, long, value_name = "N", value_parser = count)]
    pub users: Option<u64>,

    /// Users that start per second, such as `10/s`
    #[arg(short = 'r', long, value_name = "RATE", value_parser = rate)]
    pub spawn_rate: Option<f64>,

    /// Iterations per second of all loads that have a rate, such as `500/s`
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<f64>,

    /// Duration of the loads, such as `30s`: their stages are scaled together
    #[arg(short = 't', long, value_name = "DURATION", visible_aliases = ["for", "duration"], value_parser = duration)]
    pub run_time: Option<Nanos>,

    /// Iterations of all loads together, after which they end
    #[arg(short = 'n', long, value_name = "N", value_parser = count)]
    pub iterations: Option<u64>,
}

impl From<OverrideArgs> for Overrides {
    fn from(args: OverrideArgs) -> Self {
        Self {
            rate: args.rate,
            users: args.users,
            spawn: args.spawn_rate,
            duration: args.run_time,
            iterations: args.iterations,
        }
    }
}

/// Events per second in a scenario's notation; a plain number is per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let text = if text.contains('/') { text.to_owned() } else { format!("{text}/s") };
    notation::rate(&text).map(|rate| rate.0).map_err(|complaint| complaint.to_string())
}

/// A duration above zero, in a scenario's notation.
pub(super) fn duration(text: &str) -> Result<Nanos, String> {
    notation::positive_duration(text).map_err(|complaint| complaint.to_string())
}

/// A whole number above zero.
pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse() {
        Ok(0) => Err("it has to be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("this is not a count; write it as `100`".to_owned()),
    }
}
