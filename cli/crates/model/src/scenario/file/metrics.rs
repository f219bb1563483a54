//! `[metrics]` as written, in a scenario or for an environment.

use toml::de::DeTable;

use super::{
    read::{Field, Header, Located, Table},
    shapes::METRICS,
    values::one_or_more,
};
use crate::{
    scenario::{
        DurationUnit, Preset, Statuses,
        notation::{self, Complaint},
        problem::{Problem, Span, quoted},
    },
    units::Nanos,
};

/// `[metrics]`
#[derive(Debug)]
pub(in crate::scenario) struct Metrics {
    pub(in crate::scenario) header: Header,
    pub(in crate::scenario) enabled: Field<bool>,
    pub(in crate::scenario) preset: Field<Preset>,
    pub(in crate::scenario) path: Field<String>,
    pub(in crate::scenario) interval: Field<Nanos>,
    pub(in crate::scenario) settle: Field<Nanos>,
    /// Names of series and labels, by key.
    pub(in crate::scenario) names: Vec<(&'static str, Field<String>)>,
    pub(in crate::scenario) statuses: Field<Statuses>,
    pub(in crate::scenario) duration_unit: Field<DurationUnit>,
    /// Routes with the values of their route label.
    pub(in crate::scenario) routes: Vec<(Located<String>, Located<String>)>,
    pub(in crate::scenario) ignore: Field<Vec<Located<String>>>,
    pub(in crate::scenario) tenantless: Field<Vec<Located<String>>>,
    pub(in crate::scenario) clock_stops_before_response: Field<bool>,
    pub(in crate::scenario) unseen: Field<Nanos>,
    pub(in crate::scenario) scrape_within: Field<Nanos>,
    pub(in crate::scenario) body_size_limit: Field<u64>,
}

impl Metrics {
    /// The keys that name a series; the first is mandatory.
    const SERIES: [&str; 8] = [
        "requests",
        "duration",
        "duration_all",
        "tenant_requests",
        "tenant_duration",
        "in_progress",
        "request_size",
        "response_size",
    ];
    /// The keys that name a label.
    const LABELS: [&str; 4] = ["route_label", "method_label", "status_label", "tenant_label"];

    /// Reads a table at `span` of a file of another kind.
    pub(in crate::scenario) fn of_table(table: &DeTable<'_>, span: Span, found: &mut Vec<Problem>) -> Self {
        Self::read(Table::open(&METRICS, span, table, found), found)
    }

    pub(super) fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        let series = Self::SERIES.into_iter().enumerate().map(|(i, key)| (key, i >= 1, true));
        let labels = Self::LABELS.into_iter().map(|key| (key, true, false));
        let names = series.chain(labels).map(|(key, may_be_empty, colons)| {
            (key, table.parsed(key, found, |text| notation::metric_name(text, may_be_empty, colons)))
        });
        let names = names.collect();
        Self {
            names,
            enabled: table.boolean("enabled", found),
            preset: table.parsed("preset", found, preset),
            path: table.parsed("path", found, notation::plain_path),
            interval: table.parsed("interval", found, notation::positive_duration),
            settle: table.parsed("settle", found, notation::positive_duration),
            statuses: table.parsed("statuses", found, statuses),
            duration_unit: table.parsed("duration_unit", found, duration_unit),
            routes: table.texts("routes", found),
            ignore: one_or_more(&table, "ignore", found),
            tenantless: one_or_more(&table, "tenantless", found),
            clock_stops_before_response: table.boolean("clock_stops_before_response", found),
            unseen: table.parsed("client_overhead", found, notation::duration),
            scrape_within: table.parsed("scrape_within", found, notation::positive_duration),
            body_size_limit: table.parsed("body_size_limit", found, notation::size),
            header: table.header,
        }
    }
}

fn preset(text: &str) -> Result<Preset, Complaint> {
    let names: Vec<String> = Preset::ALL.iter().map(|preset| quoted(preset.name())).collect();
    let known = Preset::ALL.into_iter().find(|preset| preset.name() == text);
    known
        .ok_or_else(|| Complaint::new("there is no such preset", format!("presets are {}", names.join(", "))))
}

fn statuses(text: &str) -> Result<Statuses, Complaint> {
    match text {
        "exact" => Ok(Statuses::Exact),
        "grouped" => Ok(Statuses::Grouped),
        _ => Err(Complaint::new("statuses are not written so", "\"exact\" is 404, \"grouped\" is 4xx")),
    }
}

fn duration_unit(text: &str) -> Result<DurationUnit, Complaint> {
    match text {
        "s" => Ok(DurationUnit::Seconds),
        "ms" => Ok(DurationUnit::Milliseconds),
        _ => Err(Complaint::new("durations are not counted in this", "units are \"s\" and \"ms\"")),
    }
}
