//! Holds an answer against the checks of its step; of the first that fails it says what was expected and what came.

use super::{
    exchange::Answer,
    extract::{self, NotJson, Value},
};
use crate::redactor::Redactor;
use saasbench_model::scenario::journey::{Check, Condition, Literal};

/// The most characters of an answer that a message shows.
const SHOWN: usize = 80;

/// Texts that checks need for a moment, used again and again.
#[derive(Debug, Default)]
pub struct Room {
    /// A value that does not stand in the answer as it is.
    pub(super) found: String,
    /// An expected text, filled in.
    expected: Vec<u8>,
}

/// What answers are held against.
pub struct Checks<'a> {
    /// One after the other.
    pub checks: &'a [Check],
    /// Appends what the check of this index compares with, filled in; false where it names what was never saved.
    pub fill: &'a dyn Fn(usize, &mut Vec<u8>) -> bool,
    /// What shall not be shown.
    pub blot: &'a Redactor,
}

impl Checks<'_> {
    /// What the first failing check says of an answer.
    pub fn failed(&self, answer: &Answer, room: &mut Room) -> Option<String> {
        self.checks.iter().enumerate().find_map(|(index, check)| match check {
            Check::Size { comparison, bytes, written } => {
                let held = comparison.holds(answer.body_bytes, *bytes);
                (!held).then(|| format!("the body has {} bytes, expected {written}", answer.body_bytes))
            }
            Check::Value { of, must } => {
                let complaint = match extract::value(of, answer, &mut room.found) {
                    Err(NotJson) => Some(format!("is not there: {}", not_json(answer))),
                    Ok(found) => self.unmet(index, must, &found, &mut room.expected),
                };
                complaint.map(|complaint| format!("{of} {complaint}"))
            }
        })
    }

    /// What is wrong with a value, as it follows the name of its place; `None` if nothing is.
    fn unmet(&self, index: usize, must: &Condition, found: &Value<'_>, room: &mut Vec<u8>) -> Option<String> {
        let text = match must.template() {
            None => &[],
            Some(template) => match template.as_literal() {
                Some(literal) => literal.as_bytes(),
                None => {
                    room.clear();
                    if !(self.fill)(index, room) {
                        return Some("cannot be judged: it is compared with what was never saved".to_owned());
                    }
                    room.as_slice()
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

    /// What came, shortened.
    fn came(&self, found: &Value<'_>) -> String {
        match found {
            Value::Nothing => "is not there".to_owned(),
            Value::Null => "is null".to_owned(),
            Value::Boolean(boolean) => format!("is {boolean}"),
            Value::Number(number) => format!("is {}", self.blot.out(&number.to_string())),
            Value::Json(json) => format!("is {}", shortened(&self.blot.out(json))),
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
        // A character has at most four bytes. Secrets have to be found whole, before anything is cut off.
        let enough = if self.blot.is_empty() { 4 * (SHOWN + 1) } else { text.len() };
        let text = String::from_utf8_lossy(text.get(..enough).unwrap_or(text));
        format!("\"{}\"", shortened(&self.blot.out(&text)))
    }
}

/// Why nothing can be taken from a body that should be JSON.
pub fn not_json(answer: &Answer) -> &'static str {
    if answer.body_bytes > answer.body.len() as u64 {
        "the body is too long to be kept whole"
    } else {
        "the body is not JSON"
    }
}

/// Whether a value is what it is compared with; `text` is the literal's, filled in.
fn equal(found: &Value<'_>, literal: &Literal, text: &[u8]) -> bool {
    match (found, literal) {
        (Value::Text(found), Literal::Text(_)) => *found == text,
        (Value::Boolean(found), Literal::Boolean(expected)) => found == expected,
        (Value::Number(found), Literal::Number(expected)) => {
            // Whole numbers compare exactly, beyond what a double holds; 1 and 1.0 are the same number.
            found == expected
                || ((found.is_f64() || expected.is_f64()) && found.as_f64() == expected.as_f64())
        }
        _ => false,
    }
}

/// Looks at a value's text.
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
