//! The scenario of a stress test: a few requests, sent repeatedly by users or at a rate.

use std::fmt::Write as _;

use super::{
    target::Address,
    value::{basic, quoted, table},
};
use saasbench_model::{
    scenario::{StatusPattern, StatusSet},
    units::Nanos,
};

/// The only tenant: tables and counts are by tenant.
const TENANT: &str = "everyone";

/// What is sent, how much of it, and what is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Stress {
    /// Base URLs of the service's replicas, in turn; at least one.
    pub targets: Vec<String>,
    /// Paths with their queries, repeated according to their relative frequency; at least one.
    pub paths: Vec<String>,
    /// The method in lower case, as a step has it.
    pub method: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// User and password of basic authentication.
    pub basic: Option<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Expected statuses; none: 2xx.
    pub status: Vec<StatusPattern>,
    /// The longest that a request may take.
    pub timeout: Nanos,
    /// The amount of load.
    pub load: Amount,
    /// The duration; optional only with `iterations`.
    pub duration: Option<Nanos>,
    /// Ends after this number of requests.
    pub iterations: Option<u64>,
    /// Whether HTTP/2 is used.
    pub http2: bool,
    /// Whether each request has a connection of its own.
    pub disable_keepalive: bool,
    /// Preset of the service's metrics.
    pub metrics: Option<String>,
    /// Bounds in the notation of `that`.
    pub expect: Vec<String>,
    /// Arguments that `saasbench run` needs besides the file and its targets: `--insecure`.
    pub place: Vec<String>,
}

/// The amount of load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// This number of users, each waiting for its responses.
    Users {
        /// How many.
        users: u64,
        /// Users that start per second; all at once if `None`.
        spawn: Option<f64>,
    },
    /// A rate of requests, however slow the service is.
    Rate {
        /// Per second.
        rate: f64,
        /// Requests in flight at most.
        max_users: Option<u64>,
    },
}

/// Splits URLs into replicas and paths.
///
/// Several replicas must serve the same paths, since `run` sends requests to them in turn.
///
/// # Errors
/// The first missing combination of replica and path.
pub fn replicas_and_paths(addresses: &[Address]) -> Result<(Vec<String>, Vec<String>), String> {
    let mut targets: Vec<String> = Vec::new();
    for address in addresses {
        if !targets.contains(&address.base) {
            targets.push(address.base.clone());
        }
    }
    let paths_of = |target: &str| -> Vec<String> {
        addresses
            .iter()
            .filter(|address| address.base == target)
            .map(|address| address.path.clone())
            .collect()
    };
    let paths = targets.first().map(|target| paths_of(target)).unwrap_or_default();
    match targets.iter().find(|target| paths_of(target) != paths) {
        None => Ok((targets, paths)),
        Some(odd) => Err(odd.clone()),
    }
}

impl Stress {
    /// A summary of the requests in one line; without queries, which may contain secrets.
    pub fn about(&self) -> String {
        let plain = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
        let mut paths: Vec<String> = self.paths.iter().map(|path| plain(path)).collect();
        paths.dedup();
        let paths = if paths.len() > 3 { format!("{} paths", paths.len()) } else { paths.join(" and ") };
        let amount = match self.load {
            Amount::Users { users: 1, .. } => "1 user".to_owned(),
            Amount::Users { users, .. } => format!("{users} users"),
            Amount::Rate { rate, .. } => format!("{rate}/s"),
        };
        let until = match (self.duration, self.iterations) {
            (Some(duration), None) => format!("for {duration}"),
            (None, Some(count)) => format!("until {count} requests are sent"),
            (Some(duration), Some(count)) => format!("for {duration} or {count} requests"),
            (None, None) => String::new(),
        };
        let method = self.method.to_uppercase();
        format!("{method} {paths} at {}, {amount} {until}", self.targets.join(" and "))
    }

    /// The scenario's name: `stress-127.0.0.1`.
    fn name(&self) -> String {
        let target = self.targets.first().map(String::as_str).unwrap_or_default();
        let host = target.split_once("://").map_or(target, |(_, host)| host);
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let host: String = host.chars().map(plain).take(80).collect();
        format!("stress-{}", host.trim_matches('-'))
    }

