//! `saasbench stress`: turns a command line into a scenario, which is run like any other, or saved.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::{
    run::go,
    scenario::{Secrets, understand},
};
use crate::commands::atomic_write::write_new;
use crate::{
    args::{StressArgs, TargetArgs},
    exit::{Exit, Failure},
    input,
    output::Output,
    scaffold::{
        stress::{Amount, Stress, replicas_and_paths},
        target::Address,
    },
};
use saasbench_model::{redact, units::Nanos};

/// Default number of users.
const USERS: u64 = 50;
/// Default duration.
const DURATION: Nanos = Nanos::from_secs(10);
/// Name of a scenario without a file.
const FILE: &str = "stress.toml";

/// Runs the scenario of the command line, or saves it.
///
/// # Errors
/// As `run`, or when the file cannot be written.
pub async fn stress(args: &StressArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.set_display(args.session.display)?;
    let ended = run_or_save(args, output).await;
    output.ended(ended)
}

async fn run_or_save(args: &StressArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let stress = asked(args, &mut std::io::stdin())?;
    let text = stress.scenario();
    let color = output.err_is_coloured();
    if let Some(path) = &args.save {
        understand(text.clone(), FILE, Path::new(""), Secrets::Unknown, color)?;
        write_new(path, &text, args.force, output)?;
        warn_about_secrets(&stress, &path.display().to_string(), output);
        if path != Path::new("-") {
            let words: Vec<String> = stress.targets.iter().map(|url| format!("--target {url}")).collect();
            let words: Vec<String> = words.into_iter().chain(stress.place).collect();
            let run = format!("saasbench run {} {}", path.display(), words.join(" "));
            output.note(&format!("nothing was sent; to do so: {run}"));
        }
        return Ok(Exit::Pass);
    }
    let (scenario, text) = understand(text, FILE, Path::new(""), Secrets::Set, color)?;
    if args.expect.is_empty() {
        let hint = "nothing is expected but responses without errors; for more: --expect 'p99 < 50ms'";
        output.note(hint);
    }
    warn_about_secrets(&stress, "the record", output);
    let request = &args.request;
    let place = TargetArgs {
        targets: stress.targets,
        insecure: request.insecure,
        ca_file: request.ca_file.clone(),
        ..TargetArgs::default()
    };
    go(scenario, text, &place, &args.session, output).await
}

/// Warns of secrets that are contained in plain text in `place`.
fn warn_about_secrets(stress: &Stress, place: &str, output: &mut Output<'_>) {
    for name in plain_secrets(stress) {
        let place = if place == "-" { "the scenario" } else { place };
        let hint = format!(
            "{name} stands in {place} as it was typed: a secret is left out if it comes from a variable, ${{env:NAME}}"
        );
        output.note(&hint);
    }
}

/// Names of secrets that were typed in plain text.
fn plain_secrets(stress: &Stress) -> Vec<String> {
    let is_open = |name: &str, value: &str| redact::is_secret(name) && redact::is_typed(value);
    let headers = stress.headers.iter().filter(|(name, value)| is_open(name, value));
    let password = stress.basic.iter().filter(|(_, password)| redact::is_typed(password));
    let queries = stress.paths.iter().filter_map(|path| path.split_once('?'));
    let pairs = queries.flat_map(|(_, query)| query.split('&')).filter_map(|pair| pair.split_once('='));
    let headers = headers.map(|(name, _)| format!("the header {name}"));
    let mut found: Vec<String> = headers.chain(password.map(|_| "the password".to_owned())).collect();
    for (name, _) in pairs.filter(|(name, value)| is_open(name, value)) {
        let reported = format!("the query's {name}");
        if !found.contains(&reported) {
            found.push(reported);
        }
    }
    found
}

