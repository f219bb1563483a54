//! The template of a new scenario: it runs on the embedded service as it is, and its comments explain what to
//! change.

use super::value::basic;

/// Its text, without its name.
const TEXT: &str = include_str!("starter.toml");

/// A commented scenario called `name`.
pub fn scenario(name: &str) -> String {
    TEXT.replace("\"NAME\"", &basic(name)).replace("NAME", name)
}
