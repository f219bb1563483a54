//! The encodings in which services echo a text, for tests.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

/// The usual encodings of an echo but Base64.
pub fn encodings(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let lower = ('A'..='F').fold(percent.clone(), |text, digit| {
        let digits = [format!("%{digit}"), format!("%{}", digit.to_ascii_lowercase())];
        text.replace(&digits[0], &digits[1])
    });
    let every = |form: &dyn Fn(u16) -> String| secret.encode_utf16().map(form).collect::<String>();
    let bytes = |form: &dyn Fn(u8) -> String| secret.bytes().map(form).collect::<String>();
    let json = json!(secret).to_string().trim_matches('"').to_owned();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    vec![
        secret.to_owned(),
        lower,
        percent.replace("%20", "+"),
        utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
        bytes(&|byte| format!("%{byte:02x}")),
        bytes(&|byte| format!("%{byte:02X}")),
        html.replace('&', "&amp;"),
        html,
        secret.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        secret.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect(),
        json.replace('/', "\\/"),
        json!(json).to_string().trim_matches('"').to_owned(),
        json,
        every(&|unit| format!("\\u{unit:04x}")),
        every(&|unit| format!("\\u{unit:04X}")),
        bytes(&|byte| format!("{byte:02x}")),
        bytes(&|byte| format!("{byte:02X}")),
        percent,
    ]
}

/// A text in Base64 without padding, in the alphabet for URLs if `url`.
pub fn base64(text: &[u8], url: bool) -> String {
    let last = if url { "-_" } else { "+/" };
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last.chars()).collect();
    let mut out = String::new();
    for chunk in text.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let number = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.extend((0..=chunk.len()).map(|digit| alphabet[(number >> (18 - 6 * digit) & 63) as usize]));
    }
    out
}
