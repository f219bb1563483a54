//! Extraction from JSON bodies, compared with a parsed tree, and from headers and by patterns.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use saasbench_model::scenario::response::{Pattern, Pointer};

fn of_json(pointer: &str, body: &str) -> Result<Option<String>, NotJson> {
    let response = Response { body: body.into(), ..Response::default() };
    let (mut scratch, mut text) = ("left over".to_owned(), String::new());
    let value = value(&Place::Json(Pointer::new(pointer).unwrap()), &response, &mut scratch)?;
    value.write_to(&mut text);
    Ok((!matches!(value, Value::Nothing | Value::Null)).then_some(text))
}

/// The result of parsing the whole body: the reference for saved values.
fn of_tree(pointer: &str, body: &str) -> Option<String> {
    match serde_json::from_str::<Json>(body).unwrap().pointer(pointer) {
        Some(Json::String(text)) => Some(text.clone()),
        Some(Json::Null) | None => None,
        Some(other) => Some(other.to_string()),
    }
}

#[test]
fn values_of_json() {
    let body = r#"{"a": {"b": [1, -2, 1.50, "x\ny", true, null, {"z": 1, "y": [ ]}]}, "": {"": 7}, "m/n": {"~": 8}, "é": "\u00e9"}"#;
    for (pointer, expected) in [
        ("/a/b/0", Some("1")),
        ("/a/b/1", Some("-2")),
        ("/a/b/2", Some("1.5")),
        ("/a/b/3", Some("x\ny")),
        ("/a/b/4", Some("true")),
        ("/a/b/5", None),
        ("/a/b/6", Some(r#"{"y":[],"z":1}"#)),
        ("/a/b/7", None),
        ("/a/b/01", None),
        ("/a/b/-", None),
        ("/a/b/0/c", None),
        ("/a/c", None),
        ("//", Some("7")),
        ("/m~1n/~0", Some("8")),
        ("/é", Some("é")),
    ] {
        assert_eq!(of_json(pointer, body), Ok(expected.map(str::to_owned)), "{pointer}");
        assert_eq!(of_tree(pointer, body).as_deref(), expected, "{pointer}");
    }
    assert_eq!(of_json("", "\"all\""), Ok(Some("all".to_owned())));
    for (body, last) in [
        (r#"{"a": 1, "a": 2}"#, Some("2")),
        (r#"{"a": 1, "\u0061": "two"}"#, Some("two")),
        (r#"{"a": "one", "a": null}"#, None),
    ] {
        assert_eq!(of_json("/a", body), Ok(last.map(str::to_owned)), "{body}");
    }
    assert_eq!(of_json("/a/b", r#"{"a": {"b": "one"}, "a": {"c": 2}}"#), Ok(None));
    for body in ["", "{", "{\"a\": 1} x", "<html>", "{\"a\": 1,}", "{a: 1}", "[1 2]"] {
        assert_eq!(of_json("/a", body), Err(NotJson), "{body}");
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[a/~\"\\\\é\n]{0,4}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[ab/~é\"0-2]{0,2}", Just("01".to_owned())]
}

/// A value as text with every object's members written twice: first with other values, then with its own.
fn with_duplicates(json: &Json) -> String {
    match json {
        Json::Object(members) => {
            let member = |(key, value): (&String, String)| format!("{}: {value}", Json::from(key.as_str()));
            let first = members.keys().map(|key| member((key, r#"{"a": [0, "b"]}"#.to_owned())));
            let again = members.iter().map(|(key, value)| member((key, with_duplicates(value))));
            format!("{{{}}}", first.chain(again).collect::<Vec<_>>().join(", "))
        }
        Json::Array(elements) => {
            format!("[{}]", elements.iter().map(with_duplicates).collect::<Vec<_>>().join(" , "))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn the_walk_finds_what_the_tree_finds(
        json in any_json(),
        keys in proptest::collection::vec(key(), 0..4),
        twice in any::<bool>(),
    ) {
        let body = if twice { with_duplicates(&json) } else { json.to_string() };
        let pointer: String =
            keys.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
        prop_assert_eq!(of_json(&pointer, &body), Ok(of_tree(&pointer, &body)), "{} in {}", pointer, body);
    }
}

#[test]
fn values_of_headers_and_patterns() {
    let response = Response {
        head: b"Location: /carts/42 \r\nSet-Cookie: a=1\r\nx-empty:\r\nset-cookie:b=2\r\n".to_vec(),
        body: b"<a href=\"/items/7\">\xff".to_vec(),
        ..Response::default()
    };
    let mut scratch = String::new();
    let mut of = |place| format!("{:?}", value(&place, &response, &mut scratch).unwrap());
    let text = |text: &str| format!("{:?}", Value::Text(text.as_bytes()));
    assert_eq!(of(Place::Header("location".to_owned())), text("/carts/42"));
    assert_eq!(of(Place::Header("x-empty".to_owned())), text(""));
    assert_eq!(of(Place::Header("cookie".to_owned())), "Nothing");
    assert_eq!(of(Place::Found(Pattern::new("/items/(\\d+)").unwrap())), text("7"));
    assert_eq!(of(Place::Found(Pattern::new("/carts/(\\d+)").unwrap())), "Nothing");
    let cookies: Vec<&[u8]> = headers(&response.head, "set-cookie").collect();
    assert_eq!(cookies, [b"a=1", b"b=2"]);
    let mut lossy = String::new();
    value(&Place::Body, &response, &mut scratch).unwrap().write_to(&mut lossy);
    assert_eq!(lossy, "<a href=\"/items/7\">\u{fffd}");
}
