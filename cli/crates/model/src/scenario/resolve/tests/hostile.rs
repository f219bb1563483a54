//! No input makes `resolve` panic.

use proptest::prelude::*;

use super::{BASE, FLOOD, SOURCES, resolve, steps::SHOP};

/// Resolves and renders; fails only by panicking.
fn survive(text: &str) {
    if let Err(problems) = resolve(text, "hostile.toml", &SOURCES) {
        let _ = problems.render(true);
        assert!(problems.iter().count() > 0);
    }
}

/// Fragments of scenarios, valid and invalid.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[[load]]\n".to_owned()),
        Just("[[journey.step]]\n".to_owned()),
        Just("[load]\n".to_owned()),
        Just("\"".to_owned()),
        Just("${".to_owned()),
        Just("$${".to_owned()),
        Just("}".to_owned()),
        Just("..".to_owned()),
        Just("99999999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("é\u{1f980}".to_owned()),
        Just("\\u0000".to_owned()),
        Just("nan".to_owned()),
        Just("1979-05-27".to_owned()),
        "[ -~\n]{0,12}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn a_mutated_scenario(
        whole in prop::sample::select(vec![BASE, FLOOD, SHOP]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..40_usize, fragment()), 1..6),
    ) {
        let mut text: Vec<char> = whole.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        survive(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_as_a_value(key in prop::sample::select(vec![
        "\"25s\"", "\"200/s\"", "\"1s..3s\"", "\"8/10s\"", "\"p99 < 50ms\"", "\"/items/${sid}?full=1\"", "\"msg-${n}\"",
        "\"/session_id\"", "\"POST /chat\"", "\"acme\"", "\"read\"",
    ]), value in prop_oneof![any::<String>(), "[0-9.]{0,24} ?[a-zµ]{0,3}", "p[0-9.]{0,6} ?[<>=]{1,2} ?[0-9]{0,30}[a-z%/]{0,3}"]) {
        let value = toml::Value::String(value).to_string();
        survive(&BASE.replacen(key, &value, 1));
    }
}
