//! The JSON Schema of scenario files, generated from the shapes that the parser uses, so that the two cannot
//! differ. Editors complete and check with it; notations, names and combinations are left to `saasbench
//! validate`.
//!
//! Descriptions of keys are taken from the tables of `docs/scenario.md`.

use serde_json::{Map, Value, json};

use super::file::{Kind, SHAPES, Shape};

/// The schema's id; the number is the scenario's `version`.
pub const ID: &str = "urn:saasbench:scenario:1";

const DOCUMENTATION: &str = include_str!("../../../../../docs/scenario.md");

/// The schema of a scenario that was converted from TOML to JSON.
pub fn schema() -> Value {
    let definitions: Map<String, Value> =
        SHAPES.iter().map(|shape| (name(shape), table(shape, described(shape)))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "A scenario of saasbench",
        "$ref": format!("#/$defs/{}", SHAPES.first().map(|shape| name(shape)).unwrap_or_default()),
        "required": ["version"],
        "$defs": definitions,
    })
}

/// The name of a definition: `[[journey.step]]` becomes `journey.step`.
fn name(shape: &Shape) -> String {
    shape.name.trim_matches(['[', ']', '`']).replace("the scenario", "scenario")
}

fn table(shape: &Shape, described: impl Fn(&str) -> Option<String>) -> Value {
    let property = |(key, kind, example): &(&str, Kind, &str)| {
        let mut schema = value(*kind);
        if let Some(object) = schema.as_object_mut() {
            let text = described(key).unwrap_or_else(|| format!("for example: {example}"));
            object.insert("description".to_owned(), text.into());
            object.extend(example_of(key, example).map(|example| ("examples".to_owned(), json!([example]))));
            if name(shape) == "scenario" && *key == "version" {
                object.insert("const".to_owned(), 1.into());
            }
        }
        ((*key).to_owned(), schema)
    };
    let properties: Map<String, Value> = shape.keys.iter().map(property).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// The schema of a key's type.
fn value(kind: Kind) -> Value {
    let of = |shape: &Shape| json!({ "$ref": format!("#/$defs/{}", name(shape)) });
    let by_name = |value: Value| json!({ "type": "object", "additionalProperties": value });
    let some = |one: Value| json!({ "anyOf": [one, { "type": "array", "items": one }] });
    let text = || json!({ "type": "string" });
    match kind {
        Kind::Text => text(),
        Kind::Choice(texts) => json!({ "enum": texts }),
        Kind::Texts => some(text()),
        Kind::Whole(least) => json!({ "type": "integer", "minimum": least }),
        Kind::Wholes(least) => {
            json!({ "type": "array", "items": { "type": "integer", "minimum": least } })
        }
        Kind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Any => json!({}),
        Kind::Statuses => some(json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5]xx$" },
        ] })),
        Kind::Weights => {
            json!({ "anyOf": [text(), by_name(json!({ "type": "integer", "minimum": 1 }))] })
        }
        Kind::Quotas => json!({ "anyOf": [text(), by_name(text())] }),
        Kind::Replica => json!({ "anyOf": [
            { "enum": ["round-robin", "sticky"] },
            { "type": "integer", "minimum": 1 },
        ] }),
        Kind::TextByName => by_name(text()),
        Kind::TextOrTableByName(shape) => by_name(json!({ "anyOf": [text(), of(shape)] })),
        Kind::Table(shape) => json!({ "allOf": [of(shape)] }),
        Kind::TableOr(shape, []) => json!({ "anyOf": [text(), of(shape)] }),
        Kind::TableOr(shape, texts) => json!({ "anyOf": [{ "enum": texts }, of(shape)] }),
        Kind::Tables(shape) => json!({ "type": "array", "items": of(shape) }),
        Kind::SomeTables(shape) => some(of(shape)),
    }
}

/// The value in an example, unless it is a table of its own.
fn example_of(key: &str, example: &str) -> Option<Value> {
    let mut read: Map<String, Value> = toml::from_str(example).ok()?;
    read.remove(key)
}

/// Looks up the descriptions of a table's keys in the documentation.
fn described(shape: &Shape) -> impl Fn(&str) -> Option<String> {
    let heading = match name(shape).as_str() {
        "scenario" => "Top level".to_owned(),
        "load.stages" => "Stages".to_owned(),
        "journey.start" | "journey.step" => "`[[journey]]`".to_owned(),
        _ => format!("`{}`", shape.name),
    };
    let has = |key: &str| shape.keys.iter().any(|(name, ..)| *name == key);
    // A section may have further tables: a step's is below its journey's.
    let table =
        tables(&heading).into_iter().find(|rows| rows.iter().flat_map(|row| &row.keys).all(|key| has(key)));
    move |key| {
        let row = table.iter().flatten().find(|row| row.keys.contains(&key))?;
        let meaning = unlinked(row.meaning);
        Some(match row.default {
            "" => meaning,
            default => format!("{meaning} (default: {})", unlinked(default))
                .replace("(default: required", "(required"),
        })
    }
}

/// Replaces `[text](target)` by `text`.
fn unlinked(text: &str) -> String {
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(begin) = plain.rfind('[') {
            plain.remove(begin);
        }
        plain.push_str(part.split_once(')').map_or("", |(_, after)| after));
    }
    plain
}

/// A row of a table of keys.
#[derive(Debug)]
struct Row {
    keys: Vec<&'static str>,
    meaning: &'static str,
    default: &'static str,
}

/// The tables of keys below a heading of the documentation.
fn tables(heading: &str) -> Vec<Vec<Row>> {
    let is_heading = |line: &str| line.trim_start_matches('#').trim() == heading && line.starts_with("##");
    let section = DOCUMENTATION.lines().skip_while(|line| !is_heading(line)).skip(1);
    let mut tables: Vec<Vec<Row>> = Vec::new();
    let mut is_of_keys = false;
    for line in section.take_while(|line| !line.starts_with("##")) {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|')) else {
            // The header row is followed by a line of dashes.
            is_of_keys &= line.starts_with("|--");
            continue;
        };
        let mut cells = cells.split(" | ").map(|cell| cell.trim_end_matches('|').trim());
        let (first, meaning, default) = (
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
        );
        if first == "key" {
            is_of_keys = true;
            tables.push(Vec::new());
        } else if let Some(rows) = tables.last_mut().filter(|_| is_of_keys) {
            let keys = first.split('`').skip(1).step_by(2).collect();
            rows.push(Row { keys, meaning, default });
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_descriptions_come_from_the_documentation() {
        let schema = schema();
        let meaning =
            |pointer: &str| schema.pointer(pointer).map(|text| text.as_str().unwrap_or_default().to_owned());
        let described =
            |shape: &str, key: &str| meaning(&format!("/$defs/{shape}/properties/{key}/description"));
        insta::assert_snapshot!(
            [
                described("scenario", "seed"),
                described("journey.step", "cross_tenant"),
                described("load.stages", "rate"),
                described("limit", "quota"),
                described("check", "json"),
            ]
            .map(Option::unwrap_or_default)
            .join("\n")
        );
    }
}
