//! Arguments of `stress`, named as in oha, hey, wrk, curl and Locust; docs/stress.md has the table.

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};

use super::{
    EXIT_CODES, SessionArgs,
    overrides::{count, duration, rate},
};
use saasbench_model::{
    scenario::{StatusPattern, expectation, file::METHODS, notation},
    units::Nanos,
};

const EXAMPLES: &str = "Examples:
  saasbench stress http://127.0.0.1:8005/
  saasbench stress http://127.0.0.1:8005/ -c 100 -z 30s --expect 'p99 < 50ms'
  saasbench stress https://api.example.com/chat --rate 500/s -z 1m --status 200,429 \\
      -H 'Authorization: Bearer ${env:TOKEN}' --json-body '{\"message\": \"hello\"}'
  saasbench stress http://127.0.0.1:8005/ -u 100 -r 10/s --save stress.toml";

/// Arguments of `stress`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), mut_arg("quiet", |quiet| quiet.short(None)))]
pub struct StressArgs {
    /// Where requests go: http://…, https://… or unix:/path/of.sock:/path. Several paths get equal shares,
    /// several hosts take turns
    #[arg(value_name = "URL", required = true)]
    pub urls: Vec<String>,

    /// Bound the result, in the language of `[[expect]]`: 'p99 < 50ms', 'rate >= 1000/s'; repeat it for more
    #[arg(long, value_name = "BOUND", value_parser = bound)]
    pub expect: Vec<String>,

    /// Compare the service's metrics, written by this library, with what was sent
    #[arg(long, value_name = "PRESET")]
    pub metrics: Option<String>,

    /// Write the equivalent scenario to FILE (`-` for standard output), and send nothing
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Overwrite FILE
    #[arg(long, requires = "save")]
    pub force: bool,

    /// The load
    #[command(flatten)]
    pub load: StressLoadArgs,

    /// The request
    #[command(flatten)]
    pub request: RequestArgs,

    /// Record, display and report
    #[command(flatten, next_help_heading = "Output")]
    pub session: SessionArgs,
}

/// The load.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct StressLoadArgs {
    /// Users, each with a connection, who wait for their responses [default: 50]; with --rate, their maximum
    #[arg(short, long, value_name = "N", visible_short_alias = 'c', visible_alias = "connections",
          value_parser = count)]
    pub users: Option<u64>,

    /// Users that start per second, such as `10/s` [default: all at once]
    #[arg(short = 'r', long, value_name = "RATE", value_parser = rate, conflicts_with = "rate")]
    pub spawn_rate: Option<f64>,

    /// Requests per second of all users together, however slow the responses are
    #[arg(short = 'q', long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<f64>,

    /// Duration [default: 10s, or with -n as long as it takes]
    #[arg(short = 'z', long = "for", value_name = "DURATION", visible_alias = "duration", value_parser = duration)]
    pub length: Option<Nanos>,

    /// The same as --for, under Locust's name
    #[arg(short = 't', long, value_name = "DURATION", value_parser = run_time)]
    pub run_time: Option<Nanos>,

    /// Total number of requests, after which the load ends
    #[arg(short = 'n', long, value_name = "N", visible_alias = "requests", value_parser = count)]
    pub iterations: Option<u64>,
}

/// The request.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArgs {
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, visible_short_alias = 'm', ignore_case = true,
          value_parser = PossibleValuesParser::new(METHODS.map(|method| clap::builder::PossibleValue::new(method))))]
    pub method: Option<String>,

    /// A header, `NAME: VALUE`, a secret as `${env:NAME}`; repeat it for more
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// The body; @FILE reads it from a file, @- or - from standard input
    #[arg(short = 'd', long, value_name = "BODY", allow_hyphen_values = true, conflicts_with_all = ["body_file", "json_body"],
          value_parser = body)]
    pub data: Option<String>,

    /// Read the body from this file
    #[arg(short = 'D', long, value_name = "FILE", conflicts_with = "json_body")]
    pub body_file: Option<PathBuf>,

    /// The body, sent as application/json; @FILE and - as with --data
    #[arg(long, value_name = "JSON")]
    pub json_body: Option<String>,

    /// The Content-Type header
    #[arg(short = 'T', long, value_name = "TYPE", conflicts_with = "json_body")]
    pub content_type: Option<String>,

    /// The Accept header
    #[arg(short = 'A', long, value_name = "TYPE")]
    pub accept: Option<String>,

    /// Basic authentication: `USER:PASSWORD`, preferably `USER:${env:PASSWORD}`
    #[arg(short = 'a', long, value_name = "USER:PASSWORD", value_parser = credentials)]
    pub auth: Option<(String, String)>,

    /// Expected statuses, such as `200,429` or `2xx`; any other is an error [default: 2xx]
    #[arg(long, value_name = "STATUSES", value_delimiter = ',', value_parser = status)]
    pub status: Vec<StatusPattern>,

    /// Longest duration of a request, connecting included
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub timeout: Nanos,

    /// Use HTTP/2, on http:// by prior knowledge [default: what the server chooses on https://, HTTP/1.1
    /// elsewhere]
    #[arg(long)]
    pub http2: bool,

    /// Open a new connection for each request
    #[arg(long)]
    pub disable_keepalive: bool,

    /// Accept any certificate, whatever its name and signer
    #[arg(short = 'k', long, conflicts_with = "ca_file")]
    pub insecure: bool,

    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<String>,
}

/// A duration for `-t`: Locust's meaning. Other tools use it for something else, with values without a unit.
fn run_time(text: &str) -> Result<Nanos, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "the unit is missing: as Locust's run time, write `{text}s`; hey's and ab's timeout is `--timeout {text}s`, and wrk's threads are `--workers {text}`"
        ));
    }
    duration(text)
}

/// A body, unless it is a value of `-d` as in wrk and k6.
fn body(text: &str) -> Result<String, String> {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if number.len() < text.len() && ["", "s", "m", "h", "ms"].contains(&number) {
        let seconds = if number.is_empty() { "s" } else { "" };
        return Err(format!(
            "-d is the body, as with curl, oha and hey; how long it takes is `-z {text}{seconds}`. A body that looks like that comes from a file: `-D body.txt`"
        ));
    }
    Ok(text.to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("a header is written `NAME: VALUE`".to_owned());
    };
    let name = notation::header_name(name.trim()).map_err(|complaint| complaint.to_string())?;
    Ok((name, value.trim().to_owned()))
}

fn credentials(text: &str) -> Result<(String, String), String> {
    // The colon in `${env:NAME}` is part of it.
    let from = if text.starts_with("${") { text.find('}').unwrap_or(0) } else { 0 };
    match text[from..].split_once(':') {
        Some((user, password)) => Ok((format!("{}{user}", &text[..from]), password.to_owned())),
        None => Err("write it as `USER:PASSWORD`, the password preferably as `${env:PASSWORD}`".to_owned()),
    }
}

fn status(text: &str) -> Result<StatusPattern, String> {
    let text = text.trim();
    let status = match text.parse::<i128>() {
        Ok(code) => notation::status(code),
        Err(_) => notation::status_class(text),
    };
    status.map_err(|complaint| format!("{}; statuses are written `200,429` or `2xx`", complaint.message))
}

fn bound(text: &str) -> Result<String, String> {
    expectation::parse(text).map(|_| text.to_owned()).map_err(|complaint| complaint.to_string())
}
