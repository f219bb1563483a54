//! A scenario as written: the contents of the TOML file's keys, each with its place.
//!
//! Everything that can be checked for one key by itself is checked here (unknown keys, wrong types, bad
//! notation); what needs other parts of the file (missing keys, names, combinations) is left to `resolve`.

mod capacity;
mod http;
mod journeys;
mod metrics;
mod read;
mod shapes;
mod values;

use toml::de::DeTable;

pub(super) use capacity::Capacity;
pub(super) use http::Http;
pub use journeys::METHODS;
pub(super) use journeys::{Auth, Check, Feeder, Journey, Place, Saved, Step, Texts, When};
pub(super) use metrics::Metrics;
use read::Table;
pub(super) use read::{Field, Header, Located, Value, in_order, unknown, whole};
use shapes::{
    ALERT, CAPACITY, EMBEDDED, EXPECT, FEEDER, FILE, HTTP, JOURNEY, LIMIT, LOAD, METRICS, NEIGHBOURS,
    SERVICE, STAGE, TENANT, WHERE,
};
pub use shapes::{Kind, SHAPES, Shape};

use super::{
    Algorithm, Anchor, Estimate, Pause, Refill, Retry, Routing, Spacing, StatusSet,
    expectation::{self, Comparison, Measure},
    notation,
    problem::Problem,
    promql::{self, At},
};
use crate::units::{Nanos, Quota, Rate};
use values::{
    algorithm, anchor, estimate, labels, mixed, number, one_or_more, quotas, refill, retry, routing, spacing,
    statuses,
};

/// The whole file.
#[derive(Debug)]
pub(super) struct File<'t> {
    pub(super) header: Header,
    pub(super) version: Field<u64>,
    pub(super) name: Field<String>,
    pub(super) about: Field<String>,
    pub(super) seed: Field<u64>,
    pub(super) timeout: Field<Nanos>,
    pub(super) warmup: Field<Nanos>,
    pub(super) tenants: Vec<Tenant>,
    pub(super) feeders: Vec<Feeder>,
    pub(super) journeys: Vec<Journey<'t>>,
    pub(super) loads: Vec<Load>,
    pub(super) limits: Vec<Limit>,
    pub(super) expectations: Vec<Expect>,
    pub(super) alerts: Vec<Alert>,
    pub(super) neighbours: Option<Neighbours>,
    pub(super) http: Option<Http>,
    pub(super) service_timeout: Field<Nanos>,
    pub(super) metrics: Option<Metrics>,
    pub(super) replicas: Field<u64>,
    pub(super) embedded_tenants: Field<String>,
    pub(super) embedded_prometheus: Field<bool>,
    pub(super) capacity: Option<Capacity>,
}

/// `[[tenant]]`
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) header: Header,
    pub(super) id: Field<String>,
    pub(super) pattern: Field<Vec<String>>,
    pub(super) file: Field<String>,
}

/// `[[load]]`
#[derive(Debug)]
pub(super) struct Load {
    pub(super) header: Header,
    pub(super) tenants: Field<Vec<Located<String>>>,
    pub(super) journey: Field<Vec<(Located<String>, u64)>>,
    pub(super) rate: Field<Rate>,
    pub(super) arrivals: Field<Spacing>,
    pub(super) max_users: Field<u64>,
    pub(super) users: Field<u64>,
    pub(super) spawn: Field<Rate>,
    pub(super) pause: Field<Pause>,
    pub(super) pacing: Field<Nanos>,
    pub(super) after: Field<Nanos>,
    pub(super) duration: Field<Nanos>,
    pub(super) stages: Field<Vec<Stage>>,
    pub(super) stop: Field<Nanos>,
    pub(super) iterations: Field<u64>,
    pub(super) replica: Field<Routing>,
    pub(super) retry: Field<Retry>,
}

/// `[[load.stages]]`
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) header: Header,
    pub(super) length: Field<Nanos>,
    pub(super) rate: Field<f64>,
    pub(super) users: Field<u64>,
    pub(super) jump: Field<bool>,
}

/// `[[limit]]`
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) header: Header,
    pub(super) route: Field<String>,
    pub(super) per: Field<String>,
    pub(super) algorithm: Field<Algorithm>,
    pub(super) quota: Field<Quotas>,
    pub(super) anchor: Field<Anchor>,
    pub(super) estimate: Field<Estimate>,
    pub(super) burst: Field<u64>,
    pub(super) refill: Field<Refill>,
    pub(super) admitted: Field<StatusSet>,
    pub(super) rejected: Field<StatusSet>,
    pub(super) resolution: Field<Nanos>,
    pub(super) atomic: Field<bool>,
}

