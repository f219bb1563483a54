//! Guesses the metrics contract of a service from its exposition: which series counts its requests, which
//! label holds what, and which library wrote it. Guesses are ranked, and come with reasons and with what an
//! exposition cannot show.

mod families;
mod table;

use self::families::{Family, Kind, Role, families};
use saasbench_exposition::Exposition;
use saasbench_model::scenario::{DurationUnit, MetricsContract, Preset, Statuses, is_status_class};

/// A contract that would fit an exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The library that probably wrote it.
    pub preset: Option<Preset>,
    /// The contract.
    pub contract: MetricsContract,
    /// The reasons for it.
    pub reasons: Vec<String>,
    /// What the exposition does not show.
    pub unsure: Vec<String>,
    /// What the exposition lacks: claims about it will not be checked.
    pub missing: Vec<String>,
    /// Further keys that the exposition would allow, with their values.
    pub offers: Vec<(&'static str, String)>,
    /// Its points.
    score: i32,
}

/// The fewest points of a counter of requests: a route and a status, or as much.
const LEAST: i32 = 8;
/// Proposals at most.
const MOST: usize = 3;

/// Proposes contracts for an exposition, the likeliest first; none where nothing counts requests by route or
/// status. `path` is where the exposition was found on the service, if it was.
pub fn guess(page: &Exposition, path: Option<&str>) -> Vec<Proposal> {
    let families = families(page);
    let mut ranked: Vec<(i32, &Family<'_>)> = families
        .iter()
        .map(|family| (points(family), family))
        .filter(|(points, _)| *points >= LEAST)
        .collect();
    ranked.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.name.cmp(&other.name)));
    let proposals = ranked.into_iter().take(MOST);
    let propose = |(score, requests)| Proposal { score, ..propose(&families, requests, page, path) };
    let mut proposals: Vec<Proposal> = proposals.map(propose).collect();
    // A family that another proposal uses for durations, or by tenant, is no alternative to it.
    let first = proposals.first().map(|first| first.contract.clone());
    proposals.retain(|proposal| {
        first.as_ref().is_none_or(|first| {
            let name = &proposal.contract.requests;
            let part = [&first.duration, &first.tenant_duration].into_iter().flatten();
            *name == first.requests
                || !(Some(name) == first.tenant_requests.as_ref()
                    || part.clone().any(|part| *name == format!("{part}_count")))
        })
    });
    proposals
}

/// How much a family looks like a server's counter of requests.
fn points(family: &Family<'_>) -> i32 {
    if family.kind == Kind::Gauge || family.mentions(&SIZES) || family.mentions(&UNDER_WAY) {
        return 0;
    }
    let has = |role| i32::from(family.label(role).is_some());
    let says = |words: &[&str]| i32::from(family.mentions(words));
    4 * has(Role::Route) + 4 * has(Role::Status) + 2 * has(Role::Method) - 3 * has(Role::Tenant)
        + 2 * i32::from(family.kind == Kind::Counter)
        + 2 * says(&["http"])
        + 2 * says(&["request"])
        - 10 * says(&["client", "outgoing", "upstream", "egress", "grpc", "redis", "sql", "db_"])
}

