//! Comparisons of simulated runs whose truth is known: latencies depend on their neighbours, and runs vary by
//! themselves. How often does comparing equal services report a change, and how often is a true change found?

use super::{
    Change, Terms,
    gather::{BLOCKS, Cell, Measured, PUNCTUAL, RowName},
    rows::rows,
};
use saasbench_model::units::Nanos;

/// Draws from a normal distribution, reproducible by seed (SplitMix64, Box and Muller).
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Parameters of the simulated runs.
#[derive(Clone, Copy)]
struct Service {
    requests: usize,
    median: f64,
    /// Standard deviation of the logarithm of a latency …
    sigma: f64,
    /// … of the part that neighbouring latencies share …
    common: f64,
    /// … and of the part that all latencies of a run share.
    of_run: f64,
}

const SERVICE: Service = Service { requests: 6000, median: 0.02, sigma: 0.25, common: 0.03, of_run: 0.005 };
/// How much of the shared part carries over to the next request: it halves in about fourteen requests.
const MEMORY: f64 = 0.95;
/// Comparisons per case.
const PAIRS: u64 = 20;
const TENANTS: [&str; 2] = ["acme", "globex"];

fn run(service: Service, seed: u64) -> Measured {
    let mut draws = Draws(seed);
    let of_run = service.of_run * draws.normal();
    let mut measured = Measured { seconds: 10.0, ..Measured::default() };
    for tenant in TENANTS {
        let mut cell = Cell::default();
        let mut common = draws.normal();
        for i in 0..service.requests {
            common = MEMORY * common + (1.0 - MEMORY * MEMORY).sqrt() * draws.normal();
            let log = of_run + service.common * common + service.sigma * draws.normal();
            let block = &mut cell.blocks[i * BLOCKS / service.requests];
            block.requests += 1;
            block.served += 1;
            let latency = Nanos::from_secs_f64(service.median * log.exp());
            // The generator was never late, so that the punctual latencies are the same.
            for clock in [Terms::default().clock as usize, PUNCTUAL] {
                block.latencies[clock].add(latency);
            }
        }
        cell.blocks
            .iter_mut()
            .flat_map(|block| &mut block.latencies)
            .for_each(super::distribution::Distribution::settle);
        let name =
            RowName { tenant: tenant.to_owned(), journey: "look".to_owned(), step: "GET /".to_owned() };
        measured.order.push(name.clone());
        measured.rows.insert(name, cell);
    }
    measured
}

/// In how many of `pairs` comparisons, each with `baselines` baselines, anything is reported as worse, or as
/// better.
fn alarms(before: Service, now: Service, baselines: u64, pairs: u64) -> [u64; 2] {
    let mut found = [0; 2];
    for pair in 0..pairs {
        let seed = 1000 * (pair + 1) + 1_000_000 * baselines;
        let bases: Vec<Measured> = (0..baselines).map(|i| run(before, seed + i)).collect();
        let rows = rows(&bases, &run(now, seed + 999), Terms::default());
        let any = |change: Change| {
            rows.iter().flat_map(|row| &row.quantities).any(|quantity| quantity.outcome == change)
        };
        found[0] += u64::from(any(Change::Regressed));
        found[1] += u64::from(any(Change::Improved));
    }
    found
}

/// A service whose p50 is 10 % longer, and its p99 20 %.
fn slower(service: Service) -> Service {
    Service {
        median: 1.1 * service.median,
        // The p99 of a lognormal distribution lies 2.326 deviations from its median.
        sigma: service.sigma + (1.2_f64 / 1.1).ln() / 2.326,
        ..service
    }
}

#[test]
fn equal_services_compare_as_unchanged() {
    for baselines in [1, 3, 5] {
        let [worse, better] = alarms(SERVICE, SERVICE, baselines, PAIRS);
        assert!(worse <= 1 && better <= 1, "{baselines}: {worse} {better}");
    }
    // Variation between runs that stays within the tolerance.
    let moody = Service { of_run: 0.025, ..SERVICE };
    let [worse, better] = alarms(moody, moody, 1, PAIRS);
    assert!(worse <= 2 && better <= 2, "{worse} {better}");
    // Variation between runs beyond the tolerance: one baseline cannot reveal it, several can.
    let restless = Service { of_run: 0.06, ..SERVICE };
    let [alone, _] = alarms(restless, restless, 1, PAIRS);
    let [worse, better] = alarms(restless, restless, 5, PAIRS);
    assert!(alone >= 3 && worse <= 1 && better <= 1, "{alone} {worse} {better}");
}

#[test]
fn a_true_change_is_found() {
    for baselines in [1, 2, 5] {
        let [worse, better] = alarms(SERVICE, slower(SERVICE), baselines, PAIRS);
        assert!(worse >= 18 && better == 0, "{baselines}: {worse} {better}");
    }
    let [worse, better] = alarms(slower(SERVICE), SERVICE, 1, PAIRS);
    assert!(worse == 0 && better >= 18, "{worse} {better}");
}

#[test]
fn correlated_requests_cause_no_false_positives() {
    // What neighbours share makes the median vary several times as much as independent draws would.
    let bound = Service { requests: 4000, common: 0.15, of_run: 0.0, ..SERVICE };
    let [worse, better] = alarms(bound, bound, 1, PAIRS);
    assert!(worse <= 1 && better <= 1, "{worse} {better}");
}
