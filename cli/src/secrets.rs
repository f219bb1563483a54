//! The secrets of this process, collected where they are read: variables of scenarios and environments,
//! passwords in URLs. Everything that is recorded, written and printed passes through their one redactor.

use std::sync::{LazyLock, PoisonError, RwLock};

use saasbench_model::{
    redact::secrets::{Redactor, of_url},
    scenario::Scenario,
};
use saasbench_record::manifest::ScenarioText;

static KNOWN: LazyLock<RwLock<Redactor>> = LazyLock::new(RwLock::default);

/// Replaces these values from now on, each by its placeholder.
pub fn protect(secrets: impl IntoIterator<Item = (String, String)>) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    *known = known.with(secrets);
}

/// Replaces what is secret in a URL.
pub fn protect_url(url: &str) {
    let secrets = of_url(url);
    if !secrets.is_empty() {
        protect(secrets.into_iter().map(|secret| (secret, "***".to_owned())));
    }
}

/// Replaces the variables `${env:NAME}` of a scenario. What stands in the scenario itself is no secret: the record
/// has its text, and the checks need its names.
pub fn protect_scenario(scenario: &Scenario, text: &ScenarioText) {
    let is_open =
        |value: &str| text.text.contains(value) || text.files.values().any(|text| text.contains(value));
    let values = scenario.secrets().into_iter().filter_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !is_open(value))?;
        Some((value, format!("${{env:{name}}}")))
    });
    protect(values);
}

/// The redactor of everything that is known by now.
pub fn redactor() -> Redactor {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).clone()
}