/// `quota`
#[derive(Debug)]
pub(super) enum Quotas {
    /// One for every tenant.
    All(Quota),
    /// By tenant.
    Each(Vec<(Located<String>, Quota)>),
}

/// `[[expect]]`
#[derive(Debug)]
pub(super) struct Expect {
    pub(super) header: Header,
    pub(super) that: Field<(String, Measure, Comparison, f64)>,
    pub(super) promql: Field<String>,
    pub(super) is: Field<(String, Comparison, f64)>,
    pub(super) at: Field<At>,
    /// Place of `where`, if present.
    pub(super) filter: Option<Header>,
    pub(super) fresh: Field<bool>,
    pub(super) abort: Field<bool>,
    pub(super) tenant: Field<String>,
    pub(super) journey: Field<String>,
    pub(super) step: Field<String>,
}

/// `[[alert]]`
#[derive(Debug)]
pub(super) struct Alert {
    pub(super) header: Header,
    pub(super) name: Field<String>,
    /// By name; `None` for an invalid value.
    pub(super) labels: Vec<(String, Option<String>)>,
    pub(super) cause: Field<(Nanos, Nanos)>,
    pub(super) fires_within: Field<Nanos>,
    pub(super) resolves_within: Field<Nanos>,
    pub(super) silent: Field<bool>,
}

/// `[noisy_neighbour]`
#[derive(Debug)]
pub(super) struct Neighbours {
    pub(super) header: Header,
    pub(super) noisy: Field<Vec<Located<String>>>,
    pub(super) quiet: Field<(Nanos, Nanos)>,
    pub(super) flood: Field<(Nanos, Nanos)>,
    pub(super) victims: Field<Vec<Located<String>>>,
    pub(super) slower: Field<f64>,
    pub(super) goodput: Field<f64>,
    pub(super) grace: Field<Nanos>,
}

impl<'t> File<'t> {
    /// Reads the whole file; problems are added to `found`.
    pub(super) fn read(root: &'t DeTable<'t>, found: &mut Vec<Problem>) -> Self {
        let table = Table::open(&FILE, 0..0, root, found);
        let embedded = table.table("embedded", &EMBEDDED, found);
        let service = table.table("service", &SERVICE, found);
        let absent = || Field::Absent;
        Self {
            version: table.whole("version", 0, found),
            name: table.parsed("name", found, notation::file_label),
            about: table.text("description", found),
            seed: table.whole("seed", 0, found),
            timeout: table.parsed("timeout", found, notation::positive_duration),
            warmup: table.parsed("warmup", found, notation::duration),
            tenants: each(table.tables("tenant", &TENANT, found), found, Tenant::read),
            feeders: each(table.tables("feeder", &FEEDER, found), found, Feeder::read),
            journeys: each(table.tables("journey", &JOURNEY, found), found, Journey::read),
            loads: each(table.tables("load", &LOAD, found), found, Load::read),
            limits: each(table.tables("limit", &LIMIT, found), found, Limit::read),
            expectations: each(table.tables("expect", &EXPECT, found), found, Expect::read),
            alerts: each(table.tables("alert", &ALERT, found), found, Alert::read),
            neighbours: table
                .table("noisy_neighbour", &NEIGHBOURS, found)
                .map(|table| Neighbours::read(table, found)),
            http: table.table("http", &HTTP, found).map(|table| Http::read(&table, found)),
            service_timeout: service
                .map_or(Field::Absent, |table| table.parsed("timeout", found, notation::positive_duration)),
            metrics: table.table("metrics", &METRICS, found).map(|table| Metrics::read(table, found)),
            replicas: embedded.as_ref().map_or(Field::Absent, |table| table.whole("replicas", 1, found)),
            embedded_tenants: embedded.as_ref().map_or_else(absent, |table| table.text("tenants", found)),
            embedded_prometheus: embedded
                .as_ref()
                .map_or(Field::Absent, |table| table.boolean("prometheus", found)),
            capacity: table.table("capacity", &CAPACITY, found).map(|table| Capacity::read(&table, found)),
            header: table.header,
        }
    }
}

/// Reads several tables of one kind.
fn each<'t, T>(
    tables: Vec<Table<'t>>,
    found: &mut Vec<Problem>,
    read: impl Fn(Table<'t>, &mut Vec<Problem>) -> T,
) -> Vec<T> {
    tables.into_iter().map(|table| read(table, found)).collect()
}

