//! The same seed gives the same plan, whatever else the machine does.

use std::{collections::BTreeMap, path::Path};

use saasbench_record::reader::RecordedRun;

use crate::support::{JOURNEY, Sandbox, TENANTS};

const LOADS: &str = r#"
[[load]]
rate       = "40/s"
iterations = 41
duration   = "2s"

[[load]]
users    = 4
replica  = "sticky"
think_time = "10ms..60ms"
duration = "1s"

[embedded]
replicas = 3
tenants  = "tenants.jsonl"
"#;

/// The plan, as far as a recorded run shows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// For the open load, by iteration: tenant, replica, step.
    arrivals: BTreeMap<u64, (usize, usize, usize)>,
    /// For the closed load, by user: tenant, replica and step of each request, in order.
    users: BTreeMap<u64, Vec<(usize, usize, usize)>>,
}

pub(crate) fn plan(run: &Path) -> Plan {
    let mut plan = Plan { arrivals: BTreeMap::new(), users: BTreeMap::new() };
    let mut samples = Vec::new();
    RecordedRun::open(run).unwrap().for_each_sample(|_, sample| samples.push(sample.clone())).unwrap();
    samples.sort_by_key(|sample| sample.sent);
    for sample in samples {
        let what = (sample.tenant, sample.replica, sample.step);
        match (sample.load, sample.iteration) {
            // The number of users that an open load needs depends on the response times.
            (0, 0) => {}
            (0, iteration) => assert_eq!(plan.arrivals.insert(iteration, what), None),
            _ => plan.users.entry(sample.user).or_default().push(what),
        }
    }
    plan
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let sandbox = Sandbox::with(&format!("seed = 42\n{JOURNEY}{LOADS}"), TENANTS);
    for _ in 0..2 {
        sandbox.run(&["run", "scenario.toml", "--quiet"]).assert_code(0);
    }
    let runs = sandbox.runs();
    let (mut one, mut two) = (plan(&runs[0]), plan(&runs[1]));
    assert_eq!(one.arrivals.len(), 41);
    assert_eq!(one.users.len(), 4);
    // How many iterations each user completes depends on the machine.
    for (user, requests) in &mut one.users {
        let others = two.users.get_mut(user).unwrap();
        let both = requests.len().min(others.len());
        assert!(both >= 2, "{requests:?} {others:?}");
        requests.truncate(both);
        others.truncate(both);
    }
    assert_eq!(one, two);
}
