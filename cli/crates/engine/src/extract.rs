//! Extracts a value from a response: from its JSON body without building a tree, from a header, or by a
//! pattern.

use std::fmt::{self, Write as _};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer},
};
use serde_json::Number;

use super::exchange::Response;
use saasbench_model::scenario::response::{Place, Token};

/// A value in a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Nothing,
    /// JSON's `null`.
    Null,
    /// A JSON truth value.
    Boolean(bool),
    /// A JSON number.
    Number(Number),
    /// A text: a JSON string, a header, a part of the body.
    Text(&'a [u8]),
    /// A JSON array or object, without spaces and with sorted keys.
    Json(&'a str),
}

/// A body that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

/// The value at `place`; `scratch` is for texts that the response contains in another form.
///
/// # Errors
/// If the place is in a JSON body and the body is not JSON.
pub fn value<'a>(
    place: &Place,
    response: &'a Response,
    scratch: &'a mut String,
) -> Result<Value<'a>, NotJson> {
    Ok(match place {
        Place::Json(pointer) => match json(pointer.tokens(), &response.body, scratch)? {
            Kind::Nothing => Value::Nothing,
            Kind::Null => Value::Null,
            Kind::Boolean(boolean) => Value::Boolean(boolean),
            Kind::Number(number) => Value::Number(number),
            Kind::Text => Value::Text(scratch.as_bytes()),
            Kind::Compound => Value::Json(scratch),
        },
        Place::Header(name) => header(&response.head, name).map_or(Value::Nothing, Value::Text),
        Place::Found(pattern) => pattern.find(&response.body).map_or(Value::Nothing, Value::Text),
        Place::Body => Value::Text(&response.body),
    })
}

impl Value<'_> {
    /// Appends it as templates write it: texts without quotes, nothing for `null` and missing values.
    pub fn write_to(&self, text: &mut String) {
        match self {
            Self::Nothing | Self::Null => {}
            Self::Boolean(boolean) => text.push_str(if *boolean { "true" } else { "false" }),
            Self::Number(number) => {
                // Writing to a String cannot fail.
                let _ = write!(text, "{number}");
            }
            Self::Text(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
            Self::Json(json) => text.push_str(json),
        }
    }
}

/// The value of the first header of this name (lower case), without space around it.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    headers(head, name).next()
}

/// The values of all headers of this name (lower case).
pub fn headers<'a>(head: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    head.split(|byte| *byte == b'\n').filter_map(move |line| {
        let (field, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        field.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The result of walking through JSON; texts, arrays and objects are in the scratch buffer.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Nothing,
    Null,
    Boolean(bool),
    Number(Number),
    Text,
    Compound,
}

/// The value under a pointer's tokens, as [`serde_json::Value::pointer`] finds it; the last of equal keys
/// counts.
fn json(tokens: &[Token], body: &[u8], scratch: &mut String) -> Result<Kind, NotJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let kind = Walk { tokens, scratch }.deserialize(&mut deserializer).map_err(|_| NotJson)?;
    deserializer.end().map_err(|_| NotJson)?;
    Ok(kind)
}

/// Walks down to the value, skipping all others.
struct Walk<'t, 'r> {
    tokens: &'t [Token],
    scratch: &'r mut String,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_, '_> {
    /// A value without members is either the one looked for, or has nothing below it.
    fn end(&self, kind: Kind) -> Kind {
        if self.tokens.is_empty() { kind } else { Kind::Nothing }
    }

    fn compound(self, value: &serde_json::Value) -> Kind {
        self.scratch.clear();
        let _ = write!(self.scratch, "{value}");
        Kind::Compound
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Kind, E> {
        Ok(self.end(Kind::Null))
    }

    fn visit_bool<E: Error>(self, boolean: bool) -> Result<Kind, E> {
        Ok(self.end(Kind::Boolean(boolean)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Kind, E> {
        Ok(self.end(Kind::Number(number.into())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Kind, E> {
        Ok(self.end(Kind::Number(number.into())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Kind, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("not finite"))?;
        Ok(self.end(Kind::Number(number)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Kind, E> {
        if self.tokens.is_empty() {
            self.scratch.clear();
            self.scratch.push_str(text);
        }
        Ok(self.end(Kind::Text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Kind, A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            let value = serde_json::Value::deserialize(SeqAccessDeserializer::new(elements))?;
            return Ok(self.compound(&value));
        };
        let mut found = Kind::Nothing;
        let mut index = 0;
        loop {
            let more = if token.index == Some(index) {
                let element = elements.next_element_seed(Walk { tokens, scratch: &mut *self.scratch })?;
                element.map(|kind| found = kind).is_some()
            } else {
                elements.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(found);
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            let value = serde_json::Value::deserialize(MapAccessDeserializer::new(members))?;
            return Ok(self.compound(&value));
        };
        let mut found = Kind::Nothing;
        while let Some(is_it) = members.next_key_seed(Key(&token.key))? {
            if is_it {
                found = members.next_value_seed(Walk { tokens, scratch: &mut *self.scratch })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is the one looked for; compared without a copy.
struct Key<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests;
