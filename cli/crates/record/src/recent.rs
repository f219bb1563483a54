//! Latencies per tenant since the last update, for live views. Counted on the recorder's thread, and only if
//! a live view is active.

use super::{batch::Batch, latencies::Latencies, sample::RequestOutcome};
use saasbench_model::units::Nanos;

/// By tenant: latencies from intended of the responses since they were last taken.
#[derive(Debug, Clone, Default)]
pub struct Recent(pub Vec<Latencies>);

impl Recent {
    /// No latencies yet, for this many tenants.
    pub fn new(tenants: usize) -> Self {
        Self(vec![Latencies::default(); tenants])
    }

    /// Counts the responses of a batch.
    pub fn add(&mut self, batch: &Batch) {
        for row in batch.rows.iter().filter(|row| matches!(row.outcome, RequestOutcome::Status(_))) {
            if let Some(latencies) = self.0.get_mut(row.tenant as usize) {
                latencies.add(Nanos(row.done - row.intended));
            }
        }
    }

    /// Returns the latencies since the last call, and resets them.
    pub fn take(&mut self) -> Self {
        let tenants = self.0.len();
        std::mem::replace(self, Self::new(tenants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_cover_what_was_counted_since_the_last_call() {
        let mut recent = Recent::new(2);
        recent.0[1].add(Nanos::from_millis(1));
        assert_eq!(recent.0[0].quantile(0.5), None);
        assert_eq!(recent.take().0[1].quantile(0.5), Some(Nanos::from_millis(1)));
        assert_eq!(recent.0[1].quantile(0.5), None);
        for millis in 1..=100 {
            recent.0[0].add(Nanos::from_millis(millis));
        }
        recent.0[1].add(Nanos::from_secs(2));
        let near =
            |found: Option<Nanos>, millis: f64| (found.unwrap().as_millis_f64() / millis - 1.0).abs() < 0.04;
        assert!(near(recent.0[0].quantile(0.5), 50.0) && near(recent.0[0].quantile(0.99), 99.0));
        let mut all = Latencies::default();
        recent.0.iter().for_each(|latencies| all.merge(latencies));
        assert!(near(all.quantile(1.0), 2000.0) && near(all.quantile(0.5), 51.0));
    }
}
