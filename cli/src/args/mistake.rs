//! Suggestions for a first word that is not a command.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::{Exit, Failure};
use saasbench_model::redact;

/// A failure that suggests the intended command; `None` if clap's own message is sufficient.
pub fn meant(error: &clap::Error) -> Option<Failure> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    let (what, command) = if word.contains("://") || word.starts_with("unix:") {
        ("a URL", "stress")
    } else if Path::new(word).extension().is_some_and(|extension| extension == "toml") {
        ("a scenario", "run")
    } else if Path::new(word).join("manifest.json").is_file() {
        ("a recorded run", "show")
    } else {
        return None;
    };
    // The name of an existing file may contain what looks like credentials.
    let word = if Path::new(word).exists() { word.to_owned() } else { redact::url(word) };
    let message = format!("`{word}` is not a command, but looks like {what}");
    Some(Failure::new(Exit::Usage, message).hint(format!("saasbench {command} {word}")))
}

/// The error without secrets from the command line: clap repeats what it does not understand.
pub fn discreet(mut error: clap::Error) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (option, value) = (text(&error, ContextKind::InvalidArg), text(&error, ContextKind::InvalidValue));
    let holds_secret = option.starts_with("--header") || option.starts_with("--auth");
    if error.kind() == ErrorKind::UnknownArgument {
        error.insert(ContextKind::InvalidArg, ContextValue::String(redact::url(&option)));
    }
    if error.kind() == ErrorKind::InvalidSubcommand {
        let word = redact::url(&text(&error, ContextKind::InvalidSubcommand));
        error.insert(ContextKind::InvalidSubcommand, ContextValue::String(word));
    }
    if !value.is_empty() {
        let value = if holds_secret { "***".to_owned() } else { redact::url(&value) };
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn secrets_are_redacted_from_error_messages() {
        let table: [&[&str]; 10] = [
            &["stress", "http://h/", "-H", "Authorization hush"],
            &["stress", "http://h/", "-a", "hush"],
            &["stress", "http://h/", "--auth=hush"],
            &["up", "--webhook", "ftp://me:hush@h/?token=hush"],
            &["list", "http://me:hush@h/?token=hush", "http://me:hush@h/?token=hush"],
            &["http://me:hush@h/?token=hush"],
            &["me:hush@h:8005/?token=hush"],
            &["list", "me:hush@h/"],
            &["me:hush@h/chat.toml"],
            &["up", "--webhook", "me:hush@h/"],
        ];
        let reported = table.map(|words| {
            let error = Cli::try_parse_from(["saasbench"].iter().chain(words)).unwrap_err();
            let error = discreet(error);
            match meant(&error) {
                Some(failure) => format!("{}\n{}\n", failure.message, failure.hint.unwrap_or_default()),
                None => error.to_string(),
            }
        });
        let reported = reported.join("\n");
        assert!(!reported.contains("hush"), "{reported}");
        insta::assert_snapshot!(reported);
    }
}
