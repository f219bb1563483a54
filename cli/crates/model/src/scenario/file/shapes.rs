//! The known keys of every table, each with its type and an example. They decide which keys are accepted and
//! suggested, which `docs/scenario.md` must cover, and what the JSON Schema of scenarios contains.

use Kind::{
    Any, Boolean, Choice, Number, Quotas, Replica, SomeTables, Statuses, Table, TableOr, Tables, Text,
    TextByName, TextOrTableByName, Texts, Weights, Whole, Wholes,
};

/// The type of a key, as far as a schema can express it; notations within texts are left to the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A text or an array of texts.
    Texts,
    /// A whole number, at least this.
    Whole(u64),
    /// An array of whole numbers, each at least this.
    Wholes(u64),
    /// A number between the two.
    Number(u32, u32),
    /// True or false.
    Boolean,
    /// Any value.
    Any,
    /// A status, a class of them as text, or an array of these.
    Statuses,
    /// A name, or a table of names with their weights.
    Weights,
    /// A text, or a table of texts.
    Quotas,
    /// A routing policy, or the number of a replica, from 1.
    Replica,
    /// A table with user-chosen names and texts.
    TextByName,
    /// A table with user-chosen names, and texts or tables.
    TextOrTableByName(&'static Shape),
    /// A table.
    Table(&'static Shape),
    /// A table, or one of these texts; if the list is empty, any text.
    TableOr(&'static Shape, &'static [&'static str]),
    /// Tables.
    Tables(&'static Shape),
    /// One table or several.
    SomeTables(&'static Shape),
}

/// The keys that a table may have, each with its type and an example.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// The table's header: `[[load]]`.
    pub name: &'static str,
    /// Name, type and example.
    pub keys: &'static [(&'static str, Kind, &'static str)],
}

impl Shape {
    /// The example of a key; empty for an unknown one.
    pub(super) fn example(&self, key: &str) -> String {
        let example = self.keys.iter().find(|(name, ..)| *name == key).map(|(.., example)| *example);
        example.map_or_else(String::new, |example| format!("for example: {example}"))
    }

    /// The type of a key; `None` for an unknown one.
    pub(super) fn kind(&self, key: &str) -> Option<Kind> {
        self.keys.iter().find(|(name, ..)| *name == key).map(|(_, kind, _)| *kind)
    }
}

/// Every table with its keys, the file itself first.
pub const SHAPES: &[&Shape] = &[
    &FILE,
    &TENANT,
    &FEEDER,
    &JOURNEY,
    &START,
    &STEP,
    &AUTH,
    &CHECK,
    &SAVE,
    &WHEN,
    &LOAD,
    &STAGE,
    &LIMIT,
    &EXPECT,
    &WHERE,
    &ALERT,
    &NEIGHBOURS,
    &HTTP,
    &SERVICE,
    &METRICS,
    &EMBEDDED,
    &CAPACITY,
];

pub(super) const FILE: Shape = Shape {
    name: "the scenario",
    keys: &[
        ("version", Whole(0), "version = 1"),
        ("name", Text, "name = \"flood\""),
        ("description", Text, "description = \"acme floods two replicas\""),
        ("seed", Whole(0), "seed = 7"),
        ("timeout", Text, "timeout = \"10s\""),
        ("warmup", Text, "warmup = \"5s\""),
        ("tenant", Tables(&TENANT), "[[tenant]]"),
        ("feeder", Tables(&FEEDER), "[[feeder]]"),
        ("journey", Tables(&JOURNEY), "[[journey]]"),
        ("load", Tables(&LOAD), "[[load]]"),
        ("limit", Tables(&LIMIT), "[[limit]]"),
        ("expect", Tables(&EXPECT), "[[expect]]"),
        ("alert", Tables(&ALERT), "[[alert]]"),
        ("noisy_neighbour", Table(&NEIGHBOURS), "[noisy_neighbour]"),
        ("http", Table(&HTTP), "[http]"),
        ("service", Table(&SERVICE), "[service]"),
        ("metrics", Table(&METRICS), "[metrics]"),
        ("embedded", Table(&EMBEDDED), "[embedded]"),
        ("capacity", Table(&CAPACITY), "[capacity]"),
    ],
};
pub(super) const TENANT: Shape = Shape {
    name: "[[tenant]]",
    keys: &[
        ("id", Text, "id = \"acme\""),
        ("pattern", Text, "pattern = \"t-0001..t-1000\""),
        ("file", Text, "file = \"tenants.jsonl\""),
    ],
};
pub(super) const JOURNEY: Shape = Shape {
    name: "[[journey]]",
    keys: &[
        ("name", Text, "name = \"chat\""),
        ("cookies", Boolean, "cookies = true"),
        ("headers", TextByName, "headers = { X-Tenant-ID = \"${tenant}\" }"),
        ("auth", TableOr(&AUTH, &["none"]), "auth = { bearer = \"${env:TOKEN}\" }"),
        ("start", Tables(&START), "[[journey.start]]"),
        ("step", Tables(&STEP), "[[journey.step]]"),
    ],
};
pub(super) const START: Shape = Shape { name: "[[journey.start]]", keys: STEP.keys };
pub(super) const STEP: Shape = Shape {
    name: "[[journey.step]]",
    keys: &[
        ("get", Text, "get = \"/items/${id}\""),
        ("post", Text, "post = \"/chat\""),
        ("put", Text, "put = \"/items/${id}\""),
        ("patch", Text, "patch = \"/items/${id}\""),
        ("delete", Text, "delete = \"/items/${id}\""),
        ("head", Text, "head = \"/\""),
        ("options", Text, "options = \"/\""),
        ("name", Text, "name = \"foreign session\""),
        ("tenant", Text, "tenant = \"globex\""),
        ("route", Text, "route = \"/items/{id}\""),
        ("query", TextByName, "query = { q = \"${word}\" }"),
        ("headers", TextByName, "headers = { X-Tenant-ID = \"${tenant}\" }"),
        ("auth", TableOr(&AUTH, &["none"]), "auth = { basic = [\"${people.name}\", \"${env:PASSWORD}\"] }"),
        ("json", Any, "json = { message = \"msg-${n}\" }"),
        ("form", TextByName, "form = { name = \"${user}\" }"),
        ("body", Text, "body = \"number ${n}\""),
        ("status", Statuses, "status = [200, 429]"),
        ("check", SomeTables(&CHECK), "check = [{ json = \"/ok\", is = true }, { size = \"< 10kB\" }]"),
        ("save", TextOrTableByName(&SAVE), "save = { sid = \"/session_id\" }"),
        ("cross_tenant", Boolean, "cross_tenant = true"),
        ("weight", Whole(1), "weight = 3"),
        ("every", Whole(1), "every = 5"),
        ("when", TableOr(&WHEN, &[]), "when = \"sid\""),
        ("repeat", Whole(1), "repeat = 3"),
        ("think_time", Text, "think_time = \"1s..2s\""),
    ],
};
pub(super) const AUTH: Shape = Shape {
    name: "`auth`",
    keys: &[
        ("basic", Texts, "auth = { basic = [\"user\", \"${env:PASSWORD}\"] }"),
        ("bearer", Text, "auth = { bearer = \"${token}\" }"),
    ],
};
pub(super) const CHECK: Shape = Shape {
    name: "`check`",
    keys: &[
        ("json", Text, "check = { json = \"/ok\", is = true }"),
        ("header", Text, "check = { header = \"x-cache\", is = \"HIT\" }"),
        ("regex", Text, "check = { regex = 'id=(\\d+)', is = \"${id}\" }"),
        ("is", Any, "check = { json = \"/ok\", is = true }"),
        ("not", Any, "check = { json = \"/state\", not = \"failed\" }"),
        ("contains", Text, "check = { contains = \"welcome\" }"),
        ("matches", Text, "check = { json = \"/id\", matches = '^\\d+$' }"),
        ("size", Text, "check = { size = \"< 10kB\" }"),
    ],
};
pub(super) const SAVE: Shape = Shape {
    name: "`save`",
    keys: &[
        ("json", Text, "save = { sid = { json = \"/session_id\" } }"),
        ("header", Text, "save = { cart = { header = \"location\" } }"),
        ("regex", Text, "save = { csrf = { regex = 'token=(\\w+)' } }"),
    ],
};
pub(super) const WHEN: Shape = Shape {
    name: "`when`",
    keys: &[
        ("saved", Text, "when = { saved = \"state\", is = \"open\" }"),
        ("absent", Text, "when = { absent = \"sid\" }"),
        ("is", Text, "when = { saved = \"state\", is = \"open\" }"),
        ("not", Text, "when = { saved = \"state\", not = \"closed\" }"),
    ],
};
pub(super) const FEEDER: Shape = Shape {
    name: "[[feeder]]",
    keys: &[
        ("name", Text, "name = \"people\""),
        ("file", Text, "file = \"people.csv\""),
        ("order", Choice(&["sequential", "random", "unique"]), "order = \"unique\""),
    ],
};
pub(super) const LOAD: Shape = Shape {
    name: "[[load]]",
    keys: &[
        ("tenant", Texts, "tenant = [\"acme\", \"globex\"]"),
        ("journey", Weights, "journey = { chat = 3, browse = 1 }"),
        ("rate", Text, "rate = \"200/s\""),
        ("arrivals", Choice(&["constant", "poisson"]), "arrivals = \"poisson\""),
        ("max_users", Whole(1), "max_users = 1000"),
        ("users", Whole(1), "users = 50"),
        ("spawn_rate", Text, "spawn_rate = \"10/s\""),
        ("think_time", Text, "think_time = \"1s..3s\""),
        ("pacing", Text, "pacing = \"5s\""),
        ("after", Text, "after = \"5s\""),
        ("duration", Text, "duration = \"25s\""),
        (
            "stages",
            Tables(&STAGE),
            "stages = [{ for = \"30s\", users = 100 }, { for = \"1m\", users = 100 }]",
        ),
        ("graceful_stop", Text, "graceful_stop = \"30s\""),
        ("iterations", Whole(1), "iterations = 100"),
        ("replica", Replica, "replica = \"sticky\""),
        ("retry", Choice(&["never", "retry-after"]), "retry = \"retry-after\""),
    ],
};
pub(super) const STAGE: Shape = Shape {
    name: "[[load.stages]]",
    keys: &[
        ("for", Text, "for = \"30s\""),
        ("rate", Text, "rate = \"200/s\""),
        ("users", Whole(0), "users = 100"),
        ("jump", Boolean, "jump = true"),
    ],
};
pub(super) const LIMIT: Shape = Shape {
    name: "[[limit]]",
    keys: &[
        ("route", Text, "route = \"POST /chat\""),
        ("per", Choice(&["tenant"]), "per = \"tenant\""),
        (
            "algorithm",
            Choice(&["fixed-window", "aligned-window", "sliding-log", "sliding-counter", "token-bucket"]),
            "algorithm = \"fixed-window\"",
        ),
        ("anchor", Choice(&["epoch", "first-hit"]), "anchor = \"first-hit\""),
        ("estimate", Choice(&["exact", "floored"]), "estimate = \"floored\""),
        ("quota", Quotas, "quota = { acme = \"8/10s\" }"),
        ("burst", Whole(1), "burst = 12"),
        ("refill", Text, "refill = \"100ms\""),
        ("admitted", Statuses, "admitted = \"2xx\""),
        ("rejected", Statuses, "rejected = 429"),
        ("resolution", Text, "resolution = \"1ms\""),
        ("atomic", Boolean, "atomic = true"),
    ],
};
pub(super) const EXPECT: Shape = Shape {
    name: "[[expect]]",
    keys: &[
        ("that", Text, "that = \"p99 < 50ms\""),
        ("promql", Text, "promql = \"sum(rate(http_requests_total[30s]))\""),
        ("is", Text, "is = \"> 100\""),
        ("at", Choice(&["end", "every"]), "at = \"every\""),
        ("where", Table(&WHERE), "where = { tenant = \"acme\" }"),
        ("fresh", Boolean, "fresh = true"),
        ("abort_on_fail", Boolean, "abort_on_fail = true"),
    ],
};
pub(super) const WHERE: Shape = Shape {
    name: "`where`",
    keys: &[
        ("tenant", Text, "where = { tenant = \"acme\" }"),
        ("journey", Text, "where = { journey = \"chat\" }"),
        ("step", Text, "where = { step = \"POST /chat\" }"),
    ],
};
pub(super) const ALERT: Shape = Shape {
    name: "[[alert]]",
    keys: &[
        ("name", Text, "name = \"TenantFlood\""),
        ("labels", TextByName, "labels = { tenant = \"acme\" }"),
        ("cause", Text, "cause = \"5s..25s\""),
        ("fires_within", Text, "fires_within = \"45s\""),
        ("resolves_within", Text, "resolves_within = \"2m\""),
        ("silent", Boolean, "silent = true"),
    ],
};
pub(super) const NEIGHBOURS: Shape = Shape {
    name: "[noisy_neighbour]",
    keys: &[
        ("noisy", Texts, "noisy = \"acme\""),
        ("quiet", Text, "quiet = \"2s..10s\""),
        ("flood", Text, "flood = \"12s..20s\""),
        ("victims", Texts, "victims = [\"globex\", \"initech\"]"),
        ("slower", Number(1, 1000), "slower = 1.5"),
        ("goodput", Number(0, 1), "goodput = 0.9"),
        ("grace", Text, "grace = \"5ms\""),
    ],
};
pub(super) const HTTP: Shape = Shape {
    name: "[http]",
    keys: &[
        ("version", Choice(&["auto", "1.1", "2"]), "version = \"2\""),
        ("connect_timeout", Text, "connect_timeout = \"2s\""),
        ("dns", Choice(&["per-run", "per-connection"]), "dns = \"per-connection\""),
        (
            "connections",
            Choice(&["reuse", "per-iteration", "per-request"]),
            "connections = \"per-iteration\"",
        ),
        ("max_requests", Whole(1), "max_requests = 100"),
        ("max_age", Text, "max_age = \"30s\""),
        ("source_addresses", Texts, "source_addresses = [\"10.0.0.0/28\"]"),
        ("insecure", Boolean, "insecure = true"),
        ("ca_file", Text, "ca_file = \"ca.pem\""),
    ],
};
pub(super) const SERVICE: Shape =
    Shape { name: "[service]", keys: &[("timeout", Text, "timeout = \"30s\"")] };
pub(super) const METRICS: Shape = Shape {
    name: "[metrics]",
    keys: &[
        ("enabled", Boolean, "enabled = false"),
        (
            "preset",
            Choice(&[
                "tenancy",
                "fastapi-instrumentator",
                "otel-http-server",
                "micrometer",
                "axum-prometheus",
            ]),
            "preset = \"micrometer\"",
        ),
        ("path", Text, "path = \"/metrics\""),
        ("interval", Text, "interval = \"5s\""),
        ("settle", Text, "settle = \"1s\""),
        ("requests", Text, "requests = \"http_requests_total\""),
        ("duration", Text, "duration = \"http_request_duration_seconds\""),
        ("duration_all", Text, "duration_all = \"http_request_duration_highr_seconds\""),
        ("tenant_requests", Text, "tenant_requests = \"tenant_requests_total\""),
        ("tenant_duration", Text, "tenant_duration = \"tenant_request_duration_seconds\""),
        ("in_progress", Text, "in_progress = \"http_requests_inprogress\""),
        ("request_size", Text, "request_size = \"http_request_size_bytes\""),
        ("response_size", Text, "response_size = \"http_response_size_bytes\""),
        ("route_label", Text, "route_label = \"handler\""),
        ("method_label", Text, "method_label = \"method\""),
        ("status_label", Text, "status_label = \"status\""),
        ("tenant_label", Text, "tenant_label = \"tenant\""),
        ("statuses", Choice(&["exact", "grouped"]), "statuses = \"grouped\""),
        ("duration_unit", Choice(&["s", "ms"]), "duration_unit = \"ms\""),
        ("routes", TextByName, "routes = { \"GET /items/{id}\" = \"items.show\" }"),
        ("ignore", Texts, "ignore = [\"/metrics\", \"/healthz\"]"),
        ("tenantless", Texts, "tenantless = [\"/\"]"),
        ("clock_stops_before_response", Boolean, "clock_stops_before_response = true"),
        ("client_overhead", Text, "client_overhead = \"25ms\""),
        ("scrape_within", Text, "scrape_within = \"1s\""),
        ("body_size_limit", Text, "body_size_limit = \"64MiB\""),
    ],
};
pub(super) const EMBEDDED: Shape = Shape {
    name: "[embedded]",
    keys: &[
        ("replicas", Whole(1), "replicas = 2"),
        ("tenants", Text, "tenants = \"tenants.jsonl\""),
        ("prometheus", Boolean, "prometheus = true"),
    ],
};
pub(super) const CAPACITY: Shape = Shape {
    name: "[capacity]",
    keys: &[
        ("by", Choice(&["rate", "users"]), "by = \"rate\""),
        ("start", Number(1, 10_000_000), "start = 100"),
        ("max", Number(1, 10_000_000), "max = 5000"),
        ("step_duration", Text, "step_duration = \"10s\""),
        ("settle", Text, "settle = \"2s\""),
        ("replicas", Wholes(1), "replicas = [1, 2, 4]"),
        ("precision", Text, "precision = \"5%\""),
        ("budget", Text, "budget = \"5m\""),
    ],
};
