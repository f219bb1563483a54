//! Descriptions modelled on real ones, and what becomes of them.

use std::{io, path::Path};

use super::*;
use crate::scenario::{
    Scenario,
    resolve::{Sources, resolve},
};

const PETSTORE: &str = include_str!("specs/petstore.yaml");
const CHAT: &str = include_str!("specs/chat.json");
const REFS: &str = include_str!("specs/refs.yaml");
const BROKEN: &str = include_str!("specs/broken.yaml");

/// The scenario as `validate` sees it.
fn valid(draft: &Draft) -> Scenario {
    let read_file = |_: &Path| draft.rows.clone().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    let sources = Sources { read_file: &read_file, environment: None };
    resolve(&draft.text, "draft.toml", &sources)
        .unwrap_or_else(|problems| panic!("{}\n{}", problems.render(false), draft.text))
}

fn told(draft: &Draft) -> String {
    format!(
        "{}\n---- rows\n{}---- told\n{:?}\n{:?}\n{:?}\n",
        draft.text,
        draft.rows.as_deref().unwrap_or_default(),
        draft.target,
        draft.secrets,
        draft.left_out
    )
}

#[test]
fn a_pet_store() {
    let draft = scenario(PETSTORE, "petstore.yaml", "pets", Some("pets.csv")).unwrap();
    let scenario = valid(&draft);
    assert_eq!((scenario.journeys.len(), scenario.steps.len()), (2, 6));
    insta::assert_snapshot!(told(&draft));
}

#[test]
fn a_chat_whose_sessions_are_opened_first() {
    let draft = scenario(CHAT, "chat.json", "chat", None).unwrap();
    let resolved = valid(&draft);
    assert!(
        !resolved.journeys[0].start.is_empty() || !resolved.journeys[1].start.is_empty(),
        "{}",
        draft.text
    );
    insta::assert_snapshot!(told(&draft));
}

#[test]
fn references_alternatives_and_circles() {
    let draft = scenario(REFS, "refs.yaml", "refs", Some("refs.csv")).unwrap();
    valid(&draft);
    insta::assert_snapshot!(told(&draft));
}

#[test]
fn what_is_no_description_is_told() {
    let table = [
        ("broken.yaml", BROKEN),
        ("old.json", r#"{"swagger": "2.0", "paths": {}}"#),
        ("four.yaml", "openapi: 4.0.0\npaths: {}\n"),
        ("pathless.yaml", "openapi: 3.0.0\n"),
        ("empty.yaml", "openapi: 3.0.0\npaths: {}\n"),
        (
            "upload.yaml",
            "openapi: 3.0.0\npaths: {/up: {trace: {}, put: {requestBody: {required: true, content: {image/png: {}}}}}}\n",
        ),
        ("cut.json", "{\"openapi\": \"3.0.0\",\n \"paths\": {"),
        ("page.html", "<html>\n <body>: : x\n"),
    ];
    let told: Vec<String> = table
        .iter()
        .map(|(file, text)| {
            let error = scenario(text, file, "x", None).unwrap_err();
            format!("error: {error}\nhelp: {}\n", error.hint())
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}
