//! A secret is found in every encoding, its replacement is injective, and numbers stay as they are.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    testing::{base64, encodings},
    *,
};

const SECRET: &str = "s3/cr<t \"é&9";

fn redactor() -> Redactor {
    Redactor::new([(SECRET.to_owned(), "${env:KEY}".to_owned())])
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let redactor = redactor();
    for (index, encoded) in encodings(SECRET).into_iter().enumerate() {
        let clean = redactor.redact(&format!("a={encoded}&b")).into_owned();
        let shown = clean.trim_matches('"');
        assert!(
            shown.starts_with("a=${env:KEY") || shown.starts_with("a=\"${env:KEY"),
            "{index}: {encoded} is {clean}"
        );
        assert!(shown.ends_with("}&b") || shown.ends_with("}\"&b"), "{index}: {encoded} is {clean}");
    }
}

#[test]
fn a_secret_is_found_in_base64_at_any_offset() {
    let redactor = redactor();
    for url in [false, true] {
        for user in ["", "m", "me", "me:", "them:"] {
            for behind in ["", "!", "!!"] {
                let encoded = base64(format!("{user}{SECRET}{behind}").as_bytes(), url);
                let clean = redactor.redact(&encoded).into_owned();
                // What is left is what was before and behind it.
                let left = clean.replace(|c: char| "${}#:".contains(c), "").replace("envKEY", "");
                assert!(clean.contains("${env:KEY#"), "{encoded} is {clean}");
                assert!(left.len() <= (user.len() + behind.len()) * 4 / 3 + 2, "{encoded} is {clean}");
            }
        }
    }
}

#[test]
fn texts_that_differ_still_differ() {
    let redactor = redactor();
    let all: std::collections::BTreeSet<String> =
        encodings(SECRET).iter().map(|text| redactor.redact(text).into_owned()).collect();
    let before: std::collections::BTreeSet<String> = encodings(SECRET).into_iter().collect();
    assert_eq!(all.len(), before.len());
    // And the same text is always replaced alike, by a later redactor of the run, too.
    let later = redactor.with([("another-one".to_owned(), "${env:B}".to_owned())]);
    for text in encodings(SECRET) {
        assert_eq!(redactor.redact(&text), later.redact(&text));
    }
}

#[test]
fn secrets_that_overlap_are_hidden_whole() {
    let secrets =
        [("abcdef", "${env:A}"), ("defghij", "${env:B}"), ("abcdef-long", "${env:C}"), ("short", "${env:D}")];
    let redactor = Redactor::new(secrets.map(|(value, shown)| (value.to_owned(), shown.to_owned())));
    for (text, clean) in [
        ("abcdef", "${env:A}"),
        ("xabcdefghijx", "x${env:B#2}x"),
        ("abcdef-long", "${env:C}"),
        ("abcdefabcdef", "${env:A}${env:A}"),
        ("abcde short", "abcde short"),
    ] {
        assert_eq!(redactor.redact(text), clean);
    }
}

#[test]
fn an_exposition_stays_one() {
    let redactor =
        Redactor::new([("123456", "${env:PIN}"), ("tok_en", "${env:T}")].map(|(a, b)| (a.into(), b.into())));
    let text = r#"# HELP a_tok_en_total of tok_en "tok_en
# TYPE a_tok_en_total counter
a_tok_en_total{path="/x/tok_en",pin="123456",tok_en="1"} 123456 123456
b{le="123456"} 123456
b{le="x123456"} 1 # {trace="tok\u005fen"} 123456
# {"tok_en"}
{"tok_en",a="\\tok_en\tok_en"} 1"#;
    insta::assert_snapshot!(redactor.redact_exposition(text));
}

#[test]
fn documents_and_responses_keep_their_numbers() {
    let redactor = Redactor::new([("123456".to_owned(), "${env:PIN}".to_owned())]);
    assert_eq!(
        redactor.redact_json("{\"n\": 123456,\n\"s\": \"\\n123456\"}"),
        "{\"n\": 123456,\n\"s\": \"\\n${env:PIN}\"}"
    );
    let mut value = json!({"metric": {"a123456": "x123456"}, "values": [[1.5, "123456"], ["123456", "1"]]});
    redactor.redact_value(&mut value);
    assert_eq!(
        value,
        json!({"metric": {"a${env:PIN}": "x${env:PIN}"}, "values": [[1.5, "123456"], ["${env:PIN}", "1"]]})
    );
}

#[test]
fn the_secrets_of_a_url() {
    assert_eq!(of_url("redis://:p%40ssword@h/0"), ["p%40ssword", "p@ssword"]);
    assert_eq!(of_url("https://token12@h/?sig=abc&page=2"), ["token12", "token12", "abc"]);
    assert_eq!(of_url("http://h/"), [""; 0]);
}

proptest::proptest! {
    #[test]
    fn mixed_encodings_are_found(kinds in proptest::collection::vec(0..6, 12), before in "[a-z%&\\\\+]{0,4}") {
        let encoded: String = SECRET.chars().zip(&kinds).map(|(c, kind)| match kind {
            0 => utf8_percent_encode(&c.to_string(), NON_ALPHANUMERIC).to_string(),
            1 => c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect(),
            2 => format!("&#{};", u32::from(c)),
            3 => format!("\\u{:04X}", u32::from(c)),
            4 if c == ' ' => "+".to_owned(),
            _ => c.to_string(),
        }).collect();
        let text = format!("{before}{encoded}");
        let clean = redactor().redact(&text).into_owned();
        proptest::prop_assert!(clean.contains("${env:KEY"), "{text} is {clean}");
    }

    #[test]
    fn nothing_else_changes(text in "\\PC{0,40}") {
        let redactor = redactor();
        proptest::prop_assert_eq!(redactor.redact(&text), text.as_str());
        proptest::prop_assert_eq!(redactor.redact_exposition(&text), text.as_str());
    }
}
