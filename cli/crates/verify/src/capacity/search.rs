//! Which level to try next, and when the capacity is known: a function of the trials so far, so that no order of lucky and
//! unlucky steps leads it astray.
//!
//! It doubles the level until the objectives break, closes in on the logarithmic scale, and then repeats both ends until
//! each is sure: the capacity is the level at which the objectives hold half of the time, and an end is sure when, were that
//! level the capacity, so one-sided a result would come by chance in at most one of twenty cases (binomial test).

use super::isotonic::{Trials, falling_shares};

/// An end of the interval may be wrong so often.
const TAIL: f64 = 0.05;
/// Trials at one level at most: who is not sure by then is at the knee.
const MOST_TRIALS: u32 = 8;
/// With so many results against it an end cannot become sure any more: one of eight still can.
const CONTRARY: u32 = 2;
/// Steps of growth.
const GROWTH: f64 = 2.0;
/// Slack in comparing ratios of rounded levels.
const ROUNDING: f64 = 1e-3;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first level to be tried.
    pub start: f64,
    /// The lowest that is of interest.
    pub least: f64,
    /// The highest that may be tried.
    pub most: f64,
    /// How far the ends may lie apart, as a share.
    pub precision: f64,
    /// Whether levels are whole numbers: users.
    pub whole: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Take a step at this level.
    Try(f64),
    /// Enough is known.
    Done(End),
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The capacity lies between two levels that are sure.
    Found,
    /// The objectives break at the lowest level, or the generator cannot drive it.
    BrokenAtLeast,
    /// They hold at the highest level that may be tried.
    HeldAtMost,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// The objectives held.
    Held,
    /// The service broke them.
    Broke,
    /// The generator could not drive the level.
    Spoiled,
}

/// The trials at one level.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    at: f64,
    trials: Trials,
}

/// A search, and its trials so far.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    /// By rising level.
    levels: Vec<Level>,
}

/// Where the capacity lies, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// The highest level at which the objectives are taken to hold.
    pub held: Option<f64>,
    /// Whether that is sure.
    pub held_is_sure: bool,
    /// The lowest at which they are taken to break, or at which the generator gave out.
    pub broke: Option<f64>,
    /// Whether it is sure that they break there, and by the service's doing.
    pub broke_is_sure: bool,
    /// Whether that is not sure, and the generator gave out there at least as often as the service.
    pub is_spoiled: bool,
    /// The middle of the neighbours between which the objectives cease to hold half of the time; it lies between `held` and
    /// `broke`, and not half way where only one of them had to move outwards to become sure.
    pub middle: Option<f64>,
}

/// Whether more trials at a level are of use to an end of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is sure.
    Surely,
    /// It may become sure.
    NotYet,
    /// It never will.
    Never,
}

/// Whether so many trials of one kind among `total` are more than chance explains at the capacity itself.
pub fn is_sure(of_kind: u32, total: u32) -> bool {
    let mut weight = 1.0;
    let mut tail = 0.0;
    // The number of the other kind, from none: C(n, i) / 2^n.
    for other in 0..=total.saturating_sub(of_kind) {
        tail += weight;
        weight *= f64::from(total - other) / f64::from(other + 1);
    }
    of_kind <= total && tail / 2f64.powi(i32::try_from(total).unwrap_or(i32::MAX)) <= TAIL
}

impl Trials {
    /// Whether the objectives surely hold here; what the generator spoiled says nothing about that.
    fn as_lower_end(self) -> Settled {
        self.settled(is_sure(self.held, self.clean()), self.broke)
    }

    /// Whether they surely break here, or the generator surely gives out.
    fn as_upper_end(self) -> Settled {
        let generator_gives_out = is_sure(self.spoiled, self.total());
        self.settled(is_sure(self.broke, self.clean()) || generator_gives_out, self.held)
    }

    /// … or no result of further trials up to the most could make it so.
    fn settled(self, is_sure: bool, contrary: u32) -> Settled {
        if is_sure {
            Settled::Surely
        } else if contrary >= CONTRARY || self.total() >= MOST_TRIALS {
            Settled::Never
        } else {
            Settled::NotYet
        }
    }

    /// Whether the generator gave out at least as often as the service.
    fn is_spoiled(self) -> bool {
        self.spoiled > 0 && self.spoiled >= self.broke
    }
}

impl Search {
    /// Nothing is known yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, levels: Vec::new() }
    }

    /// Takes note of what a step at this level came to.
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
                Trial::Spoiled => &mut trials.spoiled,
            } += 1;
        }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let Some((lower, tied, upper)) = self.parted() else {
            return Next::Try(self.rounded(self.bounds.start));
        };
        if let Some(unlike) = tied.iter().min_by_key(|level| level.trials.total()) {
            return Next::Try(unlike.at);
        }
        match (lower.last(), upper.first()) {
            (Some(_), None) => self.grow(lower),
            (None, Some(_)) => self.shrink(upper),
            (Some(held), Some(broke)) => {
                // A step that breaks is repeated before it counts.
                if broke.trials.total() == 1 {
                    return Next::Try(broke.at);
                }
                self.between(held.at, broke.at).map_or_else(|| self.settle(lower, upper), Next::Try)
            }
            (None, None) => Next::Try(self.rounded(self.bounds.start)),
        }
    }

    /// Where the capacity lies by now.
    pub fn bracket(&self) -> Bracket {
        let (lower, _, upper) = self.parted().unwrap_or_default();
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

    /// Levels that rather hold, that are even, and that rather break; `None` without any.
    fn parted(&self) -> Option<(&[Level], &[Level], &[Level])> {
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

    /// The level in the middle, if both are further apart than they may be.
    fn between(&self, held: f64, broke: f64) -> Option<f64> {
        let apart = broke / held > self.step() * (1.0 + ROUNDING);
        let middle = self.rounded((held * broke).sqrt());
        (apart && middle > held && middle < broke).then_some(middle)
    }

    /// Repeats the ends until both are sure, the one with fewer trials first.
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

    /// The level that makes an end sure, from the bracket outwards; `None` if it is sure, or can never be.
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
                // Within one step of the last: as good as a new level.
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

    /// One step further out, as far as levels go.
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

    /// Levels have four digits, or are whole: nobody plans with more.
    fn rounded(&self, at: f64) -> f64 {
        if self.bounds.whole {
            return at.round().max(1.0);
        }
        // By way of decimal digits: multiples of a unit would not be the numbers that people write.
        format!("{at:.3e}").parse().unwrap_or(at)
    }
}

#[cfg(test)]
mod tests;
