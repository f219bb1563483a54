//! A scenario from the OpenAPI description (3.0, 3.1) of a service: a step for each operation, and a journey
//! for operations that depend on each other's responses.
//!
//! `document` reads the description, `schema` makes example values, `operation` extracts the operations,
//! `links` orders them by their dependencies, and `write` writes the scenario.

mod document;
mod links;
mod operation;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod write;

use serde_json::Value;

use document::Document;
pub use document::SpecError;
use text::one_line;
use write::Writer;

use saasbench_model::redact;

/// Where the service may be, if the description does not say.
pub const ELSEWHERE: &str = "http://127.0.0.1:8080";

/// A scenario that was made of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// The rows of its feeder, if it has one: a CSV file beside it.
    pub rows: Option<String>,
    /// The service's base URL by the description.
    pub target: Option<String>,
    /// Variables that hold its secrets.
    pub secrets: Vec<String>,
    /// What could not be converted, a line each.
    pub left_out: Vec<String>,
}

/// Makes a scenario called `name` from the description `text` in `file`. Values that no response contains
/// come from the feeder's file `rows`, or are written into the scenario where there is none.
///
/// # Errors
/// When it is not a description, has dangling references, or no operation can become a step.
pub fn scenario(text: &str, file: &str, name: &str, rows: Option<&str>) -> Result<Draft, SpecError> {
    let document = Document::read(text, file)?;
    let (operations, left_out) = operation::operations(&document);
    let left_out: Vec<String> = left_out.iter().map(|line| one_line(line)).collect();
    if operations.is_empty() {
        return Err(SpecError::Nothing { file: file.to_owned(), why: left_out });
    }
    let title = |key: &str| {
        let text = document.root().pointer(key).and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let target = target(&document);
    let mut writer = Writer::new(rows);
    writer.head(
        name,
        &format!("{} {}", title("/info/title"), title("/info/version")),
        file,
        target.as_deref(),
    );
    let journeys = links::journeys(operations);
    for journey in &journeys {
        writer.journey(journey);
    }
    writer.tail(&journeys, &left_out);
    let (text, rows, secrets) = writer.finish();
    Ok(Draft { text, rows, target, secrets, left_out })
}

/// The first server that has an address, its variables at their defaults; nowhere if one has none.
fn target(document: &Document) -> Option<String> {
    let server = document.root().pointer("/servers/0")?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        if let Some(default) = variable.get("default") {
            url = url.replace(&format!("{{{name}}}"), &operation::scalar(default));
        }
    }
    if url.contains(['{', '}']) {
        return None;
    }
    // Credentials belong to the journeys; a target has no user.
    redact::base(&one_line(&url)).filter(|url| url.starts_with("http://") || url.starts_with("https://"))
}
