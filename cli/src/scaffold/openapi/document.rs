//! An OpenAPI description as it is written: JSON or YAML, with references that are followed on demand.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text::one_line;
use saasbench_model::scenario::problem::closest;

/// Consecutive references that are followed; more are a cycle.
const LONGEST_CHAIN: usize = 32;

/// Why no journeys can be made from a file.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Neither JSON nor YAML.
    #[error("{file} is neither JSON nor YAML: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// Why, with line and column.
        reason: String,
    },
    /// Something else, or an older version.
    #[error("{file} is not an OpenAPI 3 description: {found}")]
    Version {
        /// The file.
        file: String,
        /// The version that it declares.
        found: String,
    },
    /// Parts of it are wrong.
    #[error("{file} has problems:\n{}", .problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"))]
    Wrong {
        /// The file.
        file: String,
        /// Place and cause of each.
        problems: Vec<String>,
    },
    /// No operation can become a step.
    #[error("{file} has no operation that a step can stand for{}", .why.iter().map(|why| format!("\n  {why}")).collect::<String>())]
    Nothing {
        /// The file.
        file: String,
        /// The reason for each operation.
        why: Vec<String>,
    },
}

impl SpecError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => {
                "an OpenAPI description is a JSON or YAML file that begins with `openapi: 3.…`"
            }
            Self::Version { .. } => "3.0 and 3.1 are read; `swagger2openapi` converts version 2",
            Self::Wrong { .. } => "correct the places, which are JSON Pointers into the file",
            Self::Nothing { .. } => "write the journeys by hand: `saasbench new NAME` shows how",
        }
    }
}

/// A parsed description.
#[derive(Debug)]
pub(super) struct Document {
    root: Value,
}

impl Document {
    /// Reads it, and reports all dangling references at once.
    pub(super) fn read(text: &str, file: &str) -> Result<Self, SpecError> {
        let root = parse(text).map_err(|reason| SpecError::Syntax { file: file.to_owned(), reason })?;
        let wrong = |found: String| Err(SpecError::Version { file: file.to_owned(), found });
        match (root.get("openapi"), root.get("swagger")) {
            (Some(Value::String(version)), _) if version.starts_with("3.") => {}
            (Some(version), _) => return wrong(format!("it says `openapi: {}`", plain(version))),
            (None, Some(version)) => return wrong(format!("it is Swagger {}", plain(version))),
            (None, None) => return wrong("it has no `openapi`, which says the version".to_owned()),
        }
        let document = Self { root };
        let mut problems = Vec::new();
        if document.root.get("paths").is_none_or(|paths| !paths.is_object()) {
            problems.push("/paths: there are none".to_owned());
        }
        document.dangling(&document.root, &mut String::new(), &mut problems);
        if problems.is_empty() {
            Ok(document)
        } else {
            let problems = problems.iter().map(|problem| one_line(problem)).collect();
            Err(SpecError::Wrong { file: file.to_owned(), problems })
        }
    }

    /// The whole of it.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// A value, or what it refers to; `None` for a reference to another file, or in a cycle.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> Option<&'a Value> {
        let mut value = value;
        for _ in 0..LONGEST_CHAIN {
            match reference(value) {
                None => return Some(value),
                Some(reference) => value = self.root.pointer(&pointer(reference)?)?,
            }
        }
        None
    }

    /// Dangling references within the file.
    fn dangling(&self, value: &Value, place: &mut String, problems: &mut Vec<String>) {
        if let Some(reference) = reference(value)
            && let Some(to) = pointer(reference)
            && self.root.pointer(&to).is_none()
        {
            let names = self.siblings(&to);
            let near = to.rsplit('/').next().and_then(|name| closest(name, names.iter().map(String::as_str)));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            problems.push(format!("{place}/$ref: `{reference}` leads nowhere{hint}"));
        }
        let mut into = |key: &str, value: &Value, problems: &mut Vec<String>| {
            let before = place.len();
            place.push('/');
            place.push_str(&key.replace('~', "~0").replace('/', "~1"));
            self.dangling(value, place, problems);
            place.truncate(before);
        };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| into(key, value, problems)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, value)| into(&i.to_string(), value, problems));
            }
            _ => {}
        }
    }

    /// The names beside the last one of a pointer.
    fn siblings(&self, pointer: &str) -> BTreeSet<String> {
        let parent = pointer.rsplit_once('/').and_then(|(parent, _)| self.root.pointer(parent));
        parent.and_then(Value::as_object).map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    }
}

/// The text of a reference.
fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}

/// The JSON Pointer of a reference within the file.
fn pointer(reference: &str) -> Option<String> {
    let pointer = reference.strip_prefix('#')?;
    Some(pointer.replace("%7B", "{").replace("%7D", "}").replace("%20", " "))
}

fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
