//! One line of a tenants file: as written, then as meant. A line tells all of its own problems, too, once it is JSON
//! of the right shape.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Tenant;
use crate::flavour::Flavour;
use crate::limiter::{KeyedLimit, Limit};
use crate::telemetry::UNKNOWN;

/// A cause and, where serde knows it, the column.
type Cause = (Option<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    name: Option<String>,
    welcome: Option<String>,
    model: Option<String>,
    flavour: Option<Flavour>,
    limits: Limits,
}

/// The entries in their order and with duplicates: a map would silently keep the last of two.
struct Limits(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Limits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("limits such as {\"chat_per_10s\": 8}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Limits, A::Error> {
                let mut entries: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    if entries.iter().any(|(known, _)| *known == key) {
                        return Err(de::Error::custom(format_args!("limit `{key}` is given twice")));
                    }
                    entries.push((key, value));
                }
                Ok(Limits(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads one line.
pub(super) fn tenant(content: &str) -> Result<Tenant, Vec<Cause>> {
    // Asked for first: to serde an array of the values would be as good as an object.
    if !content.trim_start().starts_with('{') {
        return Err(vec![(Some(1), "expected a JSON object".to_owned())]);
    }
    let line: Line = serde_json::from_str(content).map_err(|error| vec![located(&error)])?;
    let mut causes = Vec::new();
    if let Err(cause) = check_id(&line.id) {
        causes.push((None, cause));
    }
    let mut limits: Vec<KeyedLimit> = Vec::new();
    for (key, value) in &line.limits.0 {
        let quota = value.as_u64().and_then(|quota| u32::try_from(quota).ok());
        match Limit::parse(key, quota) {
            Err(error) => causes.push((None, error.to_string())),
            Ok(limit) if limits.iter().any(|known| known.limit.window == limit.window) => {
                causes.push((None, format!("limit `{key}`: another limit has the same window")));
            }
            Ok(limit) => limits.push(KeyedLimit::new(&line.id, limit)),
        }
    }
    if line.limits.0.is_empty() {
        causes.push((None, "limits: at least one is needed, such as \"chat_per_10s\": 8".to_owned()));
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    let name = line.name.unwrap_or_else(|| line.id.clone());
    Ok(Tenant {
        welcome: line.welcome.unwrap_or_else(|| format!("Welcome to {name}!")),
        model: line.model.unwrap_or_else(|| "mock".to_owned()),
        flavour: line.flavour.unwrap_or_default(),
        id: line.id,
        name,
        limits,
    })
}

/// serde ends its text with "at line 1 column 7"; the line is ours to say, and the column goes to its own place.
fn located(error: &serde_json::Error) -> Cause {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let cause = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    (Some(error.column().max(1)), cause)
}

/// Ids appear in headers, in metric labels and inside the braces of Redis hash tags, so the alphabet is a plain one.
fn check_id(id: &str) -> Result<(), String> {
    if id == UNKNOWN {
        return Err(format!("id `{UNKNOWN}` is reserved: metrics name unknown tenants so"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fine = (1..=64).contains(&id.len())
        && id.bytes().all(plain)
        && id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if fine {
        Ok(())
    } else {
        Err(format!("id {id:?}: expected 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or a digit"))
    }
}
