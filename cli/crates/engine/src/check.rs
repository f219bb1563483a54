//! Runs the checks of a step on a response; the message of the first failing one says what was expected and
//! what was found.

use super::{
    exchange::Response,
    extract::{self, NotJson, Value},
};
use saasbench_model::redact::secrets::Redactor;
use saasbench_model::scenario::journey::{Check, Condition, Literal};

/// Characters of a response that a message shows, at most.
const SHOWN: usize = 80;

/// Scratch buffers for texts that checks need.
#[derive(Debug, Default)]
pub struct Scratch {
    /// A value that the response contains in another form.
    pub(super) found: String,
    /// An expected text, rendered.
    expected: Vec<u8>,
}

/// The checks of a response.
pub struct Checks<'a> {
    /// In the order in which they run.
    pub checks: &'a [Check],
    /// Appends the rendered text to compare with, for the check of this index; false if a value that it needs
    /// was never saved.
    pub fill: &'a dyn Fn(usize, &mut Vec<u8>) -> bool,
    /// Removes secrets from messages.
    pub redactor: &'a Redactor,
}

impl Checks<'_> {
    /// The message of the first check that fails.
    pub fn failed(&self, response: &Response, scratch: &mut Scratch) -> Option<String> {
        self.checks.iter().enumerate().find_map(|(index, check)| match check {
            Check::Size { comparison, bytes, written } => {
                let held = comparison.holds(response.body_bytes, *bytes);
                (!held).then(|| format!("the body has {} bytes, expected {written}", response.body_bytes))
            }
            Check::Value { of, must } => {
                let complaint = match extract::value(of, response, &mut scratch.found) {
                    Err(NotJson) => Some(format!("is not there: {}", not_json(response))),
                    Ok(found) => self.unmet(index, must, &found, &mut scratch.expected),
                };
                complaint.map(|complaint| format!("{of} {complaint}"))
            }
        })
    }

    /// What is wrong with a value, worded to follow the name of its place; `None` if nothing is.
    fn unmet(
        &self,
        index: usize,
        must: &Condition,
        found: &Value<'_>,
        scratch: &mut Vec<u8>,
    ) -> Option<String> {
        let text = match must.template() {
            None => &[],
            Some(template) => match template.as_literal() {
                Some(literal) => literal.as_bytes(),
                None => {
                    scratch.clear();
                    if !(self.fill)(index, scratch) {
                        return Some("cannot be judged: it is compared with what was never saved".to_owned());
                    }
                    scratch.as_slice()
                }
            },
        };
        let there = !matches!(found, Value::Nothing | Value::Null);
        let held = there
            && match must {
                Condition::Present => true,
                Condition::Is(literal) => equal(found, literal, text),
                Condition::Not(literal) => !equal(found, literal, text),
                Condition::Contains(_) => in_text(found, |found| memchr::memmem::find(found, text).is_some()),
                Condition::Matches(pattern) => in_text(found, |found| pattern.is_in(found)),
            };
        (!held).then(|| format!("{}, expected {}", self.came(found), self.wanted(must, text)))
    }

    /// What was found, shortened.
    fn came(&self, found: &Value<'_>) -> String {
        match found {
            Value::Nothing => "is not there".to_owned(),
            Value::Null => "is null".to_owned(),
            Value::Boolean(boolean) => format!("is {boolean}"),
            Value::Number(number) => format!("is {}", self.redactor.redact(&number.to_string())),
            Value::Json(json) => format!("is {}", shortened(&self.redactor.redact(json))),
            Value::Text(text) => format!("is {}", self.quoted(text)),
        }
    }

    /// What was expected, in words.
    fn wanted(&self, must: &Condition, text: &[u8]) -> String {
        let literal = |literal: &Literal| match literal {
            Literal::Text(_) => self.quoted(text),
            Literal::Number(number) => number.to_string(),
            Literal::Boolean(boolean) => boolean.to_string(),
        };
        match must {
            Condition::Present => "a value".to_owned(),
            Condition::Is(is) => literal(is),
            Condition::Not(not) => format!("something but {}", literal(not)),
            Condition::Contains(_) => format!("{} in it", self.quoted(text)),
            Condition::Matches(pattern) => format!("a match of {pattern}"),
        }
    }

    /// A text in quotes, shortened, without control characters and secrets.
    fn quoted(&self, text: &[u8]) -> String {
        // A character has at most four bytes. Secrets must be found before the text is truncated.
        let enough = if self.redactor.is_empty() { 4 * (SHOWN + 1) } else { text.len() };
        let text = String::from_utf8_lossy(text.get(..enough).unwrap_or(text));
        format!("\"{}\"", shortened(&self.redactor.redact(&text)))
    }
}

/// Why a body that should be JSON has no value.
pub fn not_json(response: &Response) -> &'static str {
    if response.body_bytes > response.body.len() as u64 {
        "the body is too long to be kept whole"
    } else {
        "the body is not JSON"
    }
}

/// Whether a value equals the expected one; `text` is the literal's, rendered.
fn equal(found: &Value<'_>, literal: &Literal, text: &[u8]) -> bool {
    match (found, literal) {
        (Value::Text(found), Literal::Text(_)) => *found == text,
        (Value::Boolean(found), Literal::Boolean(expected)) => found == expected,
        (Value::Number(found), Literal::Number(expected)) => {
            // Integers compare exactly, beyond what a double holds; 1 and 1.0 are equal.
            found == expected
                || ((found.is_f64() || expected.is_f64()) && found.as_f64() == expected.as_f64())
        }
        _ => false,
    }
}

/// Tests a value's text.
fn in_text(found: &Value<'_>, look: impl Fn(&[u8]) -> bool) -> bool {
    match found {
        Value::Nothing | Value::Null => false,
        Value::Text(text) => look(text),
        Value::Json(json) => look(json.as_bytes()),
        Value::Boolean(boolean) => look(if *boolean { b"true" } else { b"false" }),
        Value::Number(number) => look(number.to_string().as_bytes()),
    }
}

/// The beginning of a text, without control characters.
fn shortened(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
