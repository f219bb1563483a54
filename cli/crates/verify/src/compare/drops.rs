//! What a comparison can still say if arrivals of the new run were dropped because all users were waiting for
//! the service. The worse a service gets, the more is dropped; if drops made everything unknown, the worst
//! regressions would never be reported.
//!
//! A regression is therefore reported if it holds however the dropped arrivals would have gone: as if each
//! had been served at once. The error ratio is a share of what was sent, so drops do not affect it; and where
//! no request succeeded at all, the dropped ones would not have either.

use super::{Change, Quantity, Row, Terms, Unit, gather::Measured, rows::rows};

/// Marks everything else as unknown.
pub(super) fn retain_certain_rows(
    found: &mut [Row],
    (baselines, new): (&[Measured], &Measured),
    terms: Terms,
) {
    let at_best = rows(baselines, &new.in_favour(), terms);
    for row in found {
        let same = |other: &&Row| {
            (&other.tenant, &other.journey, &other.step) == (&row.tenant, &row.journey, &row.step)
        };
        let at_best = at_best.iter().find(same).map_or(&[][..], |row| &row.quantities);
        for quantity in &mut row.quantities {
            let best = at_best.iter().find(|best| best.name == quantity.name);
            match best.filter(|best| best.outcome == Change::Regressed) {
                _ if quantity.outcome == Change::Regressed && is_beyond_help(quantity) => {}
                Some(best) => quantity.become_worse(best),
                None => quantity.mark_inconclusive(),
            }
        }
    }
}

/// Whether dropped arrivals could not have improved the quantity.
fn is_beyond_help(quantity: &Quantity) -> bool {
    quantity.unit == Unit::Share || quantity.unit == Unit::PerSecond && quantity.new == Some(0.0)
}

impl Quantity {
    /// Marks the quantity as worse, as it is even `at_best`. The interval covers both what was seen and the
    /// best case, as far as they are bounded.
    fn become_worse(&mut self, at_best: &Self) {
        let ends = |one: Option<f64>, other: Option<f64>, end: fn(f64, f64) -> f64| Some(end(one?, other?));
        (self.low, self.high) =
            (ends(self.low, at_best.low, f64::min), ends(self.high, at_best.high, f64::max));
        (self.outcome, self.needed, self.by_lateness) = (Change::Regressed, None, false);
        // Where too little was seen for an interval, the best case still gives a lower bound.
        self.low = self.low.or(at_best.low.filter(|_| self.unit == Unit::Seconds));
    }
}
