//! Test support: scenarios.

use std::path::Path;

use super::{
    Scenario,
    resolve::{Sources, resolve},
};

/// One tenant, one step, replicas `a` and `b`.
pub const SCENARIO: &str = r#"
version = 1
name = "test"
[[tenant]]
id = "acme"
[[journey]]
name = "chat"
[[journey.step]]
post = "/chat"
status = [200, 429]
[[load]]
rate = "10/s"
duration = "10s"
"#;

/// Resolves a scenario that must be valid.
pub fn scenario(text: &str) -> Scenario {
    let read_file = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let sources = Sources { read_file: &read_file, environment: None };
    resolve(text, "test.toml", &sources).unwrap_or_else(|problems| panic!("{problems}"))
}
