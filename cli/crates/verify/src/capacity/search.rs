//! Which level to try next, and when the capacity is known: a pure function of the trials so far, so that no
//! order of lucky and unlucky steps misleads it.
//!
//! The search doubles the level until the objectives break, bisects on a logarithmic scale, and then repeats
//! both ends until each is certain. The capacity is the level at which the objectives hold half of the time.
//! An end is certain when a result as one-sided as this would occur by chance in at most one of twenty cases
//! if the capacity were exactly that level (binomial test).

use super::isotonic::{Trials, falling_shares};

/// Probability with which an end of the interval may be wrong.
const TAIL: f64 = 0.05;
/// Trials at one level, at most: a level that is undecided by then lies at the knee.
const MOST_TRIALS: u32 = 8;
/// With this many contrary results an end can no longer become certain: with one in eight it still can.
const MAX_CONTRADICTIONS: u32 = 2;
/// Factor by which the level grows until the objectives break.
const GROWTH: f64 = 2.0;
/// Tolerance when comparing ratios of rounded levels.
const ROUNDING: f64 = 1e-3;

/// The range and precision of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// First level to try.
    pub start: f64,
    /// Lowest level of interest.
    pub least: f64,
    /// Highest level that may be tried.
    pub most: f64,
    /// How far apart the two ends may be, as a share.
    pub precision: f64,
    /// Whether levels are whole numbers (users).
    pub whole: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Run a step at this level.
    Try(f64),
    /// The search is finished.
    Done(End),
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The capacity lies between two levels that are certain.
    Found,
    /// The objectives break at the lowest level, or the generator cannot drive it.
    BrokenAtLeast,
    /// They hold at the highest level that may be tried.
    HeldAtMost,
}

/// Result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// The objectives held.
    Held,
    /// The service broke them.
    Broke,
    /// The generator could not drive the level.
    InvalidTrial,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    at: f64,
    trials: Trials,
}

/// A search and its trials so far.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    /// Sorted by level.
    levels: Vec<Level>,
}

/// The interval in which the capacity lies, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// The highest level at which the objectives are taken to hold.
    pub held: Option<f64>,
    /// Whether `held` is certain.
    pub held_is_sure: bool,
    /// The lowest level at which they are taken to break, or at which the generator could not keep up.
    pub broke: Option<f64>,
    /// Whether it is certain that they break at `broke`, and because of the service.
    pub broke_is_sure: bool,
    /// Whether that is not certain, and the generator failed there at least as often as the service did.
    pub is_spoiled: bool,
    /// The middle of the two neighbouring levels between which the objectives cease to hold half of the time.
    /// It lies between `held` and `broke`, but not half way if only one of them had to move outwards to
    /// become certain.
    pub middle: Option<f64>,
}

/// Whether more trials at a level can make it a certain end of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is certain already.
    Surely,
    /// It may become certain.
    NotYet,
    /// It can no longer become certain.
    Never,
}

/// Whether `of_kind` results of one kind among `total` trials are more than chance explains if the capacity
/// were exactly this level.
pub fn is_sure(of_kind: u32, total: u32) -> bool {
    let mut weight = 1.0;
    let mut tail = 0.0;
    // Sums over the number of the other kind, from none upwards: C(n, i) / 2^n.
    for other in 0..=total.saturating_sub(of_kind) {
        tail += weight;
        weight *= f64::from(total - other) / f64::from(other + 1);
    }
    of_kind <= total && tail / 2f64.powi(i32::try_from(total).unwrap_or(i32::MAX)) <= TAIL
}

impl Trials {
    /// Whether the objectives certainly hold here; trials that the generator spoiled do not count.
    fn as_lower_end(self) -> Settled {
        self.settled(is_sure(self.held, self.clean()), self.broke)
    }

    /// Whether they certainly break here, or the generator certainly cannot keep up.
    fn as_upper_end(self) -> Settled {
        let generator_gives_out = is_sure(self.spoiled, self.total());
        self.settled(is_sure(self.broke, self.clean()) || generator_gives_out, self.held)
    }

    /// Certain, undecided, or impossible to make certain with the trials that are left.
    fn settled(self, is_sure: bool, contrary: u32) -> Settled {
        if is_sure {
            Settled::Surely
        } else if contrary >= MAX_CONTRADICTIONS || self.total() >= MOST_TRIALS {
            Settled::Never
        } else {
            Settled::NotYet
        }
    }

    /// Whether the generator failed at least as often as the service.
    fn is_spoiled(self) -> bool {
        self.spoiled > 0 && self.spoiled >= self.broke
    }
}

