//! Parses one line of a tenants file. All problems of a line are reported, too, once it is JSON of the right
//! shape.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Tenant, UNKNOWN_TENANT};
use crate::limiter::{KeyedLimit, Limit};
use crate::reply_style::ReplyStyle;

/// The cause of a problem and, where serde knows it, the column.
type Cause = (Option<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantLine {
    id: String,
    name: Option<String>,
    welcome: Option<String>,
    model: Option<String>,
    reply_style: Option<ReplyStyle>,
    limits: Limits,
}

/// The limits, not yet parsed.
type Limits = OrderedEntries<RawLimit>;

/// The value of a limit, not yet parsed.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawLimit {
    Object(OrderedEntries<Value>),
    Other(Value),
}

/// The entries of an object in their order and with duplicates, of which a map would silently keep the last.
struct OrderedEntries<V>(Vec<(String, V)>);

impl<V> OrderedEntries<V> {
    /// The repetitions of names: each occurrence after the first.
    fn repeated(&self) -> impl Iterator<Item = &str> {
        let is_repeated = |&(index, (name, _)): &(usize, &(String, V))| {
            self.0[..index].iter().any(|(earlier, _)| earlier == name)
        };
        self.0.iter().enumerate().filter(is_repeated).map(|(_, (name, _))| name.as_str())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for OrderedEntries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = OrderedEntries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("limits such as {\"chat_per_10s\": 8}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OrderedEntries<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(OrderedEntries(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

pub(super) fn parse(content: &str) -> Result<Tenant, Vec<Cause>> {
    // Checked first: serde would accept an array of the values, too.
    if !content.trim_start().starts_with('{') {
        return Err(vec![(Some(1), "expected a JSON object".to_owned())]);
    }
    let line: TenantLine = serde_json::from_str(content).map_err(|error| vec![located(&error)])?;
    let mut causes = Vec::new();
    if let Err(cause) = check_id(&line.id) {
        causes.push((None, cause));
    }
    let no_limits = line.limits.0.is_empty();
    causes.extend(line.limits.repeated().map(|key| (None, format!("limit `{key}` is given twice"))));
    let mut limits: Vec<KeyedLimit> = Vec::new();
    for (key, given) in line.limits.0 {
        let value = match given {
            RawLimit::Other(value) => value,
            RawLimit::Object(object) => {
                let twice = |field| (None, format!("limit `{key}`: `{field}` is given twice"));
                causes.extend(object.repeated().map(twice));
                Value::Object(object.0.into_iter().collect())
            }
        };
        match Limit::parse(&key, &value) {
            Err(problems) => causes.extend(problems.iter().map(|problem| (None, problem.to_string()))),
            Ok(limit) if limits.iter().any(|known| known.limit.window == limit.window) => {
                causes.push((None, format!("limit `{key}`: another limit has the same window")));
            }
            Ok(limit) => limits.push(KeyedLimit::new(&line.id, limit)),
        }
    }
    if no_limits {
        causes.push((None, "limits: at least one is needed, such as \"chat_per_10s\": 8".to_owned()));
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    let name = line.name.unwrap_or_else(|| line.id.clone());
    Ok(Tenant {
        welcome: line.welcome.unwrap_or_else(|| format!("Welcome to {name}!")),
        model: line.model.unwrap_or_else(|| "mock".to_owned()),
        reply_style: line.reply_style.unwrap_or_default(),
        id: line.id,
        name,
        limits,
    })
}

/// serde ends its message with "at line 1 column 7": the line number is that of the file, and the column is
/// separate.
fn located(error: &serde_json::Error) -> Cause {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let cause = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    (Some(error.column().max(1)), cause)
}

/// Ids appear in headers, in metric labels and in the braces of Redis hash tags, so the alphabet is small.
fn check_id(id: &str) -> Result<(), String> {
    if id == UNKNOWN_TENANT {
        return Err(format!("id `{UNKNOWN_TENANT}` is reserved: metrics name unknown tenants so"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_valid = (1..=64).contains(&id.len())
        && id.bytes().all(plain)
        && id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if is_valid {
        Ok(())
    } else {
        Err(format!("id {id:?}: expected 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or a digit"))
    }
}
