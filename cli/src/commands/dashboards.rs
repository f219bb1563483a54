//! `saasbench dashboards`: sends all queries of dashboards and rule files to a live Prometheus, and reports
//! mistakes.

use std::{path::Path, time::Duration};

use super::show::found;
use crate::{
    args::DashboardsArgs,
    dashboard::{self, Document, check::Checker},
    environment::{
        EnvironmentError,
        access::{Access, PrometheusConfig},
        connect,
    },
    exit::{Exit, Failure},
    input,
    output::{Output, dashboards::DashboardsReport},
};
use saasbench_model::{redact, scenario::http::Http};
use saasbench_record::manifest::Manifest;

/// Default length of the span.
const LAST: Duration = Duration::from_secs(15 * 60);
/// Seconds after a run's load that belong to its span: the last scrapes come later than the last requests.
const AFTER_LOAD: f64 = 15.0;

/// Checks the files.
///
/// # Errors
/// When a file cannot be read, or Prometheus does not respond.
pub async fn dashboards(args: &DashboardsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let documents = read(args)?;
    let run = args.run.as_deref().map(found).transpose()?;
    let manifest = run.as_deref().map(manifest).transpose()?;
    let span = span(args, manifest.as_ref())?;
    // A record shows which queries were sent, but not with which credentials.
    let url = args
        .prometheus
        .clone()
        .or_else(|| manifest?.environment.prometheus.as_deref().and_then(redact::base));
    let url = url.ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "there is no Prometheus to ask: the run had none, or one that ended with it",
        )
        .hint("name one with --prometheus URL, such as that of `saasbench up`")
    })?;
    let config = PrometheusConfig::of_arguments(&url, &args.prometheus_headers);
    let variable = |name: &str| std::env::var(name).ok();
    let access = config.and_then(|config| Access::new(config, "--prometheus", &variable));
    let access = access.map_err(|error| failure(&error))?;
    let client = connect::prometheus(Some(&access), &Http::default()).await;
    let client = client.map_err(|error| unanswered(&error, args.prometheus.is_none()))?;
    let unreachable = |reason: String| {
        Failure::new(Exit::Unreachable, format!("Prometheus does not tell what it has: {reason}"))
    };
    let client = client.ok_or_else(|| unreachable("there is none".to_owned()))?;
    let mut checker = Checker::new(&client, span).await.map_err(unreachable)?;

    let mut report = DashboardsReport::new(&redact::url(&url), span);
    for (file, document) in &documents {
        let checked = checker.check(document).await;
        report.add(file, &document.title, document.panels.len(), &checked);
    }
    output.dashboards(&report, args.report.json.as_deref())?;
    let is_wrong = report.errors() > 0 || args.warnings && report.warnings() > 0;
    Ok(if is_wrong { Exit::Fail } else { Exit::Pass })
}

/// All files, or all problems with them.
fn read(args: &DashboardsArgs) -> Result<Vec<(String, Document)>, Failure> {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    let mut hint = None;
    for path in &args.files {
        let name = path.display().to_string();
        match input::read_to_string(path) {
            Err(error) => problems.push(format!("cannot read {name}: {error}")),
            Ok(text) => match dashboard::read(&name, &text) {
                Ok(document) => documents.push((name, document)),
                Err(error) => {
                    problems.push(format!("{name}: {error}"));
                    hint = hint.or(Some(error.hint()));
                }
            },
        }
    }
    if problems.is_empty() {
        return Ok(documents);
    }
    let failure = Failure::new(Exit::Usage, problems.join("\n"));
    Err(match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

fn manifest(run: &Path) -> Result<Manifest, Failure> {
    let unreadable =
        |error| Failure::new(Exit::Usage, format!("{} is not a readable run: {error}", run.display()));
    Manifest::read(run).map_err(unreadable)
}

/// First and last instant, in seconds since the epoch.
fn span(args: &DashboardsArgs, manifest: Option<&Manifest>) -> Result<(f64, f64), Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = now.as_secs_f64();
    let (from, to) = match manifest {
        Some(manifest) => {
            let load = manifest.load.ok_or_else(|| {
                Failure::new(Exit::Usage, "the run has no load: it was cut off").hint("give --from and --to")
            })?;
            let zero = manifest.started_unix_ns as f64 / 1e9;
            (zero + load.from_ns.as_secs_f64(), (zero + load.to_ns.as_secs_f64() + AFTER_LOAD).min(now))
        }
        None => {
            let to = args.to.unwrap_or(now);
            let last = args.last.unwrap_or(LAST).as_secs_f64();
            (args.from.unwrap_or(to - last), to)
        }
    };
    if from < to {
        return Ok((from, to));
    }
    Err(Failure::new(Exit::Usage, "the span is empty: --from is not before --to"))
}

/// Why Prometheus does not respond; a run's own Prometheus ended with it.
fn unanswered(error: &EnvironmentError, is_of_run: bool) -> Failure {
    match error {
        EnvironmentError::Unreachable { .. } if is_of_run => failure(error).hint(
            "the Prometheus of a run with `--env local` ends with it: run against `saasbench up`, or name another with \
             --prometheus URL",
        ),
        _ => failure(error),
    }
}

fn failure(error: &EnvironmentError) -> Failure {
    match error {
        EnvironmentError::Unreachable { .. } => Failure::new(Exit::Unreachable, error.to_string())
            .hint("start it, or correct its address: it is what stands before /api/v1"),
        EnvironmentError::NotQueryable { hint, .. } => {
            Failure::new(Exit::Unreachable, error.to_string()).hint(hint.clone())
        }
        _ => {
            let failure = Failure::new(Exit::Usage, error.to_string());
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prometheus_that_ended_with_its_run_is_reported() {
        let error = EnvironmentError::Unreachable {
            what: "Prometheus".to_owned(),
            reason: "connection refused".to_owned(),
            hint: String::new(),
        };
        let hints = [true, false].map(|is_of_run| unanswered(&error, is_of_run).hint.unwrap());
        insta::assert_snapshot!(hints.join("\n"), @"
        the Prometheus of a run with `--env local` ends with it: run against `saasbench up`, or name another with --prometheus URL
        start it, or correct its address: it is what stands before /api/v1
        ");
    }
}
