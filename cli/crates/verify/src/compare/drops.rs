//! What is left of a comparison whose new run had arrivals dropped because all users were waiting for the service. The worse a service
//! gets, the more is dropped: if that left everything unknown, the worst would never be reported.
//!
//! So a change for the worse is reported if it holds however the dropped arrivals would have gone: as if each of them had been served at
//! once. Errors are a share of what was sent, which drops say nothing of; and where nobody at all was served, none of them would have been.

use super::{Change, Quantity, Row, Terms, Unit, gather::Measured, rows::rows};

/// Doubts everything but that.
pub(super) fn keep_what_is_sure(found: &mut [Row], (baselines, new): (&[Measured], &Measured), terms: Terms) {
    let at_best = rows(baselines, &new.in_favour(), terms);
    for row in found {
        let same = |other: &&Row| {
            (&other.tenant, &other.journey, &other.step) == (&row.tenant, &row.journey, &row.step)
        };
        let at_best = at_best.iter().find(same).map_or(&[][..], |row| &row.quantities);
        for quantity in &mut row.quantities {
            let best = at_best.iter().find(|best| best.name == quantity.name);
            match best.filter(|best| best.outcome == Change::Worse) {
                _ if quantity.outcome == Change::Worse && is_beyond_help(quantity) => {}
                Some(best) => quantity.become_worse(best),
                None => quantity.doubt(),
            }
        }
    }
}

/// Whether dropped arrivals could not have made it better.
fn is_beyond_help(quantity: &Quantity) -> bool {
    quantity.unit == Unit::Share || quantity.unit == Unit::PerSecond && quantity.new == Some(0.0)
}

impl Quantity {
    /// It is worse even `at_best`. How much lies between that and what was seen, as far as either has an end.
    fn become_worse(&mut self, at_best: &Self) {
        let ends = |one: Option<f64>, other: Option<f64>, end: fn(f64, f64) -> f64| Some(end(one?, other?));
        (self.low, self.high) =
            (ends(self.low, at_best.low, f64::min), ends(self.high, at_best.high, f64::max));
        (self.outcome, self.needed, self.by_lateness) = (Change::Worse, None, false);
        // Where too little was seen for an interval, the least that it can be is known all the same.
        self.low = self.low.or(at_best.low.filter(|_| self.unit == Unit::Seconds));
    }
}
