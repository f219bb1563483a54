//! The keys of every table, each with an example: what is known, what is suggested, and what `docs/scenario.md` has to cover.

/// The keys that a table may have, each with an example.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// As written: `[[load]]`.
    pub name: &'static str,
    /// Name and example.
    pub keys: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// How a key is written; empty for a key that is not one.
    pub(super) fn example(&self, key: &str) -> String {
        let example = self.keys.iter().find(|(name, _)| *name == key).map(|(_, example)| *example);
        example.map_or_else(String::new, |example| format!("for example: {example}"))
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
];

pub(super) const FILE: Shape = Shape {
    name: "the scenario",
    keys: &[
        ("version", "version = 1"),
        ("name", "name = \"flood\""),
        ("about", "about = \"acme floods two replicas\""),
        ("seed", "seed = 7"),
        ("timeout", "timeout = \"10s\""),
        ("warmup", "warmup = \"5s\""),
        ("tenant", "[[tenant]]"),
        ("feeder", "[[feeder]]"),
        ("journey", "[[journey]]"),
        ("load", "[[load]]"),
        ("limit", "[[limit]]"),
        ("expect", "[[expect]]"),
        ("alert", "[[alert]]"),
        ("neighbours", "[neighbours]"),
        ("http", "[http]"),
        ("service", "[service]"),
        ("metrics", "[metrics]"),
        ("embedded", "[embedded]"),
    ],
};
pub(super) const TENANT: Shape = Shape {
    name: "[[tenant]]",
    keys: &[
        ("id", "id = \"acme\""),
        ("pattern", "pattern = \"t-0001..t-1000\""),
        ("file", "file = \"tenants.jsonl\""),
    ],
};
pub(super) const JOURNEY: Shape = Shape {
    name: "[[journey]]",
    keys: &[
        ("name", "name = \"chat\""),
        ("cookies", "cookies = true"),
        ("headers", "headers = { X-Tenant-ID = \"${tenant}\" }"),
        ("auth", "auth = { bearer = \"${env:TOKEN}\" }"),
        ("start", "[[journey.start]]"),
        ("step", "[[journey.step]]"),
    ],
};
pub(super) const START: Shape = Shape { name: "[[journey.start]]", keys: STEP.keys };
pub(super) const STEP: Shape = Shape {
    name: "[[journey.step]]",
    keys: &[
        ("get", "get = \"/items/${id}\""),
        ("post", "post = \"/chat\""),
        ("put", "put = \"/items/${id}\""),
        ("patch", "patch = \"/items/${id}\""),
        ("delete", "delete = \"/items/${id}\""),
        ("head", "head = \"/\""),
        ("options", "options = \"/\""),
        ("name", "name = \"foreign session\""),
        ("tenant", "tenant = \"globex\""),
        ("route", "route = \"/items/{id}\""),
        ("query", "query = { q = \"${word}\" }"),
        ("headers", "headers = { X-Tenant-ID = \"${tenant}\" }"),
        ("auth", "auth = { basic = [\"${people.name}\", \"${env:PASSWORD}\"] }"),
        ("json", "json = { message = \"msg-${n}\" }"),
        ("form", "form = { name = \"${user}\" }"),
        ("body", "body = \"number ${n}\""),
        ("status", "status = [200, 429]"),
        ("check", "check = [{ json = \"/ok\", is = true }, { size = \"< 10kB\" }]"),
        ("save", "save = { sid = \"/session_id\" }"),
        ("foreign", "foreign = true"),
        ("weight", "weight = 3"),
        ("every", "every = 5"),
        ("when", "when = \"sid\""),
        ("repeat", "repeat = 3"),
        ("pause", "pause = \"1s..2s\""),
    ],
};
pub(super) const AUTH: Shape = Shape {
    name: "`auth`",
    keys: &[
        ("basic", "auth = { basic = [\"user\", \"${env:PASSWORD}\"] }"),
        ("bearer", "auth = { bearer = \"${token}\" }"),
    ],
};
pub(super) const CHECK: Shape = Shape {
    name: "`check`",
    keys: &[
        ("json", "check = { json = \"/ok\", is = true }"),
        ("header", "check = { header = \"x-cache\", is = \"HIT\" }"),
        ("regex", "check = { regex = 'id=(\\d+)', is = \"${id}\" }"),
        ("is", "check = { json = \"/ok\", is = true }"),
        ("not", "check = { json = \"/state\", not = \"failed\" }"),
        ("contains", "check = { contains = \"welcome\" }"),
        ("matches", "check = { json = \"/id\", matches = '^\\d+$' }"),
        ("size", "check = { size = \"< 10kB\" }"),
    ],
};
pub(super) const SAVE: Shape = Shape {
    name: "`save`",
    keys: &[
        ("json", "save = { sid = { json = \"/session_id\" } }"),
        ("header", "save = { cart = { header = \"location\" } }"),
        ("regex", "save = { csrf = { regex = 'token=(\\w+)' } }"),
    ],
};
pub(super) const WHEN: Shape = Shape {
    name: "`when`",
    keys: &[
        ("saved", "when = { saved = \"state\", is = \"open\" }"),
        ("absent", "when = { absent = \"sid\" }"),
        ("is", "when = { saved = \"state\", is = \"open\" }"),
        ("not", "when = { saved = \"state\", not = \"closed\" }"),
    ],
};
pub(super) const FEEDER: Shape = Shape {
    name: "[[feeder]]",
    keys: &[
        ("name", "name = \"people\""),
        ("file", "file = \"people.csv\""),
        ("order", "order = \"unique\""),
    ],
};
pub(super) const LOAD: Shape = Shape {
    name: "[[load]]",
    keys: &[
        ("tenant", "tenant = [\"acme\", \"globex\"]"),
        ("journey", "journey = { chat = 3, browse = 1 }"),
        ("rate", "rate = \"200/s\""),
        ("arrivals", "arrivals = \"poisson\""),
        ("max_users", "max_users = 1000"),
        ("users", "users = 50"),
        ("spawn", "spawn = \"10/s\""),
        ("pause", "pause = \"1s..3s\""),
        ("pacing", "pacing = \"5s\""),
        ("after", "after = \"5s\""),
        ("duration", "duration = \"25s\""),
        ("stages", "stages = [{ for = \"30s\", users = 100 }, { for = \"1m\", users = 100 }]"),
        ("stop", "stop = \"30s\""),
        ("iterations", "iterations = 100"),
        ("replica", "replica = \"sticky\""),
        ("retry", "retry = \"after\""),
    ],
};
pub(super) const STAGE: Shape = Shape {
    name: "[[load.stages]]",
    keys: &[
        ("for", "for = \"30s\""),
        ("rate", "rate = \"200/s\""),
        ("users", "users = 100"),
        ("jump", "jump = true"),
    ],
};
pub(super) const LIMIT: Shape = Shape {
    name: "[[limit]]",
    keys: &[
        ("route", "route = \"POST /chat\""),
        ("per", "per = \"tenant\""),
        ("algorithm", "algorithm = \"fixed-window\""),
        ("anchor", "anchor = \"first-hit\""),
        ("estimate", "estimate = \"floored\""),
        ("quota", "quota = { acme = \"8/10s\" }"),
        ("burst", "burst = 12"),
        ("refill", "refill = \"100ms\""),
        ("admitted", "admitted = \"2xx\""),
        ("refused", "refused = 429"),
        ("resolution", "resolution = \"1ms\""),
    ],
};
pub(super) const EXPECT: Shape = Shape {
    name: "[[expect]]",
    keys: &[
        ("that", "that = \"p99 < 50ms\""),
        ("promql", "promql = \"sum(rate(http_requests_total[30s]))\""),
        ("is", "is = \"> 100\""),
        ("at", "at = \"every\""),
        ("where", "where = { tenant = \"acme\" }"),
        ("fresh", "fresh = true"),
    ],
};
pub(super) const WHERE: Shape = Shape {
    name: "`where`",
    keys: &[
        ("tenant", "where = { tenant = \"acme\" }"),
        ("journey", "where = { journey = \"chat\" }"),
        ("step", "where = { step = \"POST /chat\" }"),
    ],
};
pub(super) const ALERT: Shape = Shape {
    name: "[[alert]]",
    keys: &[
        ("name", "name = \"TenantFlood\""),
        ("labels", "labels = { tenant = \"acme\" }"),
        ("cause", "cause = \"5s..25s\""),
        ("fires_within", "fires_within = \"45s\""),
        ("resolves_within", "resolves_within = \"2m\""),
        ("silent", "silent = true"),
    ],
};
pub(super) const NEIGHBOURS: Shape = Shape {
    name: "[neighbours]",
    keys: &[
        ("noisy", "noisy = \"acme\""),
        ("quiet", "quiet = \"2s..10s\""),
        ("flood", "flood = \"12s..20s\""),
        ("victims", "victims = [\"globex\", \"initech\"]"),
        ("slower", "slower = 1.5"),
        ("goodput", "goodput = 0.9"),
        ("grace", "grace = \"5ms\""),
    ],
};
pub(super) const HTTP: Shape = Shape {
    name: "[http]",
    keys: &[
        ("version", "version = \"2\""),
        ("connect_timeout", "connect_timeout = \"2s\""),
        ("dns", "dns = \"per-connection\""),
        ("sources", "sources = [\"10.0.0.0/28\"]"),
        ("insecure", "insecure = true"),
        ("roots", "roots = \"ca.pem\""),
    ],
};
pub(super) const SERVICE: Shape = Shape { name: "[service]", keys: &[("timeout", "timeout = \"30s\"")] };
pub(super) const METRICS: Shape = Shape {
    name: "[metrics]",
    keys: &[
        ("enabled", "enabled = false"),
        ("preset", "preset = \"micrometer\""),
        ("path", "path = \"/metrics\""),
        ("interval", "interval = \"5s\""),
        ("settle", "settle = \"1s\""),
        ("requests", "requests = \"http_requests_total\""),
        ("duration", "duration = \"http_request_duration_seconds\""),
        ("duration_all", "duration_all = \"http_request_duration_highr_seconds\""),
        ("tenant_requests", "tenant_requests = \"tenant_requests_total\""),
        ("tenant_duration", "tenant_duration = \"tenant_request_duration_seconds\""),
        ("in_progress", "in_progress = \"http_requests_inprogress\""),
        ("request_size", "request_size = \"http_request_size_bytes\""),
        ("response_size", "response_size = \"http_response_size_bytes\""),
        ("route_label", "route_label = \"handler\""),
        ("method_label", "method_label = \"method\""),
        ("status_label", "status_label = \"status\""),
        ("tenant_label", "tenant_label = \"tenant\""),
        ("statuses", "statuses = \"grouped\""),
        ("duration_unit", "duration_unit = \"ms\""),
        ("routes", "routes = { \"GET /items/{id}\" = \"items.show\" }"),
        ("ignore", "ignore = [\"/metrics\", \"/healthz\"]"),
        ("tenantless", "tenantless = [\"/\"]"),
        ("clock_stops_before_answer", "clock_stops_before_answer = true"),
        ("unseen", "unseen = \"25ms\""),
        ("scrape_within", "scrape_within = \"1s\""),
    ],
};
pub(super) const EMBEDDED: Shape = Shape {
    name: "[embedded]",
    keys: &[
        ("replicas", "replicas = 2"),
        ("tenants", "tenants = \"tenants.jsonl\""),
        ("prometheus", "prometheus = true"),
    ],
};
