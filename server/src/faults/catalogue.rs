//! All faults that there are, a line each: the one list behind parsing, messages and documents.

/// One fault as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// As `--fault` takes it.
    pub name: &'static str,
    /// What its value means, and the value where none is given; `None` if it takes none.
    pub value: Option<(&'static str, &'static str)>,
    /// What it does to the service.
    pub breaks: &'static str,
    /// The claim that must notice: `limit`, `headers`, `isolation` or `neighbours`.
    pub caught_by: &'static str,
}

const fn plain(name: &'static str, breaks: &'static str, caught_by: &'static str) -> Entry {
    Entry { name, value: None, breaks, caught_by }
}

const fn with(
    name: &'static str,
    value: (&'static str, &'static str),
    breaks: &'static str,
    caught_by: &'static str,
) -> Entry {
    Entry { name, value: Some(value), breaks, caught_by }
}

/// All faults, in the order of the documents.
pub const CATALOGUE: &[Entry] = &[
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
        "checks, and acts so much later: chats at the same time pass together",
        "limit",
    ),
    with(
        "limit-false-refusal",
        ("every so many", "100"),
        "every N-th chat of a replica that should be admitted is refused",
        "limit",
    ),
    plain("limit-shared-key", "all tenants count together, each up to its own quota", "limit"),
    plain(
        "limit-no-expiry",
        "the first tenant's counts never expire: used up, its quota is so for ever",
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
        ("by how much", "300ms"),
        "each replica's clock is so far ahead of the one before (`0.1`: of the shortest window), and limits go by it",
        "limit",
    ),
    plain("limit-counts-refusals", "refused chats count, too: who keeps trying stays shut out", "limit"),
    with(
        "retry-after-early",
        ("factor", "0.5"),
        "Retry-After is that part of the needed wait, rounded down, but at least 1",
        "headers",
    ),
    plain("remaining-lies", "Remaining is one more than there is, on refusals, too", "headers"),
    plain("session-crosses-tenants", "a session of another tenant is as good as one's own", "isolation"),
    with(
        "reply-leaks",
        ("every so many answers", "20"),
        "every N-th chat is answered with the last reply to another tenant",
        "isolation",
    ),
    with(
        "noisy-neighbour",
        ("how long", "2ms"),
        "every chat that reaches the limit holds one lock of the whole process for that long: a flood of one tenant delays all",
        "neighbours",
    ),
];
