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
