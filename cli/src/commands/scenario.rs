//! Reads a scenario file, with all files that it refers to.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path};

use crate::{
    exit::{Exit, Failure},
    input,
    secrets::protect_scenario,
};
use saasbench_model::{
    redact, safe_text,
    scenario::{
        Scenario,
        problem::Problems,
        resolve::{Sources, declare_metrics, resolve},
    },
};
use saasbench_record::manifest::ScenarioText;

/// Reads and resolves a scenario; its problems are rendered, in colour if `color`.
///
/// # Errors
/// When the file cannot be read, or has problems.
pub fn load(path: &Path, color: bool) -> Result<(Scenario, ScenarioText), Failure> {
    let name = path.display().to_string();
    let text = input::read(path).map_err(|error| unreadable(&name, &error))?;
    let text = String::from_utf8(text).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Failure::new(Exit::Usage, format!("{name} is not UTF-8 text: line {} has other bytes", line + 1))
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    understand(text, &name, directory, Secrets::Set, color)
}

/// Whether the variables of `${env:NAME}` must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// They will be sent, so they must be set.
    Set,
    /// They may be set later.
    Unknown,
}

/// Resolves a scenario's text, with files from `directory`; problems are rendered.
///
/// # Errors
/// When it has problems.
pub(super) fn understand(
    text: String,
    name: &str,
    directory: &Path,
    secrets: Secrets,
    color: bool,
) -> Result<(Scenario, ScenarioText), Failure> {
    let files = RefCell::new(BTreeMap::new());
    let read_file = |named: &Path| -> io::Result<String> {
        let text = input::read_to_string(&directory.join(named))?;
        files.borrow_mut().insert(named.to_string_lossy().into_owned(), text.clone());
        Ok(text)
    };
    let variable = |variable: &str| std::env::var(variable).ok();
    let sources = Sources {
        read_file: &read_file,
        environment: match secrets {
            Secrets::Set => Some(&variable),
            Secrets::Unknown => None,
        },
    };
    let scenario = resolve(&text, name, &sources).map_err(|problems| rendered(&problems, color))?;
    let text = ScenarioText::new(name.to_owned(), text, files.take());
    if secrets == Secrets::Set {
        protect_scenario(&scenario, &text);
    }
    Ok((scenario, text))
}

/// Applies the `[metrics]` of the environment `name` in the file `config` over the scenario's contract. A
/// file that cannot be read is reported where the environment's addresses are needed.
///
/// # Errors
/// When the table has problems.
pub fn declare(scenario: &mut Scenario, config: &Path, name: &str, color: bool) -> Result<(), Failure> {
    let Ok(text) = input::read_to_string(config) else { return Ok(()) };
    let place = ["environment", name, "metrics"];
    declare_metrics(scenario, &text, &config.display().to_string(), &place)
        .map_err(|problems| rendered(&problems, color))
}

fn rendered(problems: &Problems, color: bool) -> Failure {
    let message = safe_text::own_styles(&problems.render(color));
    Failure { exit: Exit::Usage, message, hint: None, rendered: true }
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    let is_url = name.contains("://");
    let name = if is_url { redact::url(name) } else { name.to_owned() };
    let failure = Failure::new(Exit::Usage, format!("cannot read the scenario {name}: {error}"));
    if is_url {
        return failure.hint(format!("`saasbench stress {name}` sends requests to a URL"));
    }
    match error.kind() {
        io::ErrorKind::NotFound => failure.hint("the scenarios that come with saasbench are in scenarios/"),
        _ => failure,
    }
}