    /// The scenario's text.
    pub fn scenario(&self) -> String {
        let mut text = String::from("# The scenario of a `saasbench stress` command. Run it with:\n");
        let mut words = self.targets.iter().map(|target| format!("--target {target}")).collect::<Vec<_>>();
        words.extend(self.place.iter().cloned());
        let _ = writeln!(text, "#     saasbench run FILE {}", words.join(" "));
        let _ = writeln!(text, "version = 1");
        let _ = writeln!(text, "name    = {}", basic(&self.name()));
        let _ = writeln!(text, "description = {}", basic(&self.about()));
        let _ = writeln!(text, "timeout = {}", basic(&length(self.timeout)));
        let _ = writeln!(text, "\n# The only tenant: responses are counted by tenant.");
        let _ = writeln!(text, "[[tenant]]\nid = {}\n", basic(TENANT));
        self.journey(&mut text);
        self.load(&mut text);
        for bound in &self.expect {
            let _ = writeln!(text, "\n[[expect]]\nthat = {}", basic(bound));
        }
        if self.expect.is_empty() {
            text.push_str(
                "\n# Nothing is expected of latency. For example:\n# [[expect]]\n# that = \"p99 < 50ms\"\n",
            );
        }
        if self.http2 || self.disable_keepalive {
            text.push_str("\n[http]\n");
        }
        if self.http2 {
            text.push_str("version     = \"2\"\n");
        }
        if self.disable_keepalive {
            text.push_str("connections = \"per-request\"\n");
        }
        match &self.metrics {
            Some(preset) => {
                text.push_str("\n# The service has tenants of its own, which these requests do not name.\n[metrics]\n");
                let _ = writeln!(text, "preset          = {}", basic(preset));
                text.push_str("tenant_requests = \"\"\ntenant_duration = \"\"\n");
            }
            None => text.push_str(
                "\n# Metrics of the service are not looked at. `saasbench metrics URL --guess` says what could stand here.\n[metrics]\nenabled = false\n",
            ),
        }
        text
    }

    fn journey(&self, text: &mut String) {
        text.push_str("[[journey]]\nname = \"stress\"\n");
        if !self.headers.is_empty() {
            let pairs = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let _ = writeln!(text, "headers = {}", table(pairs));
        }
        if let Some((user, password)) = &self.basic {
            let _ = writeln!(text, "auth = {{ basic = [{}, {}] }}", basic(user), basic(password));
        }
        let mut paths: Vec<(&String, u64)> = Vec::new();
        for path in &self.paths {
            match paths.iter_mut().find(|(known, _)| *known == path) {
                Some((_, times)) => *times += 1,
                None => paths.push((path, 1)),
            }
        }
        let weighted = paths.len() > 1;
        for (path, times) in paths {
            let _ = writeln!(text, "\n[[journey.step]]\n{} = {}", self.method, basic(path));
            if weighted {
                let _ = writeln!(text, "weight = {times}");
            }
            if let Some(body) = &self.body {
                let _ = writeln!(text, "body = {}", quoted(body));
            }
            if !self.status.is_empty() {
                let statuses: Vec<String> = self.status.iter().map(written).collect();
                let _ = writeln!(text, "status = [{}]", statuses.join(", "));
            }
        }
    }

    fn load(&self, text: &mut String) {
        match self.load {
            Amount::Users { users, spawn } => {
                text.push_str(
                    "\n# Closed: each user waits for its response before it sends the next request.\n",
                );
                let _ = writeln!(text, "[[load]]\nusers = {users}");
                if let Some(spawn) = spawn {
                    let _ = writeln!(text, "spawn_rate = \"{spawn}/s\"");
                }
            }
            Amount::Rate { rate, max_users } => {
                text.push_str("\n# Open: requests are sent at this rate, however slow the responses are.\n");
                let _ = writeln!(text, "[[load]]\nrate = \"{rate}/s\"");
                if let Some(max_users) = max_users {
                    let _ = writeln!(text, "max_users = {max_users}");
                }
            }
        }
        if let Some(duration) = self.duration {
            let _ = writeln!(text, "duration = {}", basic(&length(duration)));
        }
        if let Some(iterations) = self.iterations {
            let _ = writeln!(text, "iterations = {iterations}");
        }
    }
}

/// A duration in a scenario's notation, without rounding.
fn length(length: Nanos) -> String {
    humantime::format_duration(length.to_duration()).to_string()
}

/// A status in a scenario's notation.
fn written(status: &StatusPattern) -> String {
    match status {
        StatusPattern::Exact(_) => StatusSet(vec![*status]).to_string(),
        StatusPattern::Class(_) => basic(&StatusSet(vec![*status]).to_string()),
    }
}
