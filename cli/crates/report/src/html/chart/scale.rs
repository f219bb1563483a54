//! Scales of axes: from values to coordinates, and round ticks; linear, logarithmic, and for time.

/// Maps values to coordinates along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Values at the ends, ascending.
    domain: (f64, f64),
    /// Coordinates of the ends.
    range: (f64, f64),
    is_log: bool,
}

/// Allowed distances of ticks on a time axis, in seconds.
const TIME_STEPS: [f64; 19] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
    7200.0, 21_600.0, 86_400.0,
];

impl Scale {
    /// Linear; an empty domain is extended to length 1.
    pub(crate) fn linear(domain: (f64, f64), range: (f64, f64)) -> Self {
        let (low, high) = domain;
        let high = if high > low { high } else { low + 1.0 };
        Self { domain: (low, high), range, is_log: false }
    }

    /// Linear from 0 to a round value of at least `most`.
    pub(crate) fn from_zero(most: f64, range: (f64, f64)) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let step = round_step(most / 4.0);
        Self::linear((0.0, (most / step - 1e-9).ceil() * step), range)
    }

    /// Logarithmic from a round value of at most `low` to one of at least `high`. Values below the start are
    /// placed there.
    pub(crate) fn log((low, high): (f64, f64), range: (f64, f64)) -> Self {
        let low = if low.is_finite() && low > 0.0 { low } else { 1.0 };
        let high = if high.is_finite() && high > low { high } else { low };
        let down = |value: f64| 10f64.powf(value.log10().floor());
        let first = [5.0, 2.0, 1.0].into_iter().map(|times| times * down(low)).find(|least| *least <= low);
        let last =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * down(high)).find(|most| *most >= high);
        let (first, last) = (first.unwrap_or(low), last.unwrap_or(high));
        let last = if last > first { last } else { first * 10.0 };
        Self { domain: (first, last), range, is_log: true }
    }

    /// Logarithmic over exactly this domain.
    pub(crate) fn exactly_log(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { domain, range, is_log: true }
    }

    /// Values at the ends.
    pub(crate) fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// Coordinate of a value, clamped to the ends.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let share = if self.is_log {
            (value.max(low) / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        };
        let (from, to) = self.range;
        from + share.clamp(0.0, 1.0) * (to - from)
    }

    /// Round values inside the domain, about `wanted` of them at most, ascending.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        let wanted = wanted.max(2);
        if self.is_log {
            self.log_ticks(wanted)
        } else {
            self.even_ticks(round_step(self.length() / wanted as f64))
        }
    }

    /// Ticks for seconds: steps of 1, 2, 5, 10, 20, 30 s, minutes, hours.
    pub(crate) fn time_ticks(&self, wanted: usize) -> Vec<f64> {
        let least = self.length() / wanted.max(2) as f64;
        let step = TIME_STEPS.into_iter().find(|step| *step >= least);
        self.even_ticks(step.unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0))
    }

    fn length(&self) -> f64 {
        self.domain.1 - self.domain.0
    }

    fn even_ticks(&self, step: f64) -> Vec<f64> {
        let (low, high) = self.domain;
        let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        (first..=last).map(|number| number as f64 * step).collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let (low, high) = self.domain;
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let inside = |value: &f64| *value >= low * (1.0 - 1e-9) && *value <= high * (1.0 + 1e-9);
        let of = |times: &[f64], every: usize| -> Vec<f64> {
            let decades = (first..=last).filter(|decade| decade.rem_euclid(every as i32) == 0);
            decades
                .flat_map(|decade| times.iter().map(move |times| times * 10f64.powi(decade)))
                .filter(inside)
                .collect()
        };
        let finest =
            [of(&[1.0, 2.0, 5.0], 1), of(&[1.0, 3.0], 1), of(&[1.0], 1), of(&[1.0], 2), of(&[1.0], 3)];
        let fits = |ticks: &Vec<f64>| ticks.len() <= wanted;
        finest.iter().find(|ticks| fits(ticks)).or(finest.last()).cloned().unwrap_or_default()
    }
}

/// The smallest of 1, 2, 5, 10, … that is at least `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|times| times * decade)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn ticks_are_few_ascending_and_inside(low in 0.0..1e6_f64, length in 1e-3..1e9_f64, wanted in 2_usize..9) {
            let scales = [
                Scale::linear((low, low + length), (0.0, 100.0)),
                Scale::from_zero(length, (100.0, 0.0)),
                Scale::log((low + 1e-6, low + 1e-6 + length), (0.0, 100.0)),
            ];
            for scale in scales {
                let (from, to) = scale.domain();
                for ticks in [scale.ticks(wanted), scale.time_ticks(wanted)] {
                    proptest::prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
                    let slack = (to - from) * 1e-6;
                    proptest::prop_assert!(ticks.iter().all(|tick| *tick >= from - slack && *tick <= to + slack), "{ticks:?}");
                }
                proptest::prop_assert!(scale.ticks(wanted).len() <= wanted + 4, "{:?}", scale.ticks(wanted));
            }
        }

        #[test]
        fn places_are_monotonic(a in -1e3..1e9_f64, b in -1e3..1e9_f64, high in 1.0..1e9_f64) {
            for scale in [Scale::from_zero(high, (0.0, 300.0)), Scale::log((1e-3, high), (0.0, 300.0))] {
                let (small, great) = (scale.place(a.min(b)), scale.place(a.max(b)));
                proptest::prop_assert!((0.0..=300.0).contains(&small) && small <= great && great <= 300.0);
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let shown = |ticks: Vec<f64>| ticks.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let of = |scale: Scale| format!("{:?}: {}", scale.domain(), shown(scale.ticks(5)));
        insta::assert_snapshot!(
            [
                of(Scale::from_zero(205.0, (0.0, 1.0))),
                of(Scale::from_zero(0.0, (0.0, 1.0))),
                of(Scale::log((3e5, 4e7), (0.0, 1.0))),
                of(Scale::log((1e3, 1e9), (0.0, 1.0))),
                of(Scale::log((0.0, 0.0), (0.0, 1.0))),
                shown(Scale::linear((-0.4, 25.3), (0.0, 1.0)).time_ticks(6)),
                shown(Scale::linear((0.0, 7000.0), (0.0, 1.0)).time_ticks(6)),
            ]
            .join("\n")
        );
    }
}
