//! Values in a scenario's TOML notation.

use serde_json::Value;

/// A text in quotes, in the notation that needs the fewest escapes.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key: bare where it can be.
pub(super) fn key(text: &str) -> String {
    let is_bare =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_bare { text.to_owned() } else { basic(text) }
}

/// Names and values in braces: `{ accept = "text/html", X-Tenant = "acme" }`. Texts stay on one line, as TOML
/// requires there.
pub(super) fn table<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{} = {}", key(name), basic(value))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A JSON value on one line; `None` if TOML cannot represent it: `null`, and numbers beyond 64 bits.
pub(super) fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) if number.is_i64() => number.to_string(),
        Value::Number(number) => toml::Value::Float(number.as_f64().filter(|_| number.is_f64())?).to_string(),
        Value::String(text) => basic(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| Some(format!("{} = {}", key(name), inline(value)?));
            format!("{{ {} }}", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

/// A text on one line, in double quotes: TOML's escapes are JSON's, except that DEL must be escaped, too.
pub(super) fn basic(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_round_trips() {
        for text in
            ["", "plain", "two\nlines", "'\"", "''' \"\"\"", "\u{7f}\u{1}\\", "${env:X} ü", "a\r\nb", "\n"]
        {
            for written in [quoted(text), basic(text)] {
                let table: toml::Table = toml::from_str(&format!("a = {written}\n")).unwrap();
                assert_eq!(table["a"].as_str(), Some(text), "{written}");
            }
            let table: toml::Table =
                toml::from_str(&format!("{} = {}", key(text), table([(text, text)]))).unwrap();
            assert_eq!(table[text][text].as_str(), Some(text));
        }
    }
}
