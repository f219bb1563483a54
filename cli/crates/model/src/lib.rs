//! The data model: units, scenarios, the plan of a load, and redaction of secrets in texts.
//!
//! [`scenario`] parses a TOML file and resolves it to a validated [`scenario::Scenario`], reporting every
//! mistake with its place; [`plan`] is the arithmetic of a load: when an arrival is due, which step it runs,
//! and with which data; [`units`] are instants, rates and quotas; [`redact`] keeps secrets out of URLs
//! and of everything that is recorded, written and printed, and [`safe_text`] makes text of others safe to show.
//!
//! Related crates: most others build on this one, and it depends on none of them. It is pure: no clock, no
//! runtime, no command line.
//!
//! ```
//! use saasbench_model::scenario::resolve::{Sources, resolve};
//!
//! let text = r#"
//! version = 1
//! [[tenant]]
//! id = "acme"
//! [[journey]]
//! name = "read"
//! [[journey.step]]
//! get = "/items"
//! [[load]]
//! journey = "read"
//! rate = "20/s"
//! duration = "5s"
//! "#;
//! let read_file = |path: &std::path::Path| std::fs::read_to_string(path);
//! let sources = Sources { read_file: &read_file, environment: None };
//! let scenario = resolve(text, "read.toml", &sources)?;
//! assert_eq!(scenario.name, "read");
//! assert_eq!(scenario.steps[0].route, "GET /items");
//!
//! let problems = resolve(&text.replace("20/s", "20"), "read.toml", &sources).unwrap_err();
//! assert_eq!(problems.iter().count(), 1);
//! # Ok::<(), saasbench_model::scenario::problem::Problems>(())
//! ```

pub mod plan;
pub mod redact;
pub mod safe_text;
pub mod scenario;
pub mod units;
