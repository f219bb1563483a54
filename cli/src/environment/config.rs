//! `saasbench.toml`: named environments.
//!
//! ```toml
//! [environment.compose]
//! replicas = { api1 = "http://127.0.0.1:8005", api2 = "http://127.0.0.1:8006" }
//! instances = { api1 = "api1:8005", api2 = "api2:8006" }
//! prometheus = "http://127.0.0.1:9090"
//! redis = "redis://127.0.0.1:6379"
//! exclusive = true
//! fresh = false
//! metrics = { preset = "micrometer" }
//! ```

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::input;

use super::{
    EnvironmentError,
    access::{PrometheusConfig, text_or_table},
    option_duration,
};

/// The file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The environments by name.
    #[serde(default)]
    pub environment: BTreeMap<String, EnvironmentConfig>,
}

/// One environment, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// Base URL of each replica by its name; replicas are numbered in the order of their names.
    pub replicas: BTreeMap<String, String>,
    /// Prometheus's `instance` label of a replica, where it is not the host and port of its URL.
    #[serde(default)]
    pub instances: BTreeMap<String, String>,
    /// Prometheus's base URL, or a table with its options.
    #[serde(default, deserialize_with = "text_or_table")]
    pub prometheus: Option<PrometheusConfig>,
    /// URL of the limiter's Redis, watched for restarts.
    pub redis: Option<String>,
    /// Whether no one else uses it during a run.
    #[serde(default)]
    pub exclusive: bool,
    /// Whether its limiters and sessions are empty when a run starts.
    #[serde(default)]
    pub fresh: bool,
    /// Whether any certificate is accepted.
    #[serde(default)]
    pub insecure: bool,
    /// A PEM file with the authorities that are trusted in place of the system's.
    pub ca_file: Option<String>,
    /// Offset between two of its clocks.
    #[serde(default, with = "option_duration")]
    pub clock_offset: Option<std::time::Duration>,
    /// Drift between two of its clocks in parts per million.
    pub clock_drift_ppm: Option<f64>,
    /// Deviations from the scenario's `[metrics]`, parsed by the same code.
    pub metrics: Option<toml::Table>,
}

/// Checks that `file`, if it exists, has no environment `name`, which would be ambiguous.
///
/// # Errors
/// When it has, or cannot be read.
pub fn reserve(name: &str, file: &Path) -> Result<(), EnvironmentError> {
    let shown = file.display().to_string();
    let text = match input::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(EnvironmentError::Usage {
                message: format!("cannot read {shown}: {error}"),
                hint: "name another file with --config".to_owned(),
            });
        }
    };
    match read(&text, &shown)?.environment.contains_key(name) {
        false => Ok(()),
        true => Err(EnvironmentError::Usage {
            message: format!(
                "{shown} has an environment `{name}`, which is the name of the stack that saasbench starts"
            ),
            hint: "give it another name".to_owned(),
        }),
    }
}

fn read(text: &str, file: &str) -> Result<ConfigFile, EnvironmentError> {
    toml::from_str(text).map_err(|error| EnvironmentError::Usage {
        message: format!("{file}: {}", error.to_string().trim_end()),
        hint: "docs/environments.md shows every key".to_owned(),
    })
}

/// Finds the environment `name` in the text of `saasbench.toml`.
///
/// # Errors
/// When the text is not a valid `saasbench.toml`, or does not define the environment.
pub fn find(text: &str, file: &str, name: &str) -> Result<EnvironmentConfig, EnvironmentError> {
    let config = read(text, file)?;
    let environment = config.environment.get(name).cloned().ok_or_else(|| EnvironmentError::Usage {
        message: format!("{file} has no environment `{name}`"),
        hint: match config.environment.keys().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => format!("add one: [environment.{name}]"),
            names => format!("it has {}", names.join(", ")),
        },
    })?;
    if environment.replicas.is_empty() {
        return Err(EnvironmentError::Usage {
            message: format!("{file}: environment `{name}` has no replicas"),
            hint: "add one: replicas = { a = \"http://127.0.0.1:8005\" }".to_owned(),
        });
    }
    if let Some(unknown) = environment.instances.keys().find(|key| !environment.replicas.contains_key(*key)) {
        return Err(EnvironmentError::Usage {
            message: format!(
                "{file}: environment `{name}`: `instances` names `{unknown}`, which is not a replica"
            ),
            hint: format!(
                "its replicas are {}",
                environment.replicas.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        });
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_valid() {
        let text = include_str!("../../../saasbench.toml");
        let compose = find(text, "saasbench.toml", "compose").unwrap();
        assert_eq!(compose.replicas["api2"], "http://127.0.0.1:8006");
        assert!(compose.exclusive && !compose.fresh);
    }

    #[test]
    fn mistakes_are_reported_with_hints() {
        let table = [
            ("[environment.x]\nreplica = {}", "x"),
            ("[environment.x]\nreplicas = {}", "x"),
            ("[environment.x]\nreplicas = { a = \"http://h\" }\ninstances = { b = \"h:1\" }", "x"),
            ("[environment.x]\nreplicas = { a = \"http://h\" }\nclock_offset = \"5\"", "x"),
            (
                "[environment.x]\nreplicas = { a = \"http://h\" }\n[environment.y]\nreplicas = { a = \"http://h\" }",
                "z",
            ),
            ("", "z"),
            ("environment = ", "x"),
        ];
        let mut all = String::new();
        for (text, name) in table {
            let error = find(text, "saasbench.toml", name).unwrap_err();
            all += &format!("{error}\n  hint: {}\n\n", error.hint().unwrap());
        }
        insta::assert_snapshot!(all);
    }
}
