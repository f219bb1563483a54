//! The published JSON schemas are current, and every document and scenario satisfies its schema.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::{SchemaOf, schema_of};
use crate::live::json::{self, Object};
use saasbench_model::scenario;
use saasbench_record::reader::RecordedRun;
use saasbench_verify::{
    capacity::{
        result::{Stopped, testing as searched},
        search::End,
        step::Ending,
    },
    compare,
};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The problems of a value.
fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn toml(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

#[test]
fn the_published_schemas_are_current() {
    for of in SchemaOf::value_variants() {
        let schema = schema_of(*of);
        let of = of.to_possible_value().unwrap();
        let of = of.get_name();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let path = format!("docs/schema/{of}-1.json");
        let published = fs::read_to_string(repository(&path)).ok();
        let published = published.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let command = format!("write it anew: cargo run -p saasbench -- schema {of} --out {path}");
        assert!(
            published.is_some_and(|published| published == schema),
            "{path} is not up to date; {command}"
        );
    }
}

#[test]
fn reports_of_passing_failing_and_killed_runs_match_the_schema() {
    let schema = schema_of(SchemaOf::Report);
    for name in ["good", "over-admission", "tampered", "killed"] {
        let run = RecordedRun::open(&repository("cli/tests/fixtures").join(name)).unwrap();
        let report = serde_json::to_value(saasbench_verify::verify(&run).unwrap()).unwrap();
        assert_eq!(problems(&schema, &report), [""; 0], "{name}");
        // Later additions are no reason to reject it; missing properties are.
        let mut newer = report.clone();
        newer["addition"] = json!(1);
        assert_eq!(problems(&schema, &newer), [""; 0]);
        let mut lacking = report;
        lacking.as_object_mut().unwrap().remove("outcome");
        assert_ne!(problems(&schema, &lacking), [""; 0]);
    }
}

/// Asserts that a value is rejected if the first field of the object at any of the pointers is removed.
fn assert_all_needed(schema: &Value, value: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let mut lacking = value.clone();
        let object = lacking.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        let key = object.keys().next().unwrap().clone();
        object.remove(&key);
        assert_ne!(problems(schema, &lacking), [""; 0], "{pointer}: {key}");
    }
}

#[test]
fn valid_comparisons_match_the_schema_and_incomplete_ones_do_not() {
    let schema = schema_of(SchemaOf::Comparison);
    let open = |name: &str| RecordedRun::open(&repository("cli/tests/fixtures").join(name)).unwrap();
    let comparison = compare::compare(&[open("good")], &open("good"), compare::Terms::default()).unwrap();
    let comparison = serde_json::to_value(comparison).unwrap();
    assert_eq!(problems(&schema, &comparison), [""; 0]);
    assert_all_needed(&schema, &comparison, &["", "/terms", "/rows/0", "/rows/0/quantities/0"]);
}

#[test]
fn valid_capacity_reports_match_the_schema_and_incomplete_ones_do_not() {
    let schema = schema_of(SchemaOf::Capacity);
    // Linear scaling: the peak is infinite, and JSON has no infinity.
    let counts = [(1, 1.0), (2, 2.0), (4, 4.0)].map(|(replicas, scale)| {
        let found = Stopped::Search(End::Found);
        searched::count(replicas, scale, Ending::Broke, found, false)
    });
    let report = serde_json::to_value(searched::report(counts.to_vec(), None)).unwrap();
    assert_eq!(problems(&schema, &report), [""; 0]);
    assert!(!report["scaling"].is_null(), "{report:#}");
    assert_all_needed(
        &schema,
        &report,
        &["", "/counts/0", "/counts/0/steps/0", "/counts/0/capacity", "/scaling", "/scaling/peak"],
    );
}

#[test]
fn valid_progress_lines_match_the_schema_and_incomplete_ones_do_not() {
    let schema = schema_of(SchemaOf::Progress);
    let text = || json::Text { text: "text".to_owned() };
    let end = json::End { outcome: None, exit: 4, run: None, error: Some("x".to_owned()), hint: None };
    for object in [Object::Note(text()), Object::Warning(text()), Object::End(end)] {
        let line: Value = serde_json::from_str(&json::line(object)).unwrap();
        assert_eq!(problems(&schema, &line), [""; 0], "{line}");
        for key in line.as_object().unwrap().keys() {
            let mut lacking = line.clone();
            lacking.as_object_mut().unwrap().remove(key);
            assert_ne!(problems(&schema, &lacking), [""; 0], "{lacking}");
        }
    }
    assert_ne!(problems(&schema, &json!({ "v": 1, "type": "other", "text": "" })), [""; 0]);
}

#[test]
fn every_shipped_scenario_keeps_to_the_schema() {
    let schema = scenario::schema::schema();
    let files = fs::read_dir(repository("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let mut number = 0;
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(problems(&schema, &toml(&text)), [""; 0], "{}", file.display());
        number += 1;
    }
    assert!(number >= 10, "{number} scenarios");
}

#[test]
fn every_documented_scenario_matches_the_schema() {
    let schema = scenario::schema::schema();
    let text = fs::read_to_string(repository("docs/scenario.md")).unwrap();
    let blocks = text.split("```toml").skip(1).filter_map(|rest| rest.split("```").next());
    let mut number = 0;
    for block in blocks {
        let (kind, block) = block.split_once('\n').unwrap();
        let mut value = toml(block);
        if kind.contains("fragment") {
            value["version"] = json!(1);
        }
        assert_eq!(problems(&schema, &value), [""; 0], "{block}");
        number += 1;
    }
    assert!(number >= 10, "{number} blocks");
}

#[test]
fn bad_scenarios_are_rejected() {
    let schema = scenario::schema::schema();
    let found: Vec<String> = [
        "name = \"no version\"",
        "version = 2",
        "version = 1\nnmae = \"x\"",
        "version = 1\nseed = \"7\"",
        "version = 1\n[[load]]\nduration = 5",
        "version = 1\n[[load]]\nreplica = 0",
        "version = 1\n[[load]]\narrivals = \"odd\"",
        "version = 1\n[load]\nusers = 1",
        "version = 1\n[[journey]]\nname = \"x\"\n[[journey.step]]\nget = \"/\"\nstatus = [200, \"7xx\"]",
        "version = 1\n[[journey]]\nname = \"x\"\n[[journey.step]]\nget = \"/\"\nsave = { a = { jsno = \"/x\" } }",
        "version = 1\n[[expect]]\nthat = \"p99 < 1s\"\nwhere = { tenat = \"acme\" }",
    ]
    .iter()
    .map(|text| {
        let problems = problems(&schema, &toml(text));
        assert_ne!(problems, [""; 0], "{text}");
        problems.join("; ")
    })
    .collect();
    insta::assert_snapshot!(found.join("\n"));
}
