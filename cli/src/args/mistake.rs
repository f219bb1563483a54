//! What was probably meant by a first word that is no command.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::{Exit, Failure};

/// A failure that says how to do what was meant; `None` where clap's own message says all that there is to say.
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
    let message = format!("`{word}` is no command, but looks like {what}");
    Some(Failure::new(Exit::Usage, message).hint(format!("saasbench {command} {word}")))
}
