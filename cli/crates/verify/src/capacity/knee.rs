//! The knee of the latency-by-rate curve: where p99 has doubled compared with low load, and stays so.

use saasbench_model::units::Nanos;

/// A rise of p99 by less than this cannot be distinguished from timer noise.
const GRAIN: Nanos = Nanos::from_millis(1);

/// One level of load and the p99 seen there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rate, or number of users.
    pub level: f64,
    /// p99 latency at that level.
    pub p99: Nanos,
}

/// The level at which p99 exceeds twice the p99 of the lowest level, and that by at least 1 ms, and above
/// which it stays there; interpolated between two levels along a straight line on logarithmic axes. `None`
/// where that never happens. `points` must rise by level; several points of one level count as their median.
pub fn knee(points: &[Point]) -> Option<f64> {
    let points = medians(points);
    let base = points.first()?.p99;
    let bound = Nanos(base.0.saturating_mul(2)).max(base + GRAIN);
    let last_below = points.iter().rposition(|point| point.p99 <= bound)?;
    let (below, above) = (points.get(last_below)?, points.get(last_below + 1)?);
    let log = |nanos: Nanos| (nanos.0.max(1) as f64).ln();
    let share = (log(bound) - log(below.p99)) / (log(above.p99) - log(below.p99));
    Some((below.level.ln() + share * (above.level / below.level).ln()).exp())
}

/// One point per level: the median p99.
fn medians(points: &[Point]) -> Vec<Point> {
    let of_level = |group: &[Point]| {
        let mut p99: Vec<Nanos> = group.iter().map(|point| point.p99).collect();
        p99.sort_unstable();
        Some(Point { level: group.first()?.level, p99: *p99.get((p99.len() - 1) / 2)? })
    };
    points.chunk_by(|a, b| a.level == b.level).filter_map(of_level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(f64, i64)]) -> Option<f64> {
        let points: Vec<Point> =
            points.iter().map(|&(level, ms)| Point { level, p99: Nanos::from_millis(ms) }).collect();
        knee(&points).map(f64::round)
    }

    #[test]
    fn the_knee_is_where_p99_has_doubled_and_stays_so() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(100.0, 10), (200.0, 12), (400.0, 19)]), None, "never doubled");
        assert_eq!(of(&[(100.0, 10), (200.0, 20), (400.0, 200)]), Some(200.0));
        assert_eq!(of(&[(100.0, 10), (200.0, 10), (800.0, 40)]), Some(400.0), "half way on logarithmic axes");
        assert_eq!(
            of(&[(100.0, 10), (200.0, 50), (300.0, 11), (600.0, 44)]),
            Some(405.0),
            "a hiccup is none"
        );
        assert_eq!(of(&[(100.0, 10), (200.0, 12), (200.0, 90), (200.0, 14), (400.0, 15)]), None, "medians");
        // 0.2 ms and 0.5 ms cannot be distinguished.
        let point = |level, p99| Point { level, p99: Nanos(p99) };
        assert_eq!(knee(&[point(1.0, 200_000), point(2.0, 500_000)]), None);
    }
}
