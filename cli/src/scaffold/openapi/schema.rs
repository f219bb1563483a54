//! Example values for a schema, the simplest that it allows: its example, its default, the first of its enum,
//! or a value of its type and format. Schemas can be recursive, so a `Walk` follows none within itself, and
//! its depth and size are bounded.

use std::{cell::Cell, collections::BTreeMap};

use serde_json::{Map, Value, json};

use super::document::Document;

/// Depth to which nested schemas are followed; the rest is left out.
const DEEPEST: usize = 8;
/// What a walk may read and write, in characters; the rest is left out.
const MOST: usize = 64 * 1024;
/// The cost of reading a schema.
const LOOK: usize = 16;

/// A way through the schemas of a description.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    document: &'a Document,
    /// What of [`MOST`] is left.
    left: Cell<usize>,
}

/// Schemas that are being looked into, the innermost first.
#[derive(Debug, Clone, Copy)]
struct Within<'w> {
    schema: &'w Value,
    outer: Option<&'w Within<'w>>,
}

impl<'w> Within<'w> {
    fn all(&'w self) -> impl Iterator<Item = &'w Within<'w>> {
        std::iter::successors(Some(self), |within| within.outer)
    }
}

/// The fields of an object by their names.
pub(super) type Properties<'a> = BTreeMap<&'a str, Property<'a>>;

/// A field of an object.
#[derive(Debug)]
pub(super) struct Property<'a> {
    pub(super) schema: &'a Value,
    /// Whether the object has to have it.
    pub(super) required: bool,
}

impl<'a> Walk<'a> {
    /// A walk that has not started.
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, left: Cell::new(MOST) }
    }

    /// A value for `schema`; `None` where it is cyclic, in another file, or too long.
    pub(super) fn example(&self, schema: &'a Value) -> Option<Value> {
        self.value(schema, None)
    }

    /// The fields of an object, with those of every `allOf`; none of what is no object, and `None` of what
    /// cannot be looked into.
    pub(super) fn properties(&self, schema: &'a Value) -> Option<Properties<'a>> {
        self.enter(schema, None).map(|schema| self.fields(schema, None))
    }

    /// Takes so much of what is left; whether there was anything.
    fn spend(&self, much: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(much));
        left > 0
    }

    /// The schema itself where `schema` refers to one; `None` within itself, too deep, or when enough was
    /// looked at.
    fn enter(&self, schema: &'a Value, outer: Option<&Within<'_>>) -> Option<&'a Value> {
        let schema = self.document.resolve(schema)?;
        let outer = || outer.into_iter().flat_map(Within::all);
        let in_a_circle = outer().any(|within| std::ptr::eq(within.schema, schema));
        (!in_a_circle && outer().count() <= DEEPEST && self.spend(LOOK)).then_some(schema)
    }

    fn value(&self, schema: &'a Value, outer: Option<&Within<'_>>) -> Option<Value> {
        let schema = self.enter(schema, outer)?;
        let here = Within { schema, outer };
        let within = Some(&here);
        if let Some(stated) = stated(schema) {
            return self.spend(length(stated)).then(|| literal(stated));
        }
        if let Some(first) = ["oneOf", "anyOf"].iter().find_map(|key| self.option(schema, key)) {
            return self.value(first, within);
        }
        let fields = self.fields(schema, outer);
        if !fields.is_empty() || kind(schema) == Some("object") {
            return Some(self.object(schema, &fields, within));
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            return all.iter().find_map(|part| self.value(part, within));
        }
        match kind(schema) {
            Some("array") => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 10);
                let items = schema.get("items");
                Some((0..least).map_while(|_| self.value(items?, within)).collect())
            }
            Some("integer") => Some(json!(least(schema).unwrap_or(1.0).ceil() as i64)),
            Some("number") => Some(json!(least(schema).unwrap_or(1.5))),
            Some("boolean") => Some(json!(true)),
            Some("null") => None,
            Some("string") => {
                let text = text(schema);
                self.spend(text.len()).then(|| json!(text))
            }
            _ => Some(json!("text")),
        }
    }

    /// The first of several that is not `null`.
    fn option(&self, schema: &'a Value, key: &str) -> Option<&'a Value> {
        let options = schema.get(key)?.as_array()?;
        let is_value =
            |option: &Value| self.document.resolve(option).is_some_and(|it| kind(it) != Some("null"));
        options.iter().find(|option| is_value(option))
    }

    fn fields(&self, schema: &'a Value, outer: Option<&Within<'_>>) -> Properties<'a> {
        let here = Within { schema, outer };
        let within = Some(&here);
        let mut found = BTreeMap::new();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Some(part) = self.enter(part, within) {
                found.extend(self.fields(part, within));
            }
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            found.insert(name.as_str(), Property { schema, required: false });
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(property) = name.as_str().and_then(|name| found.get_mut(name)) {
                property.required = true;
            }
        }
        self.spend(found.len());
        found
    }

    /// An object with what is required; where nothing is, with all that it may have.
    fn object(&self, schema: &'a Value, fields: &Properties<'a>, within: Option<&Within<'_>>) -> Value {
        let any_required = fields.values().any(|property| property.required);
        let read_only = |schema: &Value| {
            self.document.resolve(schema).and_then(|schema| schema.get("readOnly"))
                == Some(&Value::Bool(true))
        };
        let mut object = Map::new();
        for (name, property) in fields.iter().filter(|(_, property)| property.required || !any_required) {
            if read_only(property.schema) {
                continue;
            }
            if let Some(value) = self.value(property.schema, within).filter(|_| self.spend(name.len())) {
                object.insert((*name).to_owned(), value);
            }
        }
        if let (true, Some(more)) =
            (fields.is_empty(), schema.get("additionalProperties").filter(|more| more.is_object()))
            && let Some(value) = self.value(more, within)
        {
            object.insert("key".to_owned(), value);
        }
        Value::Object(object)
    }
}

/// A literal value: `${` in it is not a variable.
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

/// About how long a value is when it is written.
fn length(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(length).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + length(value)).sum(),
        _ => 4,
    }
}

/// What the schema itself gives as a value.
fn stated(schema: &Value) -> Option<&Value> {
    let first = |key: &str| schema.get(key)?.as_array()?.iter().find(|value| !value.is_null());
    let plain = ["example", "default", "const"].iter().find_map(|key| schema.get(*key));
    plain.filter(|value| !value.is_null()).or_else(|| first("examples")).or_else(|| first("enum"))
}

/// The type; the first that is not `null` of several (3.1).
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
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

/// A text in the required format and of an allowed length.
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
