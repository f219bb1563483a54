//! Values that a schema allows, the simplest that can be told without asking anybody: its example, its default, the first of its
//! enum, or what its type and format say.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::Document;

/// Schemas within each other that are looked into; what lies deeper is left out.
const DEEPEST: usize = 8;

/// A value for `schema`; `None` where it goes in a circle or belongs to another file.
pub(super) fn example(document: &Document, schema: &Value) -> Option<Value> {
    value(document, schema, 0)
}

fn value(document: &Document, schema: &Value, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let schema = document.resolve(schema)?;
    if let Some(stated) = stated(schema) {
        return Some(literal(stated));
    }
    if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|key| options(document, schema, key)) {
        return value(document, first, depth + 1);
    }
    let fields = fields(document, schema, depth);
    if !fields.is_empty() || kind(schema) == Some("object") {
        return Some(object(document, schema, &fields, depth));
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        return all.iter().find_map(|part| value(document, part, depth + 1));
    }
    match kind(schema) {
        Some("array") => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 10);
            let item = schema.get("items").and_then(|items| value(document, items, depth + 1));
            Some(Value::Array(
                item.into_iter().flat_map(|item| (0..least).map(move |_| item.clone())).collect(),
            ))
        }
        Some("integer") => Some(json!(least(schema).unwrap_or(1.0).ceil() as i64)),
        Some("number") => Some(json!(least(schema).unwrap_or(1.5))),
        Some("boolean") => Some(json!(true)),
        Some("null") => None,
        Some("string") => Some(json!(text(schema))),
        _ => Some(json!("text")),
    }
}

/// A value as it stands: `${` in it is no variable.
pub(super) fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => Value::Array(items.iter().map(literal).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), literal(value))).collect())
        }
        other => other.clone(),
    }
}

/// What the schema itself gives as a value.
fn stated(schema: &Value) -> Option<&Value> {
    let first = |key: &str| schema.get(key)?.as_array()?.iter().find(|value| !value.is_null());
    let plain = ["example", "default", "const"].iter().find_map(|key| schema.get(*key));
    plain.filter(|value| !value.is_null()).or_else(|| first("examples")).or_else(|| first("enum"))
}

/// The first of several that is not `null`.
fn options<'a>(document: &Document, schema: &'a Value, key: &str) -> Option<&'a Value> {
    let options = schema.get(key)?.as_array()?;
    options.iter().find(|option| document.resolve(option).is_some_and(|option| kind(option) != Some("null")))
}

/// The type; the first that is not `null` of several (3.1).
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// A field of an object.
pub(super) struct Property<'a> {
    /// Its schema.
    pub(super) schema: &'a Value,
    /// Whether the object has to have it.
    pub(super) required: bool,
}

/// The fields of an object, with those of every `allOf`.
pub(super) fn properties<'a>(document: &'a Document, schema: &'a Value) -> BTreeMap<&'a str, Property<'a>> {
    document.resolve(schema).map(|schema| fields(document, schema, 0)).unwrap_or_default()
}

fn fields<'a>(document: &'a Document, schema: &'a Value, depth: usize) -> BTreeMap<&'a str, Property<'a>> {
    let mut found = BTreeMap::new();
    if depth > DEEPEST {
        return found;
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        if let Some(part) = document.resolve(part) {
            found.extend(fields(document, part, depth + 1));
        }
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        found.insert(name, Property { schema, required: false });
    }
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if let Some(property) = name.as_str().and_then(|name| found.get_mut(name)) {
            property.required = true;
        }
    }
    found
}

/// An object with what is required; where nothing is, with all that it may have.
fn object(document: &Document, schema: &Value, fields: &BTreeMap<&str, Property<'_>>, depth: usize) -> Value {
    let any_required = fields.values().any(|property| property.required);
    let read_only = |schema: &Value| {
        document.resolve(schema).and_then(|schema| schema.get("readOnly")) == Some(&Value::Bool(true))
    };
    let mut object = Map::new();
    for (name, property) in fields.iter().filter(|(_, property)| property.required || !any_required) {
        if read_only(property.schema) {
            continue;
        }
        if let Some(value) = value(document, property.schema, depth + 1) {
            object.insert((*name).to_owned(), value);
        }
    }
    if let (true, Some(more)) =
        (fields.is_empty(), schema.get("additionalProperties").filter(|more| more.is_object()))
        && let Some(value) = value(document, more, depth + 1)
    {
        object.insert("key".to_owned(), value);
    }
    Value::Object(object)
}

/// The least number that the bounds allow; without a lower one, the upper one if it is below 1.
fn least(schema: &Value) -> Option<f64> {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = number("multipleOf").unwrap_or(1.0);
    let lower = match (number("minimum"), schema.get("exclusiveMinimum")) {
        (Some(least), Some(Value::Bool(true))) => Some(least + step),
        (None, Some(Value::Number(least))) => least.as_f64().map(|least| least + step),
        (least, _) => least,
    };
    lower.or_else(|| number("multipleOf")).or_else(|| number("maximum").filter(|most| *most < 1.0))
}

/// A text in the format that is asked for, of a length that is allowed.
fn text(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let text = match format {
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1M",
        "uuid" => "00000000-0000-4000-8000-000000000001",
        "email" => "user-${user}@example.com",
        "uri" | "url" => "https://example.com/",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "dGV4dA==",
        _ => "text-${n}",
    };
    let bound =
        |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    let (least, most) =
        (bound("minLength").unwrap_or(0).min(1_000), bound("maxLength").unwrap_or(usize::MAX));
    // Ten digits are more than any run counts.
    if format.is_empty() && (least > "text-".len() || most < "text-".len() + 10) {
        return "x".repeat(least.max(4).min(most));
    }
    text.to_owned()
}
