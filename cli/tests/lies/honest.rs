//! A server that keeps its promises is never accused, whatever the algorithm.

use saasbench_verify::verdict::Outcome;

use crate::sharp::{ALGORITHMS, plan};

#[test]
fn an_honest_server_passes() {
    for algorithm in ALGORITHMS {
        for seed in 0..20 {
            let report = plan(algorithm, Vec::new(), seed).report();
            let failed = report.verdicts.iter().find(|verdict| verdict.outcome != Outcome::Pass);
            assert!(failed.is_none(), "{algorithm}, seed {seed}: {failed:#?}");
        }
    }
}
