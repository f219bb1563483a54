//! The scenario that a new one begins with: it runs on the embedded service as it is, and its comments say what to change.

use super::value::basic;

/// Its text, but for its name.
const TEXT: &str = include_str!("starter.toml");

/// A commented scenario called `name`.
pub fn scenario(name: &str) -> String {
    TEXT.replace("\"NAME\"", &basic(name)).replace("NAME", name)
}
