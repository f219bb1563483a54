//! `saasbench metrics`: looks at expositions, of services that run or of files.

use std::{
    fs,
    io::{self, Read as _},
};

use reqwest::{Client, Url};

use crate::{
    args::MetricsArgs,
    environment::reach::PlaceTrust,
    exit::{Exit, Failure},
    load::connect::tls::{self, Trust},
    observe::{
        exposition::inspection::{Inspection, Origin},
        fetch::fetch,
        http_client,
    },
    report::output::Output,
};

/// Looks at every page, reports on those that are there, and says why the others are not.
///
/// # Errors
/// When nobody can be asked, or the report cannot be written.
pub async fn metrics(args: &MetricsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = client(args)?;
    let (mut pages, mut missing) = (Vec::new(), None);
    for source in &args.sources {
        match page(source, &client).await {
            Ok(page) => pages.push(page),
            Err(failure) => {
                missing.get_or_insert(failure.exit);
                output.failure(&failure);
            }
        }
    }
    output.inspections(&pages, args.report.json.as_deref())?;
    let is_clean = pages.iter().all(|page| page.findings.is_empty());
    Ok(missing.unwrap_or(if is_clean { Exit::Pass } else { Exit::Fail }))
}

/// The page of a URL, of a file, or (`-`) of standard input.
async fn page(source: &str, client: &Client) -> Result<Inspection, Failure> {
    if let Some(url) = url(source)? {
        let shown = url.to_string();
        let answer = fetch(client, url)
            .await
            .map_err(|error| Failure::new(Exit::Unreachable, error.to_string()).hint(error.hint()))?;
        return Ok(Inspection::of(shown, &answer.body, Origin::Answer(answer.content_type, answer.took)));
    }
    let (name, read) = match source {
        "-" => {
            let mut body = Vec::new();
            ("<stdin>", io::stdin().read_to_end(&mut body).map(|_| body))
        }
        file => (file, fs::read(file)),
    };
    let body = read.map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {name}: {error}"))
            .hint("name a file, a URL that begins with http:// or https://, or - for standard input")
    })?;
    Ok(Inspection::of(name.to_owned(), &body, Origin::File))
}

/// A source as a URL, if it is one; without a path it is `/metrics`.
fn url(source: &str) -> Result<Option<Url>, Failure> {
    if !source.starts_with("http://") && !source.starts_with("https://") {
        return Ok(None);
    }
    let mut url = Url::parse(source).map_err(|error| {
        Failure::new(Exit::Usage, format!("{source} is no URL: {error}"))
            .hint("write it as http://127.0.0.1:8005/metrics")
    })?;
    if url.path() == "/" {
        url.set_path("/metrics");
    }
    Ok(Some(url))
}

fn client(args: &MetricsArgs) -> Result<Client, Failure> {
    let place = PlaceTrust::read(args.insecure, args.roots.as_deref(), "--roots")
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let is_needed = args.sources.iter().any(|source| source.starts_with("https:"));
    let trust = match &place {
        Some(PlaceTrust { insecure: true, .. }) => Trust::Anybody,
        Some(PlaceTrust { roots: Some((pem, file)), .. }) => Trust::Roots { pem, file },
        _ if is_needed => Trust::System,
        _ => Trust::Nobody,
    };
    let tls = tls::config(trust)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()).hint(error.hint()))?;
    http_client(&tls, None)
        .map_err(|error| Failure::new(Exit::Broken, format!("cannot set up HTTP: {error}")))
}
