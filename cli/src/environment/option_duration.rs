//! Deserializes an optional duration as people write it: `5s`, `2ms`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(d)?;
    humantime::parse_duration(&text).map(Some).map_err(|error| D::Error::custom(format!("`{text}`: {error}")))
}
