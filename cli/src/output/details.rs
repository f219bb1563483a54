//! The details that `-v` prints: machine and workers, plan, targets, and the state of connections.

use std::fmt::Write as _;

use saasbench_engine::connect::endpoint::{Dialled, Endpoints};
use saasbench_model::{
    scenario::{Load, LoadModel, Pause, Routing, Scenario, Stage},
    units::{Nanos, TenantId},
};
use saasbench_record::manifest::{Environment, Machine};

/// At most this many tenants or journeys are named.
const NAMED: usize = 3;

/// Machine and workers of a run.
pub fn machine(machine: &Machine, workers: usize) -> String {
    let Machine { os, arch, cpus } = machine;
    let threads = if workers == 1 { "thread sends" } else { "threads send" };
    format!(
        "saasbench {} on {os} {arch}, {cpus} processors; {workers} {threads} requests",
        env!("CARGO_PKG_VERSION")
    )
}

/// A scenario's plan: a line for each load.
pub fn plan(scenario: &Scenario) -> Vec<String> {
    let mut all = format!("seed {}, a request may take {}", scenario.seed, scenario.timeout);
    if scenario.warmup > Nanos::ZERO {
        let _ = write!(all, ", the first {} are the warm-up", scenario.warmup);
    }
    let load = |(index, load)| format!("load {}: {}", index + 1, load_line(scenario, load));
    std::iter::once(all).chain(scenario.loads.iter().enumerate().map(load)).collect()
}

/// `chat by acme: 200/s for 25 s, with at most 1000 users`.
fn load_line(scenario: &Scenario, load: &Load) -> String {
    let journeys = load.journeys.iter().filter_map(|(journey, _)| scenario.journeys.get(*journey));
    let journeys = names(&journeys.map(|journey| journey.name.as_str()).collect::<Vec<_>>(), "journeys");
    let tenants = load.tenants.iter().filter_map(|tenant| scenario.tenants.get(*tenant));
    let tenants = names(&tenants.map(TenantId::as_str).collect::<Vec<_>>(), "tenants");
    let mut line = format!("{journeys} by {tenants}: {}", amount(&load.model));
    match load.iterations {
        Some(iterations) => {
            let _ = write!(line, ", at most {iterations} iterations");
        }
        None => {
            let _ = write!(line, " for {}", load.duration);
        }
    }
    if load.after > Nanos::ZERO {
        let _ = write!(line, ", from {} on", load.after);
    }
    match &load.model {
        LoadModel::Open { max_users, .. } => {
            let _ = write!(line, ", with at most {max_users} users");
        }
        LoadModel::Closed { spawn, pause, .. } => {
            if let Some(spawn) = spawn {
                let _ = write!(line, ", {spawn} more");
            }
            line.push_str(&between(*pause));
        }
    }
    match load.routing {
        Routing::RoundRobin => {}
        Routing::Sticky => line.push_str(", each to one replica"),
        Routing::Only(index) => {
            let _ = write!(line, ", all to replica {}", index + 1);
        }
    }
    line
}

/// `200/s`, `10 to 100 users`, `up to 300/s in 4 stages`.
fn amount(model: &LoadModel) -> String {
    let unit = match model {
        LoadModel::Open { .. } => "/s",
        LoadModel::Closed { .. } => " users",
    };
    match model.stages() {
        [Stage { from, to, .. }] if from == to => format!("{from}{unit}"),
        [Stage { from, to, .. }] => format!("{from} to {to}{unit}"),
        stages => format!("up to {}{unit} in {} stages", Stage::highest(stages), stages.len()),
    }
}

/// How long users wait between iterations.
fn between(pause: Pause) -> String {
    match pause {
        Pause::Uniform(_, Nanos::ZERO) => String::new(),
        Pause::Uniform(low, high) if low == high => format!(", a pause of {low}"),
        Pause::Uniform(low, high) => format!(", a pause of {low} to {high}"),
        Pause::Exponential(mean) => format!(", a pause of {mean} on average"),
        Pause::Pacing(period) => format!(", one iteration per {period}"),
    }
}

/// The names, or how many there are.
fn names(all: &[&str], kind: &str) -> String {
    if all.len() <= NAMED { all.join(", ") } else { format!("{} {kind}", all.len()) }
}