impl Search {
    /// A search without trials.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, levels: Vec::new() }
    }

    /// Records the result of a step at this level.
    pub fn record(&mut self, at: f64, trial: Trial) {
        let place = self.levels.partition_point(|level| level.at < at);
        if self.levels.get(place).is_none_or(|level| level.at != at) {
            self.levels.insert(place, Level { at, trials: Trials::default() });
        }
        if let Some(level) = self.levels.get_mut(place) {
            let trials = &mut level.trials;
            *match trial {
                Trial::Held => &mut trials.held,
                Trial::Broke => &mut trials.broke,
                Trial::InvalidTrial => &mut trials.spoiled,
            } += 1;
        }
    }

    /// What to do next, given the trials so far.
    pub fn next(&self) -> Next {
        let Some((lower, tied, upper)) = self.separated() else {
            return Next::Try(self.rounded(self.bounds.start));
        };
        if let Some(unlike) = tied.iter().min_by_key(|level| level.trials.total()) {
            return Next::Try(unlike.at);
        }
        match (lower.last(), upper.first()) {
            (Some(_), None) => self.grow(lower),
            (None, Some(_)) => self.shrink(upper),
            (Some(held), Some(broke)) => {
                // A step that breaks counts only once it was repeated.
                if broke.trials.total() == 1 {
                    return Next::Try(broke.at);
                }
                self.between(held.at, broke.at).map_or_else(|| self.settle(lower, upper), Next::Try)
            }
            (None, None) => Next::Try(self.rounded(self.bounds.start)),
        }
    }

    /// Where the capacity lies according to the trials so far.
    pub fn bracket(&self) -> Bracket {
        let (lower, _, upper) = self.separated().unwrap_or_default();
        let sure_low = lower.iter().rev().find(|level| level.trials.as_lower_end() == Settled::Surely);
        let sure_high = upper.iter().find(|level| level.trials.as_upper_end() == Settled::Surely);
        let high = sure_high.or(upper.first());
        let broke_is_sure = high.is_some_and(|level| is_sure(level.trials.broke, level.trials.clean()));
        Bracket {
            held: sure_low.or(lower.last()).map(|level| level.at),
            held_is_sure: sure_low.is_some(),
            broke: high.map(|level| level.at),
            broke_is_sure,
            is_spoiled: !broke_is_sure && high.is_some_and(|level| level.trials.is_spoiled()),
            middle: lower.last().zip(upper.first()).map(|(low, high)| (low.at * high.at).sqrt()),
        }
    }

    /// Levels at which the objectives mostly hold, hold half of the time, and mostly break; `None` without
    /// trials.
    fn separated(&self) -> Option<(&[Level], &[Level], &[Level])> {
        let trials: Vec<Trials> = self.levels.iter().map(|level| level.trials).collect();
        let shares = falling_shares(&trials);
        let held = shares.partition_point(|share| *share > 0.5);
        let even = shares.partition_point(|share| *share >= 0.5);
        let (lower, rest) = self.levels.split_at_checked(held)?;
        let (tied, upper) = rest.split_at_checked(even - held)?;
        (!self.levels.is_empty()).then_some((lower, tied, upper))
    }

    fn grow(&self, lower: &[Level]) -> Next {
        let Some(highest) = lower.last() else { return Next::Try(self.rounded(self.bounds.start)) };
        if highest.at < self.bounds.most {
            return Next::Try(self.rounded(highest.at * GROWTH).min(self.bounds.most));
        }
        match self.settle_end(lower.iter().rev(), Trials::as_lower_end, 1.0 / self.step()) {
            Some(at) => Next::Try(at),
            None => Next::Done(End::HeldAtMost),
        }
    }

    fn shrink(&self, upper: &[Level]) -> Next {
        let Some(lowest) = upper.first() else { return Next::Try(self.rounded(self.bounds.start)) };
        if lowest.at > self.bounds.least {
            return Next::Try(self.rounded(lowest.at / GROWTH).max(self.bounds.least));
        }
        match lowest.trials.as_upper_end() {
            Settled::NotYet => Next::Try(lowest.at),
            Settled::Surely | Settled::Never => Next::Done(End::BrokenAtLeast),
        }
    }

    /// The geometric middle of two levels, if they are further apart than the precision allows.
    fn between(&self, held: f64, broke: f64) -> Option<f64> {
        let apart = broke / held > self.step() * (1.0 + ROUNDING);
        let middle = self.rounded((held * broke).sqrt());
        (apart && middle > held && middle < broke).then_some(middle)
    }

    /// Repeats the ends until both are certain, the one with fewer trials first.
    fn settle(&self, lower: &[Level], upper: &[Level]) -> Next {
        let low = self.settle_end(lower.iter().rev(), Trials::as_lower_end, 1.0 / self.step());
        let high = self.settle_end(upper.iter(), Trials::as_upper_end, self.step());
        let tried = |at: f64| self.levels.iter().find(|level| level.at == at).map_or(0, |l| l.trials.total());
        match (low, high) {
            (Some(low), Some(high)) => Next::Try(if tried(high) < tried(low) { high } else { low }),
            (Some(at), None) | (None, Some(at)) => Next::Try(at),
            (None, None) => Next::Done(End::Found),
        }
    }

    /// The level to repeat so that an end becomes certain, from the bracket outwards; `None` if it is certain
    /// or never can be.
    fn settle_end<'a>(
        &self,
        outwards: impl Iterator<Item = &'a Level>,
        settled: impl Fn(Trials) -> Settled,
        step: f64,
    ) -> Option<f64> {
        let mut inner: Option<f64> = None;
        for level in outwards {
            if let Some(inner) = inner {
                let next = self.outwards(inner, step)?;
                // Within one step of the last level: as good as a new one.
                let is_near = if step > 1.0 { level.at <= next } else { level.at >= next };
                if !is_near {
                    return Some(next);
                }
            }
            match settled(level.trials) {
                Settled::Surely => return None,
                Settled::NotYet => return Some(level.at),
                Settled::Never => {}
            }
            inner = Some(level.at);
        }
        inner.and_then(|inner| self.outwards(inner, step))
    }

    /// One step further out, within the search's bounds.
    fn outwards(&self, from: f64, step: f64) -> Option<f64> {
        let mut at = self.rounded(from * step);
        if at == from {
            at += if step > 1.0 { 1.0 } else { -1.0 };
        }
        (at >= self.bounds.least && at <= self.bounds.most).then_some(at)
    }

    fn step(&self) -> f64 {
        1.0 + self.bounds.precision
    }

    /// Levels are whole, or have four significant digits: planning needs no more.
    fn rounded(&self, at: f64) -> f64 {
        if self.bounds.whole {
            return at.round().max(1.0);
        }
        // By way of decimal digits: multiples of a unit would give numbers such as 1233.9999.
        format!("{at:.3e}").parse().unwrap_or(at)
    }
}

#[cfg(test)]
mod tests;
