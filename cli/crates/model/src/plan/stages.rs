//! Stages laid end to end: when each starts, and the integral of their rates up to then.

use crate::{scenario::Stage, units::Nanos};

/// A stage with its position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Its start, as an offset from the load's start.
    pub begin: Nanos,
    /// The stage itself.
    pub stage: Stage,
    /// The integral of the stages before it; for rates, how many events were due by `begin`.
    pub before: f64,
}

impl Placed {
    /// When the stage ends.
    pub fn end(&self) -> Nanos {
        self.begin + self.stage.length
    }

    /// The integral of all stages up to its end, snapped to a whole number if it is within rounding of one:
    /// otherwise rounding would decide on which side of a border an event lies.
    pub fn after(&self) -> f64 {
        let Stage { length, from, to } = self.stage;
        let after = self.before + (from + to) / 2.0 * length.as_secs_f64();
        let whole = after.round();
        if (after - whole).abs() <= 1e-12 * whole.max(1.0) { whole } else { after }
    }
}

/// Each stage with its position; the first starts at zero.
pub fn placed(stages: &[Stage]) -> impl Iterator<Item = Placed> {
    stages.iter().scan((Nanos::ZERO, 0.0), |(begin, before), &stage| {
        let placed = Placed { begin: *begin, stage, before: *before };
        (*begin, *before) = (placed.end(), placed.after());
        Some(placed)
    })
}

#[cfg(test)]
pub(super) mod testing {
    //! Test support: stages in seconds, and random ones.

    use proptest::prelude::*;

    use super::*;

    /// Stages from seconds and values.
    pub(crate) fn stages(list: &[(i64, f64, f64)]) -> Vec<Stage> {
        let stage = |&(secs, from, to)| Stage { length: Nanos::from_secs(secs), from, to };
        list.iter().map(stage).collect()
    }

    /// One to five stages with values below `most`; some are constant, and some are zero.
    pub(crate) fn arbitrary(most: f64) -> impl Strategy<Value = Vec<Stage>> {
        let value =
            move || prop_oneof![1 => Just(0.0), 3 => (0.0..most).prop_map(f64::round), 2 => 0.0..most];
        let one = (1_i64..20_000, value(), value(), any::<bool>()).prop_map(|(millis, from, to, hold)| {
            Stage { length: Nanos::from_millis(millis), from, to: if hold { from } else { to } }
        });
        proptest::collection::vec(one, 1..6)
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::stages, *};

    #[test]
    fn stages_follow_each_other_and_add_up() {
        let all = stages(&[(10, 0.0, 20.0), (5, 20.0, 20.0), (4, 0.1, 0.2)]);
        let found: Vec<(Nanos, f64)> = placed(&all).map(|placed| (placed.begin, placed.before)).collect();
        let secs = Nanos::from_secs;
        assert_eq!(found, [(secs(0), 0.0), (secs(10), 100.0), (secs(15), 200.0)]);
        // 0.1 · 3 is a hair above 0.3 in floating point; ten such stages are meant to be three events.
        let parts = stages(&[(3, 0.1, 0.1); 10]);
        assert_eq!(placed(&parts).last().map(|placed| placed.after()), Some(3.0));
    }
}