/// The targets of a run, and its data sources.
pub fn places(environment: &Environment, endpoints: &Endpoints) -> Vec<String> {
    let replicas = environment.replicas.iter().zip(endpoints.replicas()).map(|(replica, endpoint)| {
        let at = match (endpoint.target().socket(), endpoint.address()) {
            (Some(_), _) => String::new(),
            (None, None) => ", looked up for every connection".to_owned(),
            (None, Some(address)) => format!(", at {address}"),
        };
        format!("replica {}: {}, {}{at}", replica.name, replica.url, endpoint.protocol().name())
    });
    let prometheus = environment.prometheus.iter().map(|url| format!("Prometheus: {url}"));
    let redis = environment.redis.iter().map(|url| format!("Redis: {url}"));
    let programs = environment.programs.iter().map(|(part, version)| format!("{part}: {version}"));
    replicas.chain(prometheus).chain(redis).chain(programs).collect()
}

/// The state of a load's connections.
pub fn connections(environment: &Environment, endpoints: &Endpoints) -> Vec<String> {
    let each = environment.replicas.iter().zip(endpoints.replicas());
    each.map(|(replica, endpoint)| {
        let mut line = connections_line(&replica.name, endpoint.dialled());
        let addresses = endpoint.looked_up();
        if addresses.len() > 1 && endpoint.address().is_none() {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let _ = write!(line, "; its name had the addresses {}", addresses.join(", "));
        }
        line
    })
    .collect()
}

fn connections_line(replica: &str, dialled: &Dialled) -> String {
    let mut line = format!("connections to {replica}: {} opened", dialled.opened());
    if dialled.opened() > 0 {
        let _ = write!(line, ", the slowest in {}", dialled.longest());
    }
    if let Some(reason) = dialled.reason() {
        let _ = write!(line, "; {} could not be, the first because: {reason}", dialled.failed());
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use saasbench_engine::connect::dial::DialError;
    use saasbench_model::scenario::testing::{SCENARIO, scenario};

    #[test]
    fn the_plan_has_a_line_for_each_load() {
        let loads = "
            [[tenant]]
            pattern = \"t-1..t-5\"
            [[load]]
            users = 20
            spawn_rate = \"5/s\"
            think_time = \"1s..3s\"
            duration = \"1m\"
            after = \"10s\"
            replica = \"sticky\"
            [[load]]
            tenant = \"acme\"
            rate = \"10/s\"
            iterations = 300
            replica = 1
            [[load]]
            tenant = \"acme\"
            pacing = \"5s\"
            stages = [{ for = \"10s\", users = 50 }, { for = \"20s\", users = 50 }]
        ";
        let text = SCENARIO.replace("name = \"test\"", "name = \"test\"\nwarmup = \"2s\"");
        let mut lines =
            vec![machine(&Machine { os: "linux".to_owned(), arch: "x86_64".to_owned(), cpus: 2 }, 1)];
        lines.extend(plan(&scenario(&format!("{text}{loads}"))));
        insta::assert_snapshot!(lines.join("\n"), @"
        saasbench 0.1.0 on linux x86_64, 2 processors; 1 thread sends requests
        seed 1, a request may take 10 s, the first 2 s are the warm-up
        load 1: chat by 6 tenants: 10/s for 10 s, with at most 1000 users
        load 2: chat by 6 tenants: 20 users for 60 s, from 10 s on, 5/s more, a pause of 1 s to 3 s, each to one replica
        load 3: chat by acme: 10/s, at most 300 iterations, with at most 1000 users, all to replica 1
        load 4: chat by acme: up to 50 users in 2 stages for 30 s, one iteration per 5 s
        ");
    }

    #[test]
    fn the_state_of_connections_is_reported() {
        let dialled = Dialled::default();
        let none = connections_line("a", &dialled);
        for millis in [3, 12, 5] {
            dialled.note(&Ok(()), Duration::from_millis(millis));
        }
        let good = connections_line("a", &dialled);
        dialled.note::<()>(&Err(DialError::NoAddress), Duration::ZERO);
        dialled.note::<()>(&Err(DialError::Timeout(Nanos::from_secs(1))), Duration::ZERO);
        insta::assert_snapshot!([none, good, connections_line("a", &dialled)].join("\n"), @"
        connections to a: 0 opened
        connections to a: 3 opened, the slowest in 12 ms
        connections to a: 3 opened, the slowest in 12 ms; 2 could not be, the first because: its host has no address
        ");
    }
}
