//! Checks for numbers that contradict each other: buckets, counts and sums of one scrape.

use std::collections::BTreeMap;

use super::{
    super::{
        cursor::float,
        entry::{Label, MetricType},
        page::{Family, Row},
    },
    Finding,
    rule::Rule,
};

/// The samples of a histogram or summary that differ only in bound or quantile.
#[derive(Debug, Default)]
struct Group {
    line: usize,
    /// Bound, count and line.
    buckets: Vec<(f64, f64, usize)>,
    count: Option<(f64, usize)>,
    has_sum: bool,
}

/// Checks the values of one metric.
pub(super) fn check(family: &Family<'_>, findings: &mut Vec<Finding>) {
    let mut find = Findings { family: family.name.decode().into_owned(), found: findings };
    match family.kind() {
        MetricType::Counter => check_counts(family, &mut find),
        MetricType::Histogram | MetricType::GaugeHistogram => {
            if family.kind() == MetricType::Histogram {
                check_counts(family, &mut find);
            }
            for group in groups(family, "le", &mut find).values_mut() {
                check_histogram(group, &mut find);
            }
        }
        MetricType::Summary => {
            check_counts(family, &mut find);
            for group in groups(family, "quantile", &mut find).values() {
                if group.count.is_none() || !group.has_sum {
                    find.once(Rule::Incomplete, group.line, "the summary has no `_count` or no `_sum`");
                }
            }
        }
        _ => {}
    }
}

/// Collects findings about one metric, one per rule: what is wrong in one series is usually wrong in all.
struct Findings<'f> {
    family: String,
    found: &'f mut Vec<Finding>,
}

impl Findings<'_> {
    fn once(&mut self, rule: Rule, line: usize, message: &str) {
        let is_known = self
            .found
            .iter()
            .any(|known| known.rule == rule && known.metric.as_deref() == Some(&self.family));
        if !is_known {
            self.found.push(Finding::new(
                rule,
                line,
                Some(&self.family),
                format!("{}: {message}", self.family),
            ));
        }
    }
}

/// Checks that counts are not negative. (Sums may be, if observations are.)
fn check_counts(family: &Family<'_>, find: &mut Findings<'_>) {
    let is_histogram = family.kind() == MetricType::Histogram;
    for row in &family.rows {
        let counts = match suffix(row, family) {
            "_created" | "_sum" => false,
            "_bucket" | "_count" => true,
            _ => family.kind() == MetricType::Counter,
        };
        if counts && (row.value < 0.0 || row.value.is_nan()) {
            let what = if is_histogram { "the histogram" } else { "it" };
            find.once(Rule::CounterValue, row.line, &format!("{what} has counted {}", row.value));
        }
    }
}

fn suffix<'a>(row: &Row<'a>, family: &Family<'_>) -> &'a str {
    row.name.written().strip_prefix(family.name.written()).unwrap_or_default()
}

/// The family's samples in groups; `own` is the label that distinguishes the samples of a group.
fn groups<'a>(family: &Family<'a>, own: &str, find: &mut Findings<'_>) -> BTreeMap<Vec<Label<'a>>, Group> {
    let mut groups: BTreeMap<Vec<Label<'a>>, Group> = BTreeMap::new();
    for row in &family.rows {
        let (mine, mut labels): (Vec<_>, Vec<_>) =
            row.labels.iter().partition(|label| label.name.written() == own);
        labels.sort_unstable();
        let group = groups.entry(labels).or_insert_with(|| Group { line: row.line, ..Group::default() });
        match suffix(row, family) {
            "_count" | "_gcount" => group.count = Some((row.value, row.line)),
            "_sum" | "_gsum" => group.has_sum = true,
            // A histogram has no sample with its own name: that is another finding.
            "" if own == "le" => {}
            "_bucket" | "" => match mine.first().map(|label| label.value.written()) {
                Some(written) => match float(written).filter(|bound| !bound.is_nan()) {
                    Some(bound) => group.buckets.push((bound, row.value, row.line)),
                    None => find.once(Rule::Bound, row.line, &format!("{own}=\"{written}\" is not a number")),
                },
                None => find.once(Rule::Bound, row.line, &format!("a sample without the label `{own}`")),
            },
            _ => {}
        }
    }
    groups
}

fn check_histogram(group: &mut Group, find: &mut Findings<'_>) {
    group.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    for pair in group.buckets.windows(2) {
        let ((bound, count, _), (next_bound, next, line)) = (pair[0], pair[1]);
        if bound == next_bound {
            find.once(Rule::Bound, line, &format!("two buckets have the bound {bound}"));
        } else if next < count {
            let message = format!("up to {bound} it counted {count}, up to {next_bound} only {next}");
            find.once(Rule::BucketsFall, line, &message);
        }
    }
    match (group.buckets.last(), group.count) {
        (Some((bound, all, _)), count) if *bound == f64::INFINITY => {
            if let Some((count, line)) = count
                && count != *all
            {
                let message = format!("`_count` is {count}, the bucket `+Inf` is {all}");
                find.once(Rule::CountMismatch, line, &message);
            }
        }
        _ => find.once(Rule::MissingInf, group.line, "the histogram has no bucket `le=\"+Inf\"`"),
    }
    if group.count.is_none() || !group.has_sum {
        find.once(Rule::Incomplete, group.line, "the histogram has no `_count` or no `_sum`");
    }
}
