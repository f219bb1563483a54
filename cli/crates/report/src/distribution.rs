//! A latency histogram in text: a row for each range of latencies, from intended and from sent side by side.

use super::style::{FAINT, STRONG, paint};
use crate::spans::{bar, pad};
use saasbench_model::units::Nanos;
use saasbench_verify::distribution::{Bucket, Distribution, PER_DECADE};

/// Maximum number of rows.
const ROWS: i64 = 12;
/// From this width on, both histograms fit side by side.
const BOTH: usize = 72;
/// Columns of a row's label.
const LABEL: usize = 10;
/// Columns of a row's share and of the quantiles that fall into it.
const NUMBERS: usize = 9;
const MARKS: usize = 10;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Its lines, each at most `width` columns; empty without a response.
pub fn render(distribution: &Distribution, width: usize) -> String {
    let all = distribution.from_intended.iter().chain(&distribution.from_sent);
    let Some((first, last)) = all.map(index).fold(None, |range: Option<(i64, i64)>, index| {
        let (first, last) = range.unwrap_or((index, index));
        Some((first.min(index), last.max(index)))
    }) else {
        return String::new();
    };
    let step = [1, 2, 4, 5, 10, 20].into_iter().find(|step| last / step - first / step < ROWS).unwrap_or(40);
    let mut sides = vec![Side::of("from intended", &distribution.from_intended, first, step)];
    if width >= BOTH {
        sides.push(Side::of("from sent", &distribution.from_sent, first, step));
    }
    let column = (width.saturating_sub(LABEL + 1)) / sides.len();
    let title = |side: &Side<'_>| format!(" {}", pad(side.title, column.saturating_sub(1)));
    let titles: String = sides.iter().map(title).collect();
    let mut lines = vec![paint(FAINT, format!("{}{titles}", pad("latency", LABEL)).trim_end())];
    let mut skipped = false;
    for row in 0..=(last / step - first / step) {
        if sides.iter().all(|side| side.count(row) == 0) {
            if !skipped {
                lines.push(paint(FAINT, format!("{:>LABEL$}", "⋮")));
            }
            skipped = true;
            continue;
        }
        skipped = false;
        let upper = 10_f64.powf(((first / step + row) * step + step - 1) as f64 / f64::from(PER_DECADE));
        let label = format!("≤ {}", Nanos(upper.round() as i64));
        let shown: String = sides.iter().map(|side| side.row(row, column)).collect();
        lines.push(format!("{}{shown}", pad(&label, LABEL)).trim_end().to_owned());
    }
    lines.join("\n")
}

/// Index of a bucket by its upper bound: `20 × log10(ns)`.
fn index(bucket: &Bucket) -> i64 {
    ((bucket.upper_ns.0 as f64).log10() * f64::from(PER_DECADE)).round() as i64
}

/// Counts by row, from one of the two start instants.
struct Side<'a> {
    title: &'a str,
    rows: Vec<u64>,
    total: u64,
}

impl<'a> Side<'a> {
    fn of(title: &'a str, buckets: &[Bucket], first: i64, step: i64) -> Self {
        let mut rows = Vec::new();
        for bucket in buckets {
            let row = (index(bucket) / step - first / step) as usize;
            rows.resize(rows.len().max(row + 1), 0);
            rows[row] += bucket.count;
        }
        Self { title, total: rows.iter().sum(), rows }
    }

    fn count(&self, row: i64) -> u64 {
        self.rows.get(row as usize).copied().unwrap_or_default()
    }

    /// Bar, share and quantiles of a row, in `column` columns.
    fn row(&self, row: i64, column: usize) -> String {
        let (count, most) = (self.count(row), self.rows.iter().copied().max().unwrap_or_default());
        let longest = column.saturating_sub(NUMBERS + MARKS).max(4);
        let bar = pad(&bar(count as f64 / most.max(1) as f64, longest), longest);
        let share = match count {
            0 => String::new(),
            _ => format!("{:.1} %", count as f64 / self.total.max(1) as f64 * 100.0),
        };
        let below: u64 = self.rows.iter().take(row as usize).sum();
        let marks: Vec<&str> = QUANTILES
            .iter()
            .filter(|(_, q)| {
                let rank = ((self.total as f64 * q).ceil() as u64).max(1);
                below < rank && rank <= below + count
            })
            .map(|(name, _)| *name)
            .collect();
        let marks = match marks.as_slice() {
            [first, _, .., last] => format!("{first}–{last}"),
            few => few.join(" "),
        };
        let blanks = " ".repeat((MARKS - 1).saturating_sub(marks.chars().count()));
        let marks = if marks.is_empty() { marks } else { paint(STRONG, marks) };
        format!(" {bar}{share:>8} {marks}{blanks}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(distribution: &Distribution, width: usize) -> String {
        let text = anstream::adapter::strip_str(&render(distribution, width)).to_string();
        for line in text.lines() {
            let columns = unicode_width::UnicodeWidthStr::width(line);
            assert!(columns <= width, "{columns} columns: {line}");
        }
        text
    }

    fn buckets(pairs: &[(i32, u64)]) -> Vec<Bucket> {
        let upper = |index: i32| Nanos(10_f64.powf(f64::from(index) / 20.0).round() as i64);
        pairs.iter().map(|(index, count)| Bucket { upper_ns: upper(*index), count: *count }).collect()
    }

    #[test]
    fn shows_both_histograms_side_by_side_where_they_fit() {
        let distribution = Distribution {
            from_intended: buckets(&[
                (119, 40),
                (120, 900),
                (121, 1200),
                (122, 300),
                (124, 40),
                (126, 9),
                (151, 20),
                (152, 3),
            ]),
            from_sent: buckets(&[(118, 90), (119, 900), (120, 1200), (121, 290), (122, 30), (124, 2)]),
        };
        for width in [120, 80, 60, 40] {
            insta::assert_snapshot!(format!("distribution_{width}"), shown(&distribution, width));
        }
    }

    #[test]
    fn one_bucket_or_none() {
        let one = Distribution { from_intended: buckets(&[(100, 7)]), from_sent: buckets(&[(100, 7)]) };
        insta::assert_snapshot!(shown(&one, 80));
        assert_eq!(shown(&Distribution::default(), 80), "");
    }
}
