//! What is meant, as data: units, scenarios, the plan of a load, and what of a text may be shown.
//!
//! [`scenario`] reads a TOML file (as written) and resolves it to a checked [`scenario::Scenario`] (as
//! meant), with every mistake reported at its place; [`plan`] is the arithmetic of a load: when an arrival is
//! due, which step and which data it has; [`units`] are instants, rates and quotas; [`redact`] keeps secrets
//! out of what is shown.
//!
//! Neighbours: every other crate builds on this one, and it builds on none of ours. It is pure: no clock, no
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
//! let sources = Sources { read_file: &|path: &std::path::Path| std::fs::read_to_string(path), environment: None };
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
pub mod scenario;
pub mod units;
