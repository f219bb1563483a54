//! No false positives: a conforming server passes, for every algorithm.

use saasbench_verify::verdict::Outcome;

use crate::limiter_faults::{ALGORITHMS, plan};

#[test]
fn a_conforming_server_passes() {
    for algorithm in ALGORITHMS {
        for seed in 0..20 {
            let report = plan(algorithm, Vec::new(), seed).report();
            let failed = report.verdicts.iter().find(|verdict| verdict.outcome != Outcome::Pass);
            assert!(failed.is_none(), "{algorithm}, seed {seed}: {failed:#?}");
        }
    }
}
