//! The command line.

mod capacity;
mod compare;
mod display;
pub mod mistake;
mod new;
mod overrides;
mod page;
mod publish;
mod report;
mod run;
mod runs;
mod schema;
mod shell;
mod stress;
mod up;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::styling};

pub use capacity::CapacityArgs;
pub use compare::{BaselineArgs, CompareArgs, TermsArgs};
pub use display::{DisplayArgs, ProgressForm, Ui};
pub use new::NewArgs;
pub use overrides::OverrideArgs;
pub use page::PageArgs;
pub use publish::PublishArgs;
pub use report::{JsonArgs, ReportArgs};
pub use run::{RunArgs, SessionArgs, TargetArgs};
pub use runs::{ListArgs, ShowArgs};
pub use schema::{SchemaArgs, SchemaOf};
pub use shell::{CompletionsArgs, ManArgs};
pub use stress::StressArgs;
pub use up::{SuperviseChildArgs, UpArgs};

const METRICS_EXIT_CODES: &str = "Exit codes:
  0    no findings
  1    findings
  2    the command line is wrong, or a file cannot be read
  4    the service did not respond
  5    saasbench itself could not go on (disk full, a defect)
  130  interrupted";

const EXIT_CODES: &str = "Exit codes:
  0    all claims pass
  1    a claim failed
  2    the command line, a scenario or a recorded run is wrong
  3    a claim is inconclusive, and none failed
  4    the environment could not be reached or started
  5    saasbench itself could not go on (disk full, a defect)
  130  interrupted; what was recorded is kept and judged";

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "Examples:
  saasbench run scenarios/flood.toml
  saasbench stress http://127.0.0.1:8005/ -c 100 -z 30s --expect 'p99 < 50ms'
  saasbench show latest";

/// Load a multi-tenant service, and verify what it promises and what its metrics claim.
#[derive(Debug, Parser)]
#[command(name = "saasbench", version, styles = STYLES, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), max_term_width = 100)]
pub struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "always", "never"])]
    pub color: String,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario, record it, and judge it
    Run(RunArgs),
    /// Send requests to a URL, with the flags of oha, hey, wrk and Locust, and judge the result
    Stress(StressArgs),
    /// Find the highest load at which a scenario's expectations hold
    Capacity(CapacityArgs),
    /// Judge a recorded run again
    Verify(VerifyArgs),
    /// List the recorded runs
    List(ListArgs),
    /// Show the report of a recorded run
    Show(ShowArgs),
    /// Write a starter scenario, or one from an OpenAPI description
    New(NewArgs),
    /// Make the HTML report of recorded runs
    Report(PageArgs),
    /// Compare a recorded run with earlier ones: latency, errors and throughput
    Compare(CompareArgs),
    /// Check scenario files without running them
    Validate(ValidateArgs),
    /// Check a service's metrics: format, names and number of series
    Metrics(MetricsArgs),
    /// Run the queries of dashboards and rule files against a live Prometheus, and report what is wrong
    Dashboards(DashboardsArgs),
    /// Write the JSON Schema of reports or scenarios
    Schema(SchemaArgs),
    /// List the faults that the reference service can inject
    #[command(after_help = "Example:\n  saasbench faults | grep limit")]
    Faults,
    /// Serve the reference multi-tenant API
    #[command(after_help = "Example:\n  saasbench serve --listen 127.0.0.1:8005")]
    Serve(tenancy::Args),
    /// Start the local stack: Redis, replicas of the reference service, Prometheus, Alertmanager and the Redis exporter
    Up(UpArgs),
    /// Write shell completions
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Run a program that ends with its parent process
    #[command(hide = true)]
    SuperviseChild(SuperviseChildArgs),
    /// Remove a directory once standard input ends, unless it says anything
    #[command(hide = true)]
    Cleanup {
        /// The directory
        dir: PathBuf,
    },
}