impl Tenant {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            id: table.parsed("id", found, notation::label),
            pattern: table.parsed("pattern", found, |text| {
                let ids: Vec<String> = notation::tenant_pattern(text)?.collect();
                ids.first().map_or(Ok(String::new()), |id| notation::label(id))?;
                Ok(ids)
            }),
            file: table.text("file", found),
            header: table.header,
        }
    }
}

impl Load {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            tenants: one_or_more(&table, "tenant", found),
            journey: mixed(&table, "journey", found),
            rate: table.parsed("rate", found, notation::rate),
            arrivals: table.parsed("arrivals", found, spacing),
            max_users: table.whole("max_users", 1, found),
            users: table.whole("users", 1, found),
            spawn: table.parsed("spawn_rate", found, notation::rate),
            pause: table.parsed("think_time", found, notation::pause),
            pacing: table.parsed("pacing", found, notation::positive_duration),
            after: table.parsed("after", found, notation::duration),
            duration: table.parsed("duration", found, notation::positive_duration),
            stages: stages(&table, found),
            stop: table.parsed("graceful_stop", found, notation::duration),
            iterations: table.whole("iterations", 1, found),
            replica: routing(&table, "replica", found),
            retry: table.parsed("retry", found, retry),
            header: table.header,
        }
    }
}

/// The stages of a load, if it has any.
fn stages(table: &Table<'_>, found: &mut Vec<Problem>) -> Field<Vec<Stage>> {
    let stages = each(table.tables("stages", &STAGE, found), found, Stage::read);
    table.read("stages", found, |value, _| {
        let written = value.get_ref().as_array().map_or(1, |array| array.len());
        (stages.len() == written).then_some(stages)
    })
}

impl Stage {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            length: table.parsed("for", found, |text| {
                notation::positive_duration(text).map_err(|mut complaint| {
                    complaint.help.push_str("; for a value that is there at once, `jump = true`");
                    complaint
                })
            }),
            rate: table.parsed("rate", found, notation::rate_or_zero),
            users: table.whole("users", 0, found),
            jump: table.boolean("jump", found),
            header: table.header,
        }
    }
}

impl Limit {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            route: table.text("route", found),
            per: table.parsed("per", found, |text| match text {
                "tenant" => Ok(text.to_owned()),
                _ => Err(notation::Complaint::new("nothing else shares a quota", "write `per = \"tenant\"`")),
            }),
            algorithm: table.parsed("algorithm", found, algorithm),
            quota: quotas(&table, "quota", found),
            anchor: table.parsed("anchor", found, anchor),
            estimate: table.parsed("estimate", found, estimate),
            burst: table.whole("burst", 1, found),
            refill: table.parsed("refill", found, refill),
            admitted: statuses(&table, "admitted", found),
            rejected: statuses(&table, "rejected", found),
            resolution: table.parsed("resolution", found, notation::positive_duration),
            atomic: table.boolean("atomic", found),
            header: table.header,
        }
    }
}

impl Expect {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        let filter = table.table("where", &WHERE, found);
        let mut of = |key: &str| filter.as_ref().map_or(Field::Absent, |filter| filter.text(key, found));
        let (tenant, journey, step) = (of("tenant"), of("journey"), of("step"));
        let that = table.parsed("that", found, |text| {
            let (measure, comparison, bound) = expectation::parse(text)?;
            Ok((text.to_owned(), measure, comparison, bound))
        });
        Self {
            that,
            promql: table.parsed("promql", found, promql::query),
            is: table.parsed("is", found, promql::bound),
            at: table.parsed("at", found, promql::at),
            fresh: table.boolean("fresh", found),
            abort: table.boolean("abort_on_fail", found),
            tenant,
            journey,
            step,
            filter: filter.map(|filter| filter.header),
            header: table.header,
        }
    }
}

impl Alert {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            name: table.parsed("name", found, notation::label),
            labels: labels(&table, "labels", found),
            cause: table.parsed("cause", found, notation::span),
            fires_within: table.parsed("fires_within", found, notation::positive_duration),
            resolves_within: table.parsed("resolves_within", found, notation::positive_duration),
            silent: table.boolean("silent", found),
            header: table.header,
        }
    }
}

impl Neighbours {
    fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            noisy: one_or_more(&table, "noisy", found),
            quiet: table.parsed("quiet", found, notation::span),
            flood: table.parsed("flood", found, notation::span),
            victims: one_or_more(&table, "victims", found),
            slower: number(&table, "slower", 1.0..=1000.0, found),
            goodput: number(&table, "goodput", 0.0..=1.0, found),
            grace: table.parsed("grace", found, notation::duration),
            header: table.header,
        }
    }
}