/// The contract around a counter of requests.
fn propose(
    families: &[Family<'_>],
    requests: &Family<'_>,
    page: &Exposition,
    path: Option<&str>,
) -> Proposal {
    let label = |role| requests.label(role).map(str::to_owned);
    let mut found = Surroundings { families, requests, unsure: Vec::new(), missing: Vec::new() };
    let tenant_requests = found.tenant_requests();
    let tenant_label =
        label(Role::Tenant).or_else(|| tenant_requests?.label(Role::Tenant).map(str::to_owned));
    let duration = found.duration();
    let mut contract = MetricsContract {
        requests: requests.counter(),
        duration: duration.map(|family| family.name.clone()),
        duration_all: found.duration_all(duration).map(|family| family.name.clone()),
        tenant_requests: tenant_requests.map(Family::counter),
        tenant_duration: found.tenant_duration().map(|family| family.name.clone()),
        in_progress: found.in_progress().map(|family| family.name.clone()),
        request_size: found.size("request").map(|family| family.name.clone()),
        response_size: found.size("response").map(|family| family.name.clone()),
        route_label: label(Role::Route),
        method_label: label(Role::Method),
        status_label: label(Role::Status),
        statuses: found.statuses(),
        duration_unit: found.unit(duration),
        ..Preset::Tenancy.contract()
    };
    let preset = Preset::ALL.into_iter().find(|preset| is(*preset, &contract));
    let habits = preset.unwrap_or(Preset::Tenancy).contract();
    contract.tenant_label = tenant_label.or(habits.tenant_label.clone());
    contract.path = path.map_or_else(|| habits.path.clone(), str::to_owned);
    contract.ignore = found.ignore(&habits, &contract.path);
    contract.clock_stops_before_response = preset.is_some() && habits.clock_stops_before_response;
    let mut reasons = vec![reason(requests, &contract)];
    let mut offers = Vec::new();
    match preset {
        Some(preset) => {
            reasons.push(format!("these are the names of `{}`", preset.name()));
            offers = found.keep_to(preset, &mut contract, page);
        }
        None => found.doubt(&contract),
    }
    found.note_missing(&contract);
    let Surroundings { unsure, missing, .. } = found;
    Proposal { preset, contract, reasons, unsure, missing, offers, score: 0 }
}

/// Whether a contract is a library's: the counter and its labels are, and for the reference server the
/// tenants, too.
fn is(preset: Preset, contract: &MetricsContract) -> bool {
    let of = preset.contract();
    let same_labels = [
        (&of.route_label, &contract.route_label),
        (&of.method_label, &contract.method_label),
        (&of.status_label, &contract.status_label),
    ]
    .iter()
    .all(|(library, page)| page.is_none() || library == page);
    of.requests == contract.requests
        && same_labels
        && (preset != Preset::Tenancy || of.tenant_requests == contract.tenant_requests)
}

/// The reason for a counter.
fn reason(requests: &Family<'_>, contract: &MetricsContract) -> String {
    let roles = [
        ("the route", &contract.route_label),
        ("the method", &contract.method_label),
        ("the status", &contract.status_label),
    ];
    let shown: Vec<String> = roles
        .iter()
        .filter_map(|(role, label)| label.as_ref().map(|label| format!("{role} in {label:?}")))
        .collect();
    format!("{} has {}", requests.counter(), shown.join(", "))
}

/// What is found around a counter, and notes about it.
struct Surroundings<'a, 'p> {
    families: &'a [Family<'p>],
    requests: &'a Family<'p>,
    unsure: Vec<String>,
    missing: Vec<String>,
}

const DURATIONS: [&str; 6] = ["duration", "latency", "seconds", "milliseconds", "_ms", "time"];
const SIZES: [&str; 4] = ["size", "bytes", "length", "_created"];
const UNDER_WAY: [&str; 6] = ["inprogress", "in_progress", "in_flight", "inflight", "active", "pending"];

impl<'a, 'p> Surroundings<'a, 'p> {
    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &'a Family<'p>> + use<'a, 'p> {
        self.families.iter().filter(move |family| family.kind == kind)
    }

