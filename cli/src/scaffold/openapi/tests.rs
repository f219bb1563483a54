//! Descriptions modelled on real ones, and the scenarios made from them.

use std::{io, path::Path};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use saasbench_model::scenario::{
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

fn shown(draft: &Draft) -> String {
    format!(
        "{}\n---- rows\n{}---- notes\n{:?}\n{:?}\n{:?}\n",
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
    insta::assert_snapshot!(shown(&draft));
}

#[test]
fn a_chat_with_sessions() {
    let draft = scenario(CHAT, "chat.json", "chat", None).unwrap();
    let resolved = valid(&draft);
    assert!(
        !resolved.journeys[0].start.is_empty() || !resolved.journeys[1].start.is_empty(),
        "{}",
        draft.text
    );
    insta::assert_snapshot!(shown(&draft));
}

#[test]
fn references_alternatives_and_cycles() {
    let draft = scenario(REFS, "refs.yaml", "refs", Some("refs.csv")).unwrap();
    valid(&draft);
    insta::assert_snapshot!(shown(&draft));
}

#[test]
fn invalid_descriptions_are_rejected() {
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
    let shown: Vec<String> = table
        .iter()
        .map(|(file, text)| {
            let error = scenario(text, file, "x", None).unwrap_err();
            format!("error: {error}\nhelp: {}\n", error.hint())
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// A description of one operation that takes and returns `schema`, beside these schemas.
fn about(schema: &Value, schemas: &Value) -> String {
    let content = json!({ "application/json": { "schema": schema } });
    let responses = json!({ "201": { "description": "made", "content": content } });
    let post = json!({ "requestBody": { "content": content }, "responses": responses });
    json!({ "openapi": "3.1.0", "paths": { "/things": { "post": post } }, "components": { "schemas": schemas } })
        .to_string()
}

/// The JSON that the draft sends; `None` where it sends none.
fn sent(schema: &Value, schemas: &Value) -> Option<String> {
    let draft = scenario(&about(schema, schemas), "spec.json", "spec", None).ok()?;
    valid(&draft);
    let line = |key: &str| draft.text.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned));
    line("json = ").or_else(|| line("body = "))
}

#[test]
fn schemas_without_end_come_to_one() {
    let node = json!({ "$ref": "#/components/schemas/Node" });
    let schemas = json!({ "Node": {
        "required": ["id", "left", "right", "below"],
        "properties": { "id": { "type": "integer" }, "left": node, "right": node,
            "below": { "type": "array", "minItems": 10, "items": node } },
    } });
    assert_eq!(sent(&node, &schemas).unwrap(), "{ below = [], id = 1 }");
    let selves = json!({ "Self": { "allOf": vec![json!({ "$ref": "#/components/schemas/Self" }); 40], "type": "object" } });
    assert_eq!(sent(&json!({ "$ref": "#/components/schemas/Self" }), &selves).unwrap(), "{}");
    let either = json!({ "Either": { "oneOf": [{ "$ref": "#/components/schemas/Either" }] } });
    assert_eq!(sent(&json!({ "$ref": "#/components/schemas/Either" }), &either), None);
}

#[test]
fn schemas_that_multiply_are_cut_off() {
    // Each has forty of the next one: without a bound that is 40⁸.
    let next = |number: usize| json!({ "$ref": format!("#/components/schemas/S{number}") });
    let wide = |number: usize| {
        let fields: serde_json::Map<String, Value> =
            (0..40).map(|i| (format!("field_{i}"), next(number + 1))).collect();
        json!({ "type": "object", "properties": fields, "allOf": vec![next(number + 1); 40] })
    };
    let mut schemas: serde_json::Map<String, Value> =
        (0..20).map(|number| (format!("S{number}"), wide(number))).collect();
    schemas.insert("S20".to_owned(), json!({ "type": "string", "minLength": 1000 }));
    let length = sent(&next(0), &Value::Object(schemas)).unwrap().len();
    assert!(length < 200_000, "{length}");
    let lists = (0..9).fold(
        json!({ "type": "string", "minLength": 1000 }),
        |items, _| json!({ "type": "array", "minItems": 10, "items": items }),
    );
    let length = sent(&lists, &json!({})).unwrap().len();
    assert!(length < 200_000, "{length}");
}

/// Where a description with this server says that the service is.
fn target_of(url: &str) -> Option<String> {
    let mut text: Value = serde_json::from_str(&about(&json!({ "type": "string" }), &json!({}))).unwrap();
    text["servers"] = json!([{ "url": url, "variables": { "h": { "default": "h" } } }]);
    let draft = scenario(&text.to_string(), "spec.json", "spec", None).unwrap();
    assert!(!draft.text.contains("hush"), "{}", draft.text);
    draft.target
}

#[test]
fn a_target_has_no_user_and_no_query_and_is_whole() {
    let table = [
        ("https://me:hush@{h}/v1/", Some("https://h/v1")),
        ("https://{h}/v1?key=hush#top", Some("https://h/v1")),
        ("https://{h}/@v1", Some("https://h/@v1")),
        ("https://{undefined}/@v1", None),
        ("https://{h}/{version}", None),
        ("/v1", None),
    ];
    for (url, target) in table {
        assert_eq!(target_of(url).as_deref(), target, "{url}");
    }
}

#[test]
fn values_of_one_name_that_are_not_the_same_have_columns_of_their_own() {
    let get = |example: &str| {
        let id = json!({ "name": "id", "in": "path", "required": true, "example": example, "schema": { "type": "string" } });
        json!({ "get": { "parameters": [id], "responses": { "200": { "description": "good" } } } })
    };
    let paths = json!({ "/pets/{id}": get("p1"), "/pets/{id}/toys": get("p1"), "/users/{id}": get("42"),
        "/v2/users/{id}": get("u-7") });
    let text = json!({ "openapi": "3.1.0", "paths": paths }).to_string();
    let draft = scenario(&text, "spec.json", "spec", Some("spec.csv")).unwrap();
    valid(&draft);
    assert_eq!(draft.rows.as_deref(), Some("id,id_2,users_id\np1,u-7,42\n"));
    let paths: Vec<&str> = draft.text.lines().filter(|line| line.starts_with("get = ")).collect();
    insta::assert_snapshot!(paths.join("\n"), @r#"
    get = "/pets/${given.id}"
    get = "/pets/${given.id}/toys"
    get = "/users/${given.users_id}"
    get = "/v2/users/${given.id_2}"
    "#);
}

#[test]
fn a_name_that_looks_like_a_variable_is_sent_as_it_is() {
    let of = |schema| sent(&schema, &json!({})).unwrap();
    let name = "a${#";
    assert_eq!(of(json!({ "example": { name: 1 } })), "{ \"a$${#\" = 1 }");
    assert_eq!(of(json!({ "properties": { name: { "example": 1 } } })), "{ \"a$${#\" = 1 }");
}

#[test]
fn dollars_and_braces_anywhere_are_no_variables() {
    let get = |parameters: Value| {
        json!({ "get": { "parameters": parameters, "tags": ["${t}"], "summary": "${s}",
        "responses": { "200": { "description": "good" } } } })
    };
    let named =
        |place: &str, name: &str| json!([{ "name": name, "in": place, "required": true, "example": "${e}" }]);
    let form = json!({ "post": {
        "requestBody": { "content": { "application/x-www-form-urlencoded": { "example": { "f${a}": "${b}" } } } },
        "responses": { "200": { "description": "good" } } } });
    for rows in [None, Some("spec.csv")] {
        let mut paths = String::new();
        for (path, item) in [
            ("/a${b}", get(json!([]))),
            ("/$metadata/$${b}$", get(json!([]))),
            ("/a{${b}}", get(json!([]))),
            ("/a${", get(json!([]))),
            ("/x/{q}", get(named("path", "q"))),
            ("/query", get(named("query", "q${a}"))),
            ("/header", get(named("header", "x-q"))),
            ("/header/odd", get(named("header", "x-${q}"))),
            ("/cookie", get(named("cookie", "c${a}"))),
            ("/form", form.clone()),
        ] {
            let text = json!({ "openapi": "3.1.0", "paths": { path: item } }).to_string();
            match scenario(&text, "${spec}.json", "spec", rows) {
                Ok(draft) => {
                    valid(&draft);
                    let told =
                        |line: &&str| !line.starts_with('#') && line.contains('$') || line.contains("%24");
                    draft.text.lines().filter(told).for_each(|line| paths += &format!("{line}\n"));
                    draft.left_out.iter().for_each(|line| paths += &format!("left out: {line}\n"));
                }
                Err(error) => paths += &format!("{path}: {error}\n"),
            }
        }
        insta::assert_snapshot!(if rows.is_some() { "dollars_with_rows" } else { "dollars" }, paths);
    }
}

/// Schemas of any shape, which refer to each other as they like.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..4_u8).prop_map(|number| json!({ "$ref": format!("#/components/schemas/S{number}") })),
        prop::sample::select(vec!["string", "integer", "number", "boolean", "null", "object", "array"])
            .prop_map(|kind| json!({ "type": kind })),
        (prop::option::of(any::<u64>()), prop::option::of(any::<u64>())).prop_map(
            |(least, most)| json!({ "type": "string", "minLength": least, "maxLength": most, "minItems": most })
        ),
        any::<f64>().prop_map(|bound| json!({ "type": ["null", "number"], "minimum": bound, "exclusiveMinimum": true })),
        "\\PC{0,9}".prop_map(|text| json!({ "example": { text.clone(): [text, null] } })),
        Just(json!(true)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let some = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            (prop::sample::select(vec!["allOf", "oneOf", "anyOf"]), some())
                .prop_map(|(key, of)| json!({ key: of })),
            (prop::collection::btree_map("\\PC{0,4}|(tenant_?)?id", inner.clone(), 0..6), any::<bool>())
                .prop_map(|(fields, required)| {
                    let names: Vec<&String> = fields.keys().filter(|_| required).collect();
                    json!({ "type": "object", "properties": fields, "required": names })
                }),
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items, "minItems": 10 })),
            inner.clone().prop_map(|more| json!({ "type": "object", "additionalProperties": more })),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..Default::default() })]
    #[test]
    fn a_draft_from_any_schema_is_a_valid_scenario(all in prop::collection::vec(any_schema(), 5)) {
        let schemas: serde_json::Map<String, Value> =
            all.iter().enumerate().map(|(number, schema)| (format!("S{number}"), schema.clone())).collect();
        let length = sent(&all[4], &Value::Object(schemas)).unwrap_or_default().len();
        // Each character of a name or a value may have to be escaped.
        prop_assert!(length < 1_000_000, "{length}");
    }
}
