//! Formats a proposal as a `[metrics]` table that can be pasted into a scenario, with its notes as comments.

use std::fmt;

use super::Proposal;
use saasbench_model::scenario::{DurationUnit, MetricsContract, Preset, Statuses};

/// The keys that differ from another contract, with their values as TOML.
fn differing(contract: &MetricsContract, base: &MetricsContract) -> Vec<(&'static str, String)> {
    let name = |name: &Option<String>| quoted(name.as_deref().unwrap_or_default());
    let list = |paths: &[String]| {
        format!("[{}]", paths.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", "))
    };
    let keys = |of: &MetricsContract| {
        [
            ("path", quoted(&of.path)),
            ("requests", quoted(&of.requests)),
            ("duration", name(&of.duration)),
            ("duration_unit", quoted(if of.duration_unit == DurationUnit::Seconds { "s" } else { "ms" })),
            ("duration_all", name(&of.duration_all)),
            ("tenant_requests", name(&of.tenant_requests)),
            ("tenant_duration", name(&of.tenant_duration)),
            ("in_progress", name(&of.in_progress)),
            ("request_size", name(&of.request_size)),
            ("response_size", name(&of.response_size)),
            ("route_label", name(&of.route_label)),
            ("method_label", name(&of.method_label)),
            ("status_label", name(&of.status_label)),
            ("statuses", quoted(if of.statuses == Statuses::Exact { "exact" } else { "grouped" })),
            ("tenant_label", name(&of.tenant_label)),
            ("ignore", list(&of.ignore)),
            ("clock_stops_before_response", of.clock_stops_before_response.to_string()),
        ]
    };
    let pairs = keys(contract).into_iter().zip(keys(base));
    pairs.filter(|(own, other)| own != other).map(|(own, _)| own).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remarks = [("because", &self.reasons), ("unsure", &self.unsure), ("missing", &self.missing)];
        for (kind, lines) in remarks {
            for line in lines {
                writeln!(f, "# {kind}: {line}")?;
            }
        }
        writeln!(f, "[metrics]")?;
        if let Some(preset) = self.preset {
            writeln!(f, "preset = {}", quoted(preset.name()))?;
        }
        for (key, value) in differing(&self.contract, &self.preset.unwrap_or(Preset::Tenancy).contract()) {
            writeln!(f, "{key} = {value}")?;
        }
        for (key, value) in &self.offers {
            writeln!(f, "# {key} = {}", quoted(value))?;
        }
        Ok(())
    }
}