/// The test that the command line describes; a body may come from `stdin`.
fn asked(args: &StressArgs, stdin: &mut dyn std::io::Read) -> Result<Stress, Failure> {
    let (targets, paths) = addresses(&args.urls)?;
    let (load, request) = (&args.load, &args.request);
    let body = body(args, stdin)?;
    let amount = match load.rate {
        Some(rate) => Amount::Rate { rate, max_users: load.users },
        None => Amount::Users { users: load.users.unwrap_or(USERS), spawn: load.spawn_rate },
    };
    let length = match (load.length, load.run_time) {
        (Some(_), Some(_)) => {
            return Err(usage(
                "-z and -t are the same here: how long requests are sent",
                "leave one of them out; what oha and hey call -t is --timeout 10s",
            ));
        }
        (length, run_time) => length.or(run_time),
    };
    let mut place = Vec::new();
    if request.insecure {
        place.push("--insecure".to_owned());
    }
    if let Some(ca_file) = &request.ca_file {
        place.push(format!("--ca-file {ca_file}"));
    }
    let method = request.method.clone().map(|method| method.to_lowercase());
    Ok(Stress {
        targets,
        paths,
        method: method.unwrap_or_else(|| if body.is_some() { "post" } else { "get" }.to_owned()),
        headers: headers(args)?,
        basic: request.auth.clone(),
        body,
        status: request.status.clone(),
        timeout: request.timeout,
        load: amount,
        duration: length.or(load.iterations.is_none().then_some(DURATION)),
        iterations: load.iterations,
        http2: request.http2,
        disable_keepalive: request.disable_keepalive,
        metrics: args.metrics.clone(),
        expect: args.expect.clone(),
        place,
    })
}

fn addresses(urls: &[String]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let mut addresses = Vec::new();
    for url in urls {
        addresses.push(Address::parse(url).map_err(|error| {
            let failure = Failure::new(Exit::Usage, error.to_string());
            failure.hint(error.hint())
        })?);
    }
    replicas_and_paths(&addresses).map_err(|odd| {
        usage(
            &format!("{odd} is not asked for the same paths as the first host"),
            "several hosts are replicas of one service: give all paths for each of them, in one order, or run two tests",
        )
    })
}

fn headers(args: &StressArgs) -> Result<Vec<(String, String)>, Failure> {
    let request = &args.request;
    let json = request.json_body.as_ref().map(|_| "application/json".to_owned());
    let of_flags =
        [("content-type", request.content_type.clone().or(json)), ("accept", request.accept.clone())];
    let mut headers = request.headers.clone();
    let given = |headers: &[(String, String)], name: &str| {
        headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count()
    };
    for (name, value) in of_flags {
        // An explicit header takes precedence.
        if let Some(value) = value.filter(|_| given(&headers, name) == 0) {
            headers.push((name.to_owned(), value));
        }
    }
    match headers.iter().find(|(name, _)| given(&headers, name) > 1) {
        None => Ok(headers),
        Some((name, _)) => Err(usage(
            &format!("the header {name} is there twice"),
            "join its values with a comma, or leave one out",
        )),
    }
}

fn body(args: &StressArgs, stdin: &mut dyn std::io::Read) -> Result<Option<String>, Failure> {
    let request = &args.request;
    let given = request.data.as_ref().or(request.json_body.as_ref());
    let file = match given.map(String::as_str) {
        Some("-") => Some(PathBuf::from("-")),
        Some(text) => text.strip_prefix('@').map(PathBuf::from),
        None => request.body_file.clone(),
    };
    let body = match file {
        None => given.cloned(),
        Some(file) => Some(read(&file, stdin)?),
    };
    if let (Some(_), Some(text)) = (&request.json_body, &body)
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
        // `{"n": ${n}}` is valid JSON only once it is rendered.
        && !text.contains("${")
    {
        return Err(usage(
            &format!("the body is not JSON: {error}"),
            "another type goes out with --data and -T TYPE",
        ));
    }
    Ok(body)
}

fn read(file: &Path, stdin: &mut dyn std::io::Read) -> Result<String, Failure> {
    let (name, bytes) = if file == Path::new("-") {
        ("standard input".to_owned(), input::read_all(stdin))
    } else {
        (file.display().to_string(), input::read(file))
    };
    let bytes = bytes.map_err(|error| {
        usage(&format!("cannot read the body from {name}: {error}"), "`-d @FILE` and `-D FILE` read a file")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        usage(
            &format!("the body from {name} is not UTF-8 text"),
            "other bodies cannot be sent: a scenario is text",
        )
    })
}

fn usage(message: &str, hint: &str) -> Failure {
    Failure::new(Exit::Usage, message).hint(hint)
}
