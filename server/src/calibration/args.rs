//! The arguments of the calibration service, and the notation of their values.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Settings of the calibration service.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Calibration")]
pub struct CalibrationArgs {
    /// Serve known latencies instead of the API: any path responds with 200
    #[arg(long)]
    pub calibration: bool,

    /// Delay of each response: `20ms`, `exponential:20ms` for random delays with this mean, or
    /// `lognormal:20ms:0.3` for random delays with this median and this standard deviation of the logarithm
    /// [default: none]
    #[arg(long, value_name = "DELAY", requires = "calibration")]
    pub delay: Option<Delay>,

    /// Freeze once: FOR this long, starting this long AFTER the first request; requests meanwhile wait for
    /// the end
    #[arg(long, value_name = "FOR@AFTER", requires = "calibration")]
    pub freeze: Option<Freeze>,

    /// Serve one request after the other, at most N per second
    #[arg(long, value_name = "N/s", requires = "calibration", value_parser = parse_ceiling)]
    pub ceiling: Option<f64>,

    /// Seed of the random delays
    #[arg(long, value_name = "N", requires = "calibration", default_value_t = 1)]
    pub seed: u64,
}

/// How long a response is delayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Constant.
    Fixed(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
    /// Lognormally distributed, as the latency of services often is: some are much slower than the median.
    Lognormal {
        /// Half of the delays are longer.
        median: Duration,
        /// Standard deviation of the logarithm, from 0 to 3.
        sigma: f64,
    },
}

/// A freeze at a fixed time after the first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// How long it lasts.
    pub length: Duration,
    /// When it starts.
    pub after: Duration,
}

/// Parses a duration of at most a day.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if span > Duration::from_secs(24 * 3600) {
        return Err("expected at most a day".to_owned());
    }
    Ok(span)
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("exponential", mean)) => parse_span(mean).map(Self::Exponential),
            Some(("lognormal", rest)) => {
                let (median, sigma) = rest
                    .split_once(':')
                    .ok_or("expected a median and a deviation, such as `lognormal:20ms:0.3`")?;
                let sigma = sigma.parse().ok().filter(|sigma| (0.0..=3.0).contains(sigma));
                let sigma = sigma.ok_or("expected a deviation of the logarithm from 0 to 3, such as 0.3")?;
                Ok(Self::Lognormal { median: parse_span(median)?, sigma })
            }
            _ => parse_span(text).map(Self::Fixed),
        }
    }
}

impl FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (length, after) =
            text.split_once('@').ok_or("expected a length and a start, such as `2s@10s`")?;
        Ok(Self { length: parse_span(length)?, after: parse_span(after)? })
    }
}

fn parse_ceiling(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").and_then(|number| number.parse::<f64>().ok());
    number
        .filter(|rate| *rate >= 0.001 && rate.is_finite())
        .ok_or_else(|| "expected requests per second, such as `3000/s`".to_owned())
}

/// The description in the banner.
impl fmt::Display for CalibrationArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = humantime::format_duration;
        f.write_str("calibration")?;
        match self.delay {
            None => {}
            Some(Delay::Fixed(delay)) => write!(f, ", delay {}", show(delay))?,
            Some(Delay::Exponential(mean)) => {
                write!(f, ", exponential delay of {}, seed {}", show(mean), self.seed)?;
            }
            Some(Delay::Lognormal { median, sigma }) => {
                write!(f, ", lognormal delay of {} and {sigma}, seed {}", show(median), self.seed)?;
            }
        }
        if let Some(Freeze { length, after }) = self.freeze {
            write!(f, ", frozen for {} after {}", show(length), show(after))?;
        }
        self.ceiling.map_or(Ok(()), |ceiling| write!(f, ", at most {ceiling}/s"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: CalibrationArgs,
    }

    /// The description in the banner, or the first lines of the error.
    fn outcome(line: &str) -> String {
        match Cli::try_parse_from(line.split(' ')) {
            Ok(Cli { args }) => args.to_string(),
            Err(error) => error.to_string().lines().take(2).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn descriptions_and_errors_of_arguments() {
        let lines = [
            "x --calibration",
            "x --calibration --delay 20ms --ceiling 3000/s",
            "x --calibration --delay exponential:1500us --seed 7 --freeze 2s@10s",
            "x --calibration --delay lognormal:20ms:0.3",
            "x --calibration --delay lognormal:20ms",
            "x --calibration --delay lognormal:20ms:9",
            "x --delay 20ms",
            "x --calibration --delay 20",
            "x --calibration --delay 2days",
            "x --calibration --delay exponential:",
            "x --calibration --freeze 2s",
            "x --calibration --freeze 2s@soon",
            "x --calibration --ceiling 3000",
            "x --calibration --ceiling 0/s",
        ];
        let all: Vec<String> = lines.map(|line| format!("{line}\n    {}", outcome(line))).into();
        insta::assert_snapshot!(all.join("\n"));
    }
}
