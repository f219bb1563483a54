//! Synthetic samples for benchmarks, as a load at full speed would produce them.

use std::{io, path::Path, sync::Arc};

use saasbench_model::{
    scenario::{
        Scenario,
        resolve::{Sources, resolve},
    },
    units::Nanos,
};
use saasbench_record::sample::{LimiterHeaders, RequestOutcome, Sample};

/// Users that send requests without think time.
const USERS: u64 = 64;
/// Admissions per tenant and window.
const QUOTA: u64 = 2_000;
const WINDOW: i64 = 5_000_000_000;

/// Kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One tenant, and a GET without a rate limit.
    Plain,
    /// A hundred tenants with rate limits and rate-limit headers; about two thirds of the requests are
    /// rejected.
    Limited,
}

impl Kind {
    /// The scenario's text.
    pub(crate) fn text(self) -> String {
        let plain = r#"
version = 1
name = "recorded"
[[tenant]]
TENANTS
[[journey]]
name = "read"
[[journey.step]]
get = "/health"
status = [200, 429]
[[load]]
users = 64
duration = "10m"
[[expect]]
that = "p99 < 1s"
"#;
        let limit = "[[limit]]\nroute = \"GET /health\"\nalgorithm = \"fixed-window\"\nquota = \"2000/5s\"\n";
        match self {
            Self::Plain => plain.replace("TENANTS", "id = \"acme\""),
            Self::Limited => plain.replace("TENANTS", "pattern = \"t-1..t-100\"") + limit,
        }
    }

    /// The scenario.
    pub(crate) fn scenario(self) -> Result<Scenario, String> {
        let read_file = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
        let sources = Sources { read_file: &read_file, environment: None };
        resolve(&self.text(), "recorded.toml", &sources).map_err(|problems| problems.to_string())
    }
}

/// An infinite sequence of samples, 7 µs apart on average, ordered by completion.
#[derive(Debug)]
pub(crate) struct Traffic {
    kind: Kind,
    number: u64,
    now: i64,
    random: u64,
    /// When each user's last response arrived.
    ready: [i64; USERS as usize],
    requests: [u64; USERS as usize],
    /// For each tenant: start of its window, and admissions in it.
    windows: Vec<(i64, u64)>,
    policy: Arc<str>,
}

impl Traffic {
    /// Starts at the run's zero.
    pub(crate) fn new(kind: Kind) -> Self {
        let tenants = if kind == Kind::Plain { 1 } else { 100 };
        Self {
            kind,
            number: 0,
            now: 1_000_000,
            random: 0x9e37_79b9_7f4a_7c15,
            ready: [0; USERS as usize],
            requests: [0; USERS as usize],
            windows: vec![(-WINDOW, 0); tenants],
            policy: Arc::from("\"default\";q=2000;w=5"),
        }
    }

    /// A pseudo-random number below `bound` (xorshift).
    fn random(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    /// The decision of a fixed window on a request now.
    fn limiter(&mut self, tenant: usize) -> (RequestOutcome, LimiterHeaders) {
        if self.kind == Kind::Plain {
            return (RequestOutcome::Status(200), LimiterHeaders::default());
        }
        let window = &mut self.windows[tenant];
        if self.now >= window.0 + WINDOW {
            *window = (self.now, 0);
        }
        let admitted = window.1 < QUOTA;
        window.1 += u64::from(admitted);
        let left = window.0 + WINDOW - self.now;
        let headers = LimiterHeaders {
            limit: Some(QUOTA),
            remaining: Some(QUOTA - window.1),
            reset: Some(((window.0 + WINDOW) / 1_000_000_000 + 1_700_000_001) as f64),
            retry_after: (!admitted).then_some((left / 1_000_000_000 + 1) as u64),
            policy: Some(Arc::clone(&self.policy)),
            state: None,
            unread: None,
        };
        (RequestOutcome::Status(if admitted { 200 } else { 429 }), headers)
    }
}

impl Iterator for Traffic {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        self.now += 4_000 + self.random(6_000) as i64;
        // Roughly round-robin, as with real connections.
        let user = (self.number + self.random(4)) % USERS;
        let at = user as usize;
        let intended = self.ready[at].max(self.now - 60_000_000);
        let sent = intended + 800 + self.random(2_000) as i64;
        let tenant = if self.kind == Kind::Plain { 0 } else { self.random(100) as usize };
        let (outcome, limiter) = self.limiter(tenant);
        let done = self.now + 1_000;
        self.ready[at] = done;
        self.number += 1;
        self.requests[at] += 1;
        Some(Sample {
            intended: Nanos(intended),
            sent: Nanos(sent),
            first_byte: Some(Nanos(self.now + self.random(900) as i64)),
            done: Nanos(done),
            tenant,
            step: 0,
            load: 0,
            user: user + 1,
            request: self.requests[at],
            iteration: self.number,
            replica: 0,
            outcome,
            bytes_out: 0,
            bytes_in: 17,
            failed_check: None,
            limiter,
            retry_of: None,
            canary: None,
            connection: 0,
        })
    }
}
