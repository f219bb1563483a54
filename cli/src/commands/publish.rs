//! Publishing a run: its metrics by scrape and push, and annotations in Grafana.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::{
    args::PublishArgs,
    environment::{EnvironmentError, RunningEnvironment, access::credentials, local},
    exit::{Exit, Failure},
    observe::{http_client, prometheus::client::Credentials},
    output::Output,
    publish::{
        grafana::{Grafana, annotations},
        self_metrics::{Push, SelfMetricsServer},
    },
};
use saasbench_engine::connect::tls::{Trust, config};
use saasbench_model::redact;
use saasbench_record::manifest::Manifest;
use saasbench_verify::Report;

/// Checks the arguments, before anything is started.
///
/// # Errors
/// When the local stack already decides an option, an address is invalid, or a secret is missing.
pub(super) fn check(args: &PublishArgs, env: Option<&str>) -> Result<(), Failure> {
    if args.metrics_listen.is_some() && env == Some(local::LOCAL) {
        let message = format!(
            "--metrics-listen is not for the environment `{}`: its Prometheus knows where the run's own metrics are",
            local::LOCAL
        );
        return Err(Failure::new(Exit::Usage, message)
            .hint("leave it out: they are served without it, and the run says where"));
    }
    push(args)?;
    grafana(args)?;
    Ok(())
}

/// Where the generator's metrics are served and pushed, if anywhere.
///
/// # Errors
/// When the address cannot be bound, or [`check`] fails.
pub(super) async fn self_metrics(
    args: &PublishArgs,
    up: &mut RunningEnvironment,
    output: &mut Output<'_>,
) -> Result<Option<SelfMetricsServer>, Failure> {
    let mut self_metrics = SelfMetricsServer::new();
    match (args.metrics_listen, up.take_metrics_listener()) {
        (Some(address), _) => self_metrics.listen(address).await.map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot serve the run's own metrics on {address}: {error}"))
                .hint("choose another address with --metrics-listen; port 0 takes any that is free")
        })?,
        (None, Some(listener)) => self_metrics.serve(listener).map_err(|error| {
            Failure::new(Exit::InternalError, format!("cannot serve the run's own metrics: {error}"))
        })?,
        (None, None) => {}
    }
    if let Some(url) = self_metrics.url() {
        output.note(&format!("the run's own metrics: {url}"));
    }
    let push = push(args)?;
    if self_metrics.url().is_none() && push.is_none() {
        return Ok(None);
    }
    push.into_iter().for_each(|push| self_metrics.push_to(push));
    Ok(Some(self_metrics))
}

/// Annotates a judged run in Grafana, but not beyond `stop`; a failure is a warning.
pub(super) async fn annotate(
    args: &PublishArgs,
    dir: &Path,
    report: &Report,
    stop: &CancellationToken,
    output: &mut Output<'_>,
) {
    // Problems with the arguments were reported before the load.
    let Ok(Some(grafana)) = grafana(args) else { return };
    let events = Manifest::read(dir).map(|manifest| manifest.events).unwrap_or_default();
    if let Err(reason) = grafana.tell(&annotations(report, &events), stop).await {
        output.warn(&reason);
    }
}

fn push(args: &PublishArgs) -> Result<Option<Push>, Failure> {
    let Some(url) = &args.push else { return Ok(None) };
    let http = client("--push", url, "the whole address: http://127.0.0.1:9090/api/v1/write")?;
    let credentials = known("--push-header", &args.push_headers)?;
    Ok(Some(Push { http, url: url.clone(), credentials, every: args.push_every }))
}

fn grafana(args: &PublishArgs) -> Result<Option<Grafana>, Failure> {
    let Some(url) = &args.grafana else { return Ok(None) };
    let http = client("--grafana", url, "what stands before /api: http://127.0.0.1:3000")?;
    let name = &args.grafana_token_env;
    if std::env::var(name).is_ok_and(|token| !token.is_empty()) {
        let header = format!("Authorization: Bearer ${{env:{name}}}");
        let credentials = known("--grafana", &[header])?;
        return Ok(Some(Grafana { http, url: url.clone(), credentials }));
    }
    Err(Failure::new(Exit::Usage, format!("--grafana: the environment variable {name} has no token"))
        .hint("make a token of a service account that may write annotations, and set the variable to it"))
}

fn known(option: &str, headers: &[String]) -> Result<Credentials, Failure> {
    let variables = |name: &str| std::env::var(name).ok();
    credentials(option, headers, &variables).map_err(|error: EnvironmentError| Failure::from(&error))
}

/// An HTTP client for an address; for TLS it trusts the system's authorities.
fn client(option: &str, url: &str, form: &str) -> Result<reqwest::Client, Failure> {
    let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(parsed) = parsed else {
        return Err(Failure::new(
            Exit::Usage,
            format!("{option}: `{}` is not a URL of http or https", redact::url(url)),
        )
        .hint(format!("give {form}")));
    };
    let trust = if parsed.scheme() == "https" { Trust::System } else { Trust::None };
    let tls = config(trust)
        .map_err(|error| Failure::new(Exit::Usage, format!("{option}: {error}")).hint(error.hint()))?;
    http_client(&tls, None).map_err(|error| Failure::new(Exit::InternalError, format!("{option}: {error}")))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn invalid_publishing_flags_are_reported_first() {
        let mut text = String::new();
        let flags: [&[&str]; 9] = [
            &["--env", "local", "--metrics-listen", "127.0.0.1:0"],
            &["--listen", "127.0.0.1:0"],
            &["--push", "prometheus:9090"],
            &["--push", "me:hush@prometheus:9090/w?token=hush"],
            &["--push", "http://127.0.0.1:9090/api/v1/write", "--push-header", "X-Scope-OrgID"],
            &[
                "--push",
                "http://127.0.0.1/w",
                "--push-header",
                "Authorization: Bearer ${env:NOT_SET_ANYWHERE}",
            ],
            &["--grafana", "127.0.0.1:3000"],
            &["--grafana", "ftp://hush@127.0.0.1:3000"],
            &["--grafana", "http://127.0.0.1:3000", "--grafana-token-env", "NOT_SET_ANYWHERE"],
        ];
        for flags in flags {
            let words = ["saasbench", "run", "x.toml"].iter().chain(flags);
            let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
            let _ = match check(&args.session.publish, args.place.env.as_deref()) {
                Err(failure) => writeln!(text, "{}\n  {}", failure.message, failure.hint.unwrap_or_default()),
                Ok(()) => writeln!(text, "good"),
            };
        }
        insta::assert_snapshot!(text);
    }
}
