//! Functions of a series' samples in a range, of which there is at least one.

use crate::{
    numeric::{self, Sum},
    value::Point,
};

/// The samples of one series in a range, with further inputs of a function.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    pub(crate) points: &'a [Point],
    /// Start and end of the range, in milliseconds since the epoch.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The instant of the evaluation, not moved by `offset`.
    pub(crate) now: i64,
    /// The function's numeric parameter.
    pub(crate) parameter: f64,
}

impl Window<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().map(|point| point.value)
    }

    /// How many pairs of consecutive samples satisfy `counts`.
    fn transitions(&self, counts: impl Fn(f64, f64) -> bool) -> f64 {
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        pairs.filter(|(before, after)| counts(before.value, after.value)).count() as f64
    }

    /// The first and the last sample, if there are at least two.
    fn ends(&self) -> Option<(Point, Point)> {
        match self.points {
            [first, .., last] => Some((*first, *last)),
            _ => None,
        }
    }
}

pub(super) fn rate(window: &Window) -> Option<f64> {
    increase(window).map(|increase| increase / seconds(window.end - window.start))
}

pub(super) fn increase(window: &Window) -> Option<f64> {
    let (first, last) = window.ends()?;
    let mut increase = last.value - first.value;
    let mut before = 0.0;
    for value in window.values() {
        // The counter was reset, so its previous value is added.
        if value < before {
            increase += before;
        }
        before = value;
    }
    extrapolated(window, increase, true)
}

pub(super) fn delta(window: &Window) -> Option<f64> {
    let (first, last) = window.ends()?;
    extrapolated(window, last.value - first.value, false)
}

/// Extrapolates the change between the first and the last sample to the whole range: up to its ends if the
/// samples come close to them, otherwise by half the average distance of samples, and never to where a
/// counter would have been below zero.
fn extrapolated(window: &Window, change: f64, is_counter: bool) -> Option<f64> {
    let (first, last) = window.ends()?;
    let sampled = seconds(last.time - first.time);
    let distance = sampled / (window.points.len() - 1) as f64;
    let mut to_start = seconds(first.time - window.start);
    if is_counter && change > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / change);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let to_end = seconds(window.end - last.time);
    let reached = |gap: f64| if gap < distance * 1.1 { gap } else { distance / 2.0 };
    Some(change * ((sampled + reached(to_start) + reached(to_end)) / sampled))
}

pub(super) fn last_rate(window: &Window) -> Option<f64> {
    let [.., before, last] = window.points else { return None };
    let change = if last.value < before.value { last.value } else { last.value - before.value };
    Some(change / seconds(last.time - before.time))
}

pub(super) fn last_delta(window: &Window) -> Option<f64> {
    let [.., before, last] = window.points else { return None };
    Some(last.value - before.value)
}

pub(super) fn derivative(window: &Window) -> Option<f64> {
    let (first, _) = window.ends()?;
    Some(line(window.points, first.time).0)
}

pub(super) fn prediction(window: &Window) -> Option<f64> {
    window.ends()?;
    let (slope, value) = line(window.points, window.now);
    Some(slope * window.parameter + value)
}

/// The slope per second of the least-squares line, and its value at an instant.
fn line(points: &[Point], at: i64) -> (f64, f64) {
    let constant = points.first().map_or(f64::NAN, |first| first.value);
    if points.iter().all(|point| point.value == constant) {
        return if constant.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, constant) };
    }
    let [mut x, mut y, mut xy, mut xx] = [Sum::default(); 4];
    for point in points {
        let time = seconds(point.time - at);
        x.add(time);
        y.add(point.value);
        xy.add(time * point.value);
        xx.add(time * time);
    }
    let count = points.len() as f64;
    let [x, y, xy, xx] = [x, y, xy, xx].map(Sum::exact);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

pub(super) fn resets(window: &Window) -> Option<f64> {
    Some(window.transitions(|before, after| after < before))
}

pub(super) fn changes(window: &Window) -> Option<f64> {
    Some(window.transitions(|before, after| before != after && !(before.is_nan() && after.is_nan())))
}

pub(super) fn sum(window: &Window) -> Option<f64> {
    let mut sum = Sum::default();
    window.values().for_each(|value| sum.add(value));
    Some(sum.total())
}

pub(super) fn average(window: &Window) -> Option<f64> {
    let mut mean = Sum::default();
    for (before, value) in window.values().enumerate() {
        let count = (before + 1) as f64;
        if !numeric::leaves_mean(mean.rounded, value) {
            mean.add(value / count - mean.rounded / count);
        }
    }
    Some(mean.total())
}

pub(super) fn variance(window: &Window) -> Option<f64> {
    let [mut mean, mut squares] = [Sum::default(); 2];
    for (before, value) in window.values().enumerate() {
        let delta = value - mean.exact();
        mean.add(delta / (before + 1) as f64);
        squares.add(delta * (value - mean.exact()));
    }
    Some(squares.exact() / window.points.len() as f64)
}

pub(super) fn deviation(window: &Window) -> Option<f64> {
    variance(window).map(f64::sqrt)
}

pub(super) fn minimum(window: &Window) -> Option<f64> {
    Some(numeric::smallest(window.values()))
}

pub(super) fn maximum(window: &Window) -> Option<f64> {
    Some(numeric::largest(window.values()))
}

pub(super) fn quantile(window: &Window) -> Option<f64> {
    Some(numeric::quantile(window.parameter, window.values().collect()))
}

pub(super) fn count(window: &Window) -> Option<f64> {
    Some(window.points.len() as f64)
}

pub(super) fn present(_: &Window) -> Option<f64> {
    Some(1.0)
}

pub(super) fn last(window: &Window) -> Option<f64> {
    window.points.last().map(|point| point.value)
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
