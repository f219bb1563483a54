//! The catalogue of all faults, from which parsing, messages and documents are made.

/// A fault, as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultInfo {
    /// The name for `--fault`.
    pub name: &'static str,
    /// What its value means, and the default value; `None` if it takes none.
    pub value: Option<(&'static str, &'static str)>,
    /// What it does to the service.
    pub breaks: &'static str,
    /// The claim that has to detect it, by its name in reports; several are separated by commas.
    pub caught_by: &'static str,
}

const fn plain(name: &'static str, breaks: &'static str, caught_by: &'static str) -> FaultInfo {
    FaultInfo { name, value: None, breaks, caught_by }
}

const fn with(
    name: &'static str,
    value: (&'static str, &'static str),
    breaks: &'static str,
    caught_by: &'static str,
) -> FaultInfo {
    FaultInfo { name, value: Some(value), breaks, caught_by }
}

/// All faults, in the order of the documents.
pub const CATALOGUE: &[FaultInfo] = &[
    plain("limit-per-replica", "each replica counts on its own: N replicas admit N quotas", "limit"),
    with(
        "limit-off-by-one",
        ("how many more", "1"),
        "the quota is that much larger than promised, or smaller (a bucket holds more, and is refilled as promised)",
        "limit",
    ),
    with(
        "limit-short-window",
        ("factor", "0.5"),
        "the window lasts that part of what was promised (a bucket is refilled faster); above 1 it lasts longer",
        "limit",
    ),
    with(
        "limit-race",
        ("delay", "5ms"),
        "a chat is checked, and counted that much later: chats at the same time pass together",
        "limit",
    ),
    with(
        "limit-false-rejection",
        ("every N-th", "100"),
        "every N-th chat of a replica that should be admitted is rejected",
        "limit",
    ),
    plain("limit-shared-key", "all tenants count together, each up to its own quota", "limit"),
    plain(
        "limit-no-expiry",
        "the first tenant's counts never expire: once used up, its quota never comes back",
        "limit",
    ),
    with(
        "limit-fail-open",
        ("when", "2s..4s"),
        "in that span after the process's first chat all are admitted, and none is counted",
        "limit",
    ),
    with(
        "limit-skewed-clock",
        ("how far ahead", "300ms"),
        "limits go by a clock that is that far ahead of the one of the replica before (`0.1`: of the shortest window)",
        "limit",
    ),
    plain(
        "limit-counts-rejections",
        "rejected chats count, too: a client that keeps trying stays locked out",
        "limit",
    ),
    with(
        "retry-after-early",
        ("factor", "0.5"),
        "Retry-After is that part of the needed wait, rounded down, but at least 1",
        "headers",
    ),
    plain("remaining-too-high", "Remaining is one more than there is, on rejections, too", "headers"),
    plain("session-crosses-tenants", "a session of another tenant is accepted", "isolation"),
    with(
        "reply-leaks",
        ("every N-th chat", "20"),
        "every N-th chat gets the last reply to another tenant",
        "isolation",
    ),
    with(
        "noisy-neighbour",
        ("how long", "2ms"),
        "every chat that reaches the limit holds one lock of the whole process for that long: a flood of one tenant delays all",
        "noisy-neighbour",
    ),
    with(
        "count-lost",
        ("every N-th request", "1000"),
        "every N-th request of a replica is served and not counted, in no metric",
        "counters",
    ),
    with(
        "count-double",
        ("every N-th request", "1"),
        "every N-th request of a replica is counted twice in all metrics, as by a middleware that was added twice",
        "counters",
    ),
    plain("status-mislabelled", "429s are counted as 200s", "counters"),
    with(
        "tenant-mislabelled",
        ("every N-th", "10"),
        "every N-th request of the tenant that came first is counted for the next one of the file, or as `unknown`",
        "counters",
    ),
    plain(
        "handler-raw-path",
        "the label `handler` is the raw path with its query: unknown paths are no longer `none`",
        "counters, cardinality",
    ),
    plain("duration-in-ms", "durations are milliseconds in metrics that promise seconds", "histograms"),
    with(
        "duration-excludes-wait",
        ("how long", "60ms"),
        "each request waits for that long before its clock starts, as in the queue of a worker",
        "quantiles",
    ),
    plain("bucket-not-cumulative", "buckets of histograms count their own requests only", "histograms"),
    plain(
        "inf-mismatch",
        "the bucket `+Inf` counts every hundredth request twice, `_count` does not",
        "histograms",
    ),
    plain("sum-wrong", "`_sum` of durations is in milliseconds, the buckets are in seconds", "histograms"),
    with(
        "gauge-stuck",
        ("every N-th request", "200"),
        "every N-th request of a replica never leaves the gauge of those in progress",
        "gauges",
    ),
    with(
        "counter-reset",
        ("after", "5s"),
        "that long after a replica's first request of a tenant all its counters start at zero again, once; the process goes on",
        "counters",
    ),
    with("metrics-stale", ("how long", "30s"), "an exposition is cached and served for that long", "scrapes"),
    with(
        "metrics-truncated",
        ("part that is left", "0.5"),
        "the exposition ends after that part of it, in the middle of a line",
        "scrapes",
    ),
    with("scrape-slow", ("how long", "3s"), "an exposition takes that long", "scrapes"),
    plain("redis-keys-leak", "sessions never expire in Redis (in memory it has no effect)", "redis"),
];
