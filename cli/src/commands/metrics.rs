//! `saasbench metrics`: inspects expositions of running services or from files.

use std::{io, path::Path};

use reqwest::{Client, Url};

use crate::{
    args::MetricsArgs,
    environment::connect::TlsTrust,
    exit::{Exit, Failure},
    input,
    observe::{
        fetch::fetch,
        guess::{Proposal, guess},
        http_client,
        inspection::{Inspection, Origin},
    },
    output::Output,
};
use saasbench_engine::connect::tls::{self, Trust};
use saasbench_model::redact;

/// Inspects every exposition, reports on those that can be read, and says why the others cannot.
///
/// # Errors
/// When no source can be read, or the report cannot be written.
pub async fn metrics(args: &MetricsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let client = client(args)?;
    if args.guess {
        return guess_all(args, &client, output).await;
    }
    let (mut pages, mut missing) = (Vec::new(), None);
    for source in &args.sources {
        match read(source, &client).await {
            Ok(page) => pages.push(Inspection::of(page.name, &page.body, page.origin)),
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

/// Proposes a contract for every exposition. Finding none for one of them is a failure.
async fn guess_all(args: &MetricsArgs, client: &Client, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut worst = None;
    for source in &args.sources {
        let guessed = match read(source, client).await {
            Ok(page) => proposals(&page).map(|proposals| (page.name, proposals)),
            Err(failure) => Err(failure),
        };
        match guessed {
            Ok((name, proposals)) => output.proposals(&name, &proposals)?,
            Err(failure) => {
                worst.get_or_insert(failure.exit);
                output.failure(&failure);
            }
        }
    }
    Ok(worst.unwrap_or(Exit::Pass))
}

/// The contracts that would fit an exposition, at least one.
fn proposals(page: &Page) -> Result<Vec<Proposal>, Failure> {
    let name = &page.name;
    let unreadable = |error: String| {
        Failure::new(Exit::Fail, format!("{name} is no exposition: {error}"))
            .hint("`saasbench metrics` without --guess says more")
    };
    let text = std::str::from_utf8(&page.body).map_err(|error| unreadable(error.to_string()))?;
    let exposition = saasbench_exposition::parse(text).map_err(|error| unreadable(error.to_string()))?;
    let proposals = guess(&exposition, page.path.as_deref());
    if proposals.is_empty() {
        let message = format!("{name} has no series that counts requests by route or status");
        return Err(Failure::new(Exit::Fail, message).hint(
            "send it some requests first: many libraries show a series only once it has counted; else write [metrics] \
             by hand, see docs/metrics.md",
        ));
    }
    Ok(proposals)
}

/// An exposition as it was read.
struct Page {
    name: String,
    body: Vec<u8>,
    origin: Origin,
    /// Its path on the service, if it is from a service.
    path: Option<String>,
}

/// Reads the exposition of a URL, of a file, or (`-`) of standard input.
async fn read(source: &str, client: &Client) -> Result<Page, Failure> {
    if let Some(url) = url(source)? {
        let (name, path) = (redact::url(url.as_str()), Some(url.path().to_owned()));
        let answer = fetch(client, url)
            .await
            .map_err(|error| Failure::new(Exit::Unreachable, error.to_string()).hint(error.hint()))?;
        return Ok(Page {
            name,
            body: answer.body,
            origin: Origin::Response(answer.content_type, answer.took),
            path,
        });
    }
    let (name, read) = match source {
        "-" => ("<stdin>", input::read_all(&mut io::stdin())),
        file => (file, input::read(Path::new(file))),
    };
    let body = read.map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {name}: {error}"))
            .hint("name a file, a URL that begins with http:// or https://, or - for standard input")
    })?;
    Ok(Page { name: name.to_owned(), body, origin: Origin::File, path: None })
}

/// The URL, if the source is one; without a path, `/metrics` is added.
fn url(source: &str) -> Result<Option<Url>, Failure> {
    if !source.starts_with("http://") && !source.starts_with("https://") {
        return Ok(None);
    }
    let mut url = Url::parse(source).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} is not a URL: {error}", redact::url(source)))
            .hint("write it as http://127.0.0.1:8005/metrics")
    })?;
    if url.path() == "/" {
        url.set_path("/metrics");
    }
    Ok(Some(url))
}

fn client(args: &MetricsArgs) -> Result<Client, Failure> {
    let place = TlsTrust::read(args.insecure, args.ca_file.as_deref(), "--ca-file")
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let is_needed = args.sources.iter().any(|source| source.starts_with("https:"));
    let trust = match &place {
        Some(TlsTrust { insecure: true, .. }) => Trust::AcceptAnyCertificate,
        Some(TlsTrust { ca_file: Some((pem, file)), .. }) => Trust::Roots { pem, file },
        _ if is_needed => Trust::System,
        _ => Trust::None,
    };
    let tls = tls::config(trust)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()).hint(error.hint()))?;
    http_client(&tls, None)
        .map_err(|error| Failure::new(Exit::InternalError, format!("cannot set up HTTP: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, body: &[u8]) -> Page {
        Page { name: name.to_owned(), body: body.to_vec(), origin: Origin::File, path: None }
    }

    #[test]
    fn expositions_without_a_guessable_contract_are_reported() {
        let pages = [
            page("idle.prom", b"go_goroutines 7\n"),
            page("broken.prom", b"up{ 1\n"),
            page("bytes", &[0x75, 0xff, 0x0a]),
        ];
        let mut all = String::new();
        for page in &pages {
            let failure = proposals(page).unwrap_err();
            assert_eq!(failure.exit, Exit::Fail);
            all += &format!("{}\n  hint: {}\n", failure.message, failure.hint.unwrap());
        }
        insta::assert_snapshot!(all);
    }
}
