//! Failed checks: what their messages say, and that these contain no secret.

use super::*;
use saasbench_model::scenario::{
    expectation::Comparison,
    response::{Pattern, Place, Pointer},
    template::{Escape, Part, Template, Variable},
};

fn response() -> Response {
    Response {
        status: 200,
        head: b"X-Cache: MISS\r\nx-count: 7\r\n".to_vec(),
        body: r#"{"ok": false, "n": 3, "big": 9007199254740993, "x": 1.0, "none": null, "who": "acme", "list": [1, 2], "text": "a\nb"}"#.into(),
        body_bytes: 120,
        ..Response::default()
    }
}

fn json(pointer: &str) -> Place {
    Place::Json(Pointer::new(pointer).unwrap())
}

fn text(text: &str) -> Literal {
    Literal::Text(Template::literal(text, Escape::None))
}

#[expect(clippy::needless_pass_by_value, reason = "checks are written where they are used")]
fn one(check: Check, response: &Response) -> Option<String> {
    one_without(&Redactor::default(), &check, response)
}

fn one_without(redactor: &Redactor, check: &Check, response: &Response) -> Option<String> {
    let template = match check {
        Check::Value { must, .. } => must.template().cloned(),
        Check::Size { .. } => None,
    };
    // Only the tenant is available here.
    let fill = |_: usize, text: &mut Vec<u8>| {
        template.iter().flat_map(|template| &template.parts).all(|part| match part {
            Part::Text(literal) => {
                text.extend_from_slice(literal.as_bytes());
                true
            }
            Part::Variable(Variable::Tenant) => {
                text.extend_from_slice(b"acme");
                true
            }
            Part::Variable(_) => false,
        })
    };
    Checks { checks: std::slice::from_ref(check), fill: &fill, redactor }
        .failed(response, &mut Scratch::default())
}

#[test]
fn secrets_are_not_shown() {
    let secret = "s3cret".repeat(20);
    let redactor = Redactor::new([(secret.clone(), "${env:KEY}".to_owned())]);
    let response =
        Response { body: format!("{{\"key\": \"{secret}\"}}").into_bytes(), ..Response::default() };
    let said =
        one_without(&redactor, &Check::Value { of: json("/key"), must: Condition::Is(text("x")) }, &response);
    assert_eq!(said.as_deref(), Some("/key is \"${env:KEY}\", expected \"x\""));
    let must = Condition::Contains(Template::literal(format!("{secret}?"), Escape::None));
    let said = one_without(&redactor, &Check::Value { of: Place::Body, must }, &response);
    assert_eq!(
        said.as_deref(),
        Some("the body is \"{\"key\": \"${env:KEY}\"}\", expected \"${env:KEY}?\" in it")
    );
    let said =
        one_without(&redactor, &Check::Value { of: json(""), must: Condition::Is(text("x")) }, &response);
    assert_eq!(said.as_deref(), Some("the JSON body is {\"key\":\"${env:KEY}\"}, expected \"x\""));
}

#[test]
fn failing_checks_give_reasons() {
    let variable = |variable| {
        let parts = vec![Part::Text("a".into()), Part::Variable(variable)];
        Literal::Text(Template { parts, escape: Escape::None })
    };
    let contains = |text: &str| Condition::Contains(Template::literal(text, Escape::None));
    let matches = |text: &str| Condition::Matches(Pattern::new(text).unwrap());
    let size = |comparison, bytes, written: &str| Check::Size { comparison, bytes, written: written.into() };
    let of = |of, must| Check::Value { of, must };
    let header = |name: &str| Place::Header(name.to_owned());
    let table = [
        of(json("/ok"), Condition::Present),
        of(json("/ok"), Condition::Is(Literal::Boolean(false))),
        of(json("/ok"), Condition::Is(Literal::Boolean(true))),
        of(json("/ok"), Condition::Is(text("false"))),
        of(json("/n"), Condition::Is(Literal::Number(3.into()))),
        of(json("/n"), Condition::Is(text("3"))),
        of(json("/n"), Condition::Not(Literal::Number(3.into()))),
        of(json("/x"), Condition::Is(Literal::Number(1.into()))),
        of(json("/big"), Condition::Is(Literal::Number(9_007_199_254_740_992_u64.into()))),
        of(json("/none"), Condition::Present),
        of(json("/none"), Condition::Not(text("x"))),
        of(json("/nowhere"), Condition::Present),
        of(json("/who"), Condition::Is(text("acme"))),
        of(json("/who"), Condition::Not(text("acme"))),
        of(json("/who"), Condition::Is(variable(Variable::Tenant))),
        of(json("/who"), Condition::Is(variable(Variable::Saved(0)))),
        of(json("/text"), Condition::Is(text("a"))),
        of(json("/list"), contains("1,2")),
        of(json("/list"), contains("3")),
        of(json("/n"), matches("^[12]$")),
        of(header("x-cache"), Condition::Is(text("HIT"))),
        of(header("x-cache"), matches("^M")),
        of(header("x-none"), Condition::Present),
        of(header("x-none"), Condition::Not(text("HIT"))),
        of(Place::Found(Pattern::new("who\": \"(\\w+)").unwrap()), Condition::Is(text("globex"))),
        of(Place::Body, contains("acme")),
        of(Place::Body, contains("welcome")),
        of(Place::Body, matches("^<html")),
        of(json(""), Condition::Is(text("x"))),
        size(Comparison::Less, 10_000, "< 10kB"),
        size(Comparison::Greater, 10_000, "> 10kB"),
    ];
    let mut shown = String::new();
    for check in table {
        let said = one(check, &response());
        shown.push_str(said.as_deref().unwrap_or("(holds)"));
        shown.push('\n');
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("messages_of_failing_checks", shown) });
}

#[test]
fn bodies_that_are_not_json() {
    let check = || Check::Value { of: json("/ok"), must: Condition::Present };
    let cut = Response { body: b"{\"ok\": tr".to_vec(), body_bytes: 2_000_000, ..Response::default() };
    assert_eq!(
        one(check(), &cut).as_deref(),
        Some("/ok is not there: the body is too long to be kept whole")
    );
    let html = Response { body: b"<html>".to_vec(), body_bytes: 6, ..Response::default() };
    assert_eq!(one(check(), &html).as_deref(), Some("/ok is not there: the body is not JSON"));
}