    /// Families of durations with the same routes; the counter's own family is preferred.
    fn duration(&mut self) -> Option<&'a Family<'p>> {
        let route = self.requests.label(Role::Route);
        let fits = |family: &&Family<'p>| {
            family.mentions(&DURATIONS)
                && !family.mentions(&SIZES)
                && !family.mentions(&UNDER_WAY)
                && family.label(Role::Route) == route
                && family.label(Role::Tenant).is_none_or(|_| self.requests.label(Role::Tenant).is_some())
                && (route.is_some() || !family.labels.is_empty())
        };
        let likeness = |family: &&'a Family<'p>| {
            let shared =
                family.labels.keys().filter(|label| self.requests.labels.contains_key(*label)).count();
            (family.name == self.requests.name, shared, common(&family.name, &self.requests.name))
        };
        let found = self.of_kind(Kind::Histogram).filter(fits).max_by_key(likeness);
        let without_buckets = self.of_kind(Kind::Summary).filter(fits).max_by_key(likeness);
        if let (None, Some(summary)) = (found, without_buckets) {
            self.missing.push(format!("buckets: {} has only _sum and _count", summary.name));
        }
        found
    }

    /// A histogram of all durations, without labels.
    fn duration_all(&self, duration: Option<&Family<'_>>) -> Option<&'a Family<'p>> {
        let fits = |family: &&Family<'p>| {
            family.labels.is_empty()
                && family.mentions(&["http", "request"])
                && family.mentions(&DURATIONS)
                && !family.mentions(&SIZES)
                && duration.is_none_or(|duration| duration.name != family.name)
        };
        self.of_kind(Kind::Histogram).find(fits)
    }

    fn tenant_requests(&self) -> Option<&'a Family<'p>> {
        if self.requests.label(Role::Tenant).is_some() {
            return Some(self.requests);
        }
        let fits =
            |family: &&Family<'p>| family.label(Role::Tenant).is_some() && family.mentions(&["request"]);
        self.of_kind(Kind::Counter).find(fits)
    }

    fn tenant_duration(&self) -> Option<&'a Family<'p>> {
        let fits = |family: &&Family<'p>| {
            family.label(Role::Tenant).is_some() && family.mentions(&DURATIONS) && !family.mentions(&SIZES)
        };
        self.of_kind(Kind::Histogram).find(fits)
    }

    fn in_progress(&self) -> Option<&'a Family<'p>> {
        let fits = |family: &&Family<'p>| {
            family.mentions(&UNDER_WAY)
                && family.mentions(&["request"])
                && !family.mentions(&["client", "_max"])
        };
        self.of_kind(Kind::Gauge).find(fits)
    }

    /// The family of the bytes of requests or responses.
    fn size(&self, of: &str) -> Option<&'a Family<'p>> {
        let fits = |family: &&&'a Family<'p>| {
            family.mentions(&[of]) && family.mentions(&SIZES) && !family.mentions(&["client"])
        };
        let all: Vec<&'a Family<'p>> =
            self.families.iter().filter(|f| matches!(f.kind, Kind::Histogram | Kind::Summary)).collect();
        all.iter().find(fits).copied()
    }

    fn statuses(&mut self) -> Statuses {
        let status = self.requests.label(Role::Status);
        let mut values = self.requests.values(status).filter(|value| !value.is_empty()).peekable();
        if values.peek().is_some() && values.all(is_status_class) {
            Statuses::Grouped
        } else {
            Statuses::Exact
        }
    }

    /// The unit of durations, by name, otherwise by the bounds: a server's buckets in seconds do not exceed a
    /// minute.
    fn unit(&mut self, duration: Option<&Family<'_>>) -> DurationUnit {
        let Some(duration) = duration else { return DurationUnit::Seconds };
        if duration.mentions(&["milliseconds", "_ms", "millis"]) {
            return DurationUnit::Milliseconds;
        }
        if duration.mentions(&["seconds"]) {
            return DurationUnit::Seconds;
        }
        let (unit, shown) = if duration.greatest > 120.0 {
            (DurationUnit::Milliseconds, "ms")
        } else {
            (DurationUnit::Seconds, "s")
        };
        self.unsure.push(format!(
            "the unit of {}: its name does not show it; by its greatest bound, {}, it is {shown}",
            duration.name, duration.greatest
        ));
        unit
    }

    /// Routes of monitoring: the library's, the exposition's own, and what looks like a probe.
    fn ignore(&self, habits: &MetricsContract, path: &str) -> Vec<String> {
        const PROBES: [&str; 9] =
            ["/metrics", "/health", "/healthz", "/livez", "/readyz", "/ready", "/live", "/ping", "/status"];
        let mut ignore = habits.ignore.clone();
        let routes = self.requests.values(self.requests.label(Role::Route));
        let probes = routes.filter(|route| PROBES.contains(route) || route.starts_with("/actuator/"));
        for route in probes.chain([path]) {
            if !ignore.iter().any(|known| known == route) {
                ignore.push(route.to_owned());
            }
        }
        ignore
    }

    /// Uses the library's contract where the exposition does not contradict it; optional parts are only
    /// offered.
    fn keep_to(
        &mut self,
        preset: Preset,
        contract: &mut MetricsContract,
        page: &Exposition,
    ) -> Vec<(&'static str, String)> {
        let of = preset.contract();
        let mut offers = Vec::new();
        // A name without series may get some; durations without buckets never will.
        let family = |name: &str| self.families.iter().find(|family| family.name == name);
        let has_no_buckets = |name: &str| {
            family(name).is_some_and(|family| family.kind == Kind::Summary && family.mentions(&DURATIONS))
        };
        let seen =
            |name: &str| !has_no_buckets(name) && (page.types.contains_key(name) || family(name).is_some());
        let pairs = [
            ("duration", &of.duration, &mut contract.duration),
            ("duration_all", &of.duration_all, &mut contract.duration_all),
            ("in_progress", &of.in_progress, &mut contract.in_progress),
            ("request_size", &of.request_size, &mut contract.request_size),
            ("response_size", &of.response_size, &mut contract.response_size),
        ];
        for (key, library, guessed) in pairs {
            match (library, guessed.take()) {
                (Some(name), _) if seen(name) => *guessed = Some(name.clone()),
                (Some(name), _) if has_no_buckets(name) => {}
                (Some(name), _) => {
                    self.unsure.push(format!(
                        "{name} is not in the exposition: it may be switched off, or appear with the first request"
                    ));
                }
                (None, Some(name)) => offers.push((key, name)),
                (None, None) => {}
            }
        }
        for (library, guessed) in [
            (&of.route_label, &mut contract.route_label),
            (&of.method_label, &mut contract.method_label),
            (&of.status_label, &mut contract.status_label),
        ] {
            *guessed = library.clone();
        }
        if self.requests.values(of.status_label.as_deref()).next().is_none() {
            contract.statuses = of.statuses;
        }
        offers
    }

    /// What no exposition shows of a service that no preset fits.
    fn doubt(&mut self, contract: &MetricsContract) {
        self.unsure.push(
            "where the server's clock stops: if always before the last byte is sent, `clock_stops_before_response = true` \
             lets latencies be compared with clients'"
                .to_owned(),
        );
        if contract.route_label.is_some() {
            self.unsure.push(
                "the route label of a path that no route matches: give it in `routes` if a step requests one"
                    .to_owned(),
            );
        }
        self.unsure.push("which paths only monitoring requests: they belong into `ignore`".to_owned());
    }

    fn note_missing(&mut self, contract: &MetricsContract) {
        let parts: [(&str, bool); 6] = [
            (
                "a label with the route: requests of all routes are counted together, scrapes too",
                contract.route_label.is_some(),
            ),
            ("a label with the method", contract.method_label.is_some()),
            ("a label with the status", contract.status_label.is_some()),
            ("a histogram of durations", contract.duration.is_some()),
            ("a counter of requests by tenant", contract.tenant_requests.is_some()),
            ("a start time of the process: restarts show by decreasing counters only", {
                self.families.iter().any(|family| family.name == saasbench_record::observations::START_TIME)
            }),
        ];
        let missing = parts.iter().filter(|(_, there)| !there).map(|(part, _)| (*part).to_owned());
        self.missing.extend(missing);
    }
}

/// Length of the common prefix of two names.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