const VERIFY_EXAMPLES: &str = "Examples:
  saasbench verify latest
  saasbench verify runs/20261121T020936Z-flood --json - | jq .outcome";

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = format!("{VERIFY_EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct VerifyArgs {
    /// A recorded run: its directory, the start of its name, `latest`, or the name of a scenario for its
    /// latest run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// How the report goes out
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  saasbench validate scenarios/*.toml")]
pub struct ValidateArgs {
    /// Scenario files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

const METRICS_EXAMPLES: &str = "Examples:
  saasbench metrics http://127.0.0.1:8005
  curl -s http://127.0.0.1:8005/metrics | saasbench metrics -
  saasbench metrics http://127.0.0.1:8005 --guess >> scenario.toml";

/// Arguments of `metrics`.
#[derive(Debug, Args)]
#[command(after_help = format!("{METRICS_EXAMPLES}\n\n{METRICS_EXIT_CODES}"))]
pub struct MetricsArgs {
    /// Expositions: URLs (without a path, /metrics is requested), files, or `-` for standard input
    #[arg(value_name = "URL|FILE", required = true)]
    pub sources: Vec<String>,

    /// Guess the metrics contract instead, and write it as a scenario's `[metrics]` table
    #[arg(long, conflicts_with = "json")]
    pub guess: bool,

    /// Accept any certificate of an https:// URL, whatever its name and signer
    #[arg(long, conflicts_with = "ca_file")]
    pub insecure: bool,

    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<String>,

    /// How the report goes out
    #[command(flatten)]
    pub report: JsonArgs,
}

const DASHBOARDS_HELP: &str = "Examples:
  saasbench dashboards dashboards/*.json --prometheus http://127.0.0.1:9090 --last 30m
  saasbench dashboards dashboards/*.json compose/prometheus/rules/*.yml --run latest --prometheus http://127.0.0.1:9090

Exit codes:
  0  every query has data, and nothing is wrong
  1  there are errors (with --warnings: or warnings)
  2  the command line or a file is wrong
  4  Prometheus does not respond";

/// Arguments of `dashboards`.
#[derive(Debug, Args)]
#[command(after_help = DASHBOARDS_HELP)]
pub struct DashboardsArgs {
    /// Dashboards as Grafana exports them (JSON), and rule files (.yml, .yaml)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The Prometheus to query; by default that of the run
    #[arg(long, value_name = "URL", required_unless_present = "run")]
    pub prometheus: Option<String>,

    /// Send this header to Prometheus, `NAME: VALUE`, a secret as `${env:NAME}`; repeat it for more
    #[arg(long = "prometheus-header", value_name = "HEADER")]
    pub prometheus_headers: Vec<String>,

    /// Query the time of this recorded run's load (named as for `saasbench show`), and 15 s after it
    #[arg(long, value_name = "RUN", conflicts_with_all = ["from", "to", "last"])]
    pub run: Option<PathBuf>,

    /// Query from this instant on: RFC 3339, or seconds since the epoch
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub from: Option<f64>,

    /// Query up to this instant [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub to: Option<f64>,

    /// Query this long up to the end [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "from")]
    pub last: Option<std::time::Duration>,

    /// Let warnings decide the exit code, too
    #[arg(long)]
    pub warnings: bool,

    /// How the report goes out
    #[command(flatten)]
    pub report: JsonArgs,
}

/// An instant in seconds since the epoch.
fn instant(text: &str) -> Result<f64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok(seconds);
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(at.as_nanosecond() as f64 / 1e9),
        Err(_) => Err("write it as 2026-11-21T10:15:00Z, or in seconds since the epoch".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Splits a line into words as a shell does; what follows a pipe or a redirection is dropped.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '|' | '>' if !quoted => break,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_shows_an_example_that_it_takes() {
        let command = Cli::command();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = help.replace("\\\n", " ");
            let examples: Vec<&str> = help
                .lines()
                // Lines with exit codes start with a digit.
                .filter(|line| !line.trim().starts_with(|c: char| c.is_ascii_digit()))
                .filter_map(|line| {
                    line.strip_prefix("  ")?.find("saasbench ").map(|at| line[at + 2..].trim())
                })
                .collect();
            assert!(
                examples.iter().any(|line| line.contains(&format!("saasbench {name}"))),
                "{name}: {help}"
            );
            for line in &examples {
                let words = words(line);
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{words:?}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_overview_lists_all_commands() {
        let overview = include_str!("../../docs/commands.md");
        let table = overview.split("## Exit codes").next().unwrap_or_default();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split([' ', '`']).next());
        let mut rows: Vec<&str> = rows.collect();
        let command = Cli::command();
        let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
        let mut names: Vec<&str> = visible.map(clap::Command::get_name).collect();
        rows.sort_unstable();
        names.sort_unstable();
        assert_eq!(rows, names, "docs/commands.md");
    }
}
