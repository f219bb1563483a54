//! One exposition without mistakes, and one with all of them.

use std::collections::BTreeSet;

use super::{super::format::Format, *};

fn findings(text: &str) -> Vec<Finding> {
    lint(&Page::read(text, Format::of_text(text)))
}

/// One metric of every type, without mistakes.
const GOOD: &str = "\
# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{queue=\"a\"} 3
jobs_total{queue=\"b\"} 0
# HELP temperature_celsius Temperature.
# TYPE temperature_celsius gauge
temperature_celsius -3.5
# HELP wait_seconds Wait.
# TYPE wait_seconds histogram
wait_seconds_bucket{le=\"0.1\"} 1
wait_seconds_bucket{le=\"+Inf\"} 3
wait_seconds_sum 1.5
wait_seconds_count 3
# HELP size_bytes Size.
# TYPE size_bytes summary
size_bytes{quantile=\"0.5\"} NaN
size_bytes_sum 0
size_bytes_count 0
";

const GOOD_OPEN_METRICS: &str = "\
# TYPE jobs counter
# HELP jobs Jobs.
jobs_total 3 # {trace_id=\"x\"} 1
jobs_created 1700000000.5
# TYPE build info
# HELP build Build.
build_info{version=\"1\"} 1
# TYPE state stateset
# HELP state State.
state{state=\"on\"} 1
state{state=\"off\"} 0
# TYPE depth gaugehistogram
# HELP depth Depth.
depth_bucket{le=\"+Inf\"} 1
depth_gcount 1
depth_gsum 4
# TYPE wait_seconds summary
# UNIT wait_seconds seconds
# HELP wait_seconds Wait.
wait_seconds_count 1
wait_seconds_sum 1
# TYPE temperature_celsius gauge
# HELP temperature_celsius Temperature.
temperature_celsius 1 1
temperature_celsius 2 2
# EOF
";

const BAD: &str = "\
up
# HELP hits Regex \\d.
# TYPE hits counter
hits{path=\"/u/1\"} -1
hits{path=\"/u/2\"} 1
hits{path=\"/u/2\"} 1
# HELP hits again
no_metadata 1
# TYPE no_metadata gauge
hits{path=\"/u/3\"} 1
# HELP rest_total Rest.
# TYPE rest_total gauge
rest_total{le=\"1\"} 1
# HELP rest_count Rest.
# TYPE rest_count gauge
rest_count 1
# HELP waitGauge:ms_gauge Wait.
# TYPE waitGauge:ms_gauge gauge
waitGauge:ms_gauge{someLabel=\"x\"} 1
# HELP wait_kb Wait.
# TYPE wait_kb gauge
wait_kb 1
# HELP wait_milliseconds Wait.
# TYPE wait_milliseconds histogram
wait_milliseconds 1
wait_milliseconds_bucket{le=\"1\"} 5
wait_milliseconds_bucket{le=\"2\"} 4
wait_milliseconds_bucket{le=\"+Inf\"} 5
wait_milliseconds_count 6
# HELP size Size.
# TYPE size histogram
size_bucket{le=\"x\"} 1
size_sum 1
size_count 1
# HELP old_x Old.
# TYPE old_x gauge
old_x 1 5
old_x 1 4
no_type 1
";

#[test]
fn a_good_exposition_has_no_findings() {
    assert_eq!(findings(GOOD), []);
    assert_eq!(findings(GOOD_OPEN_METRICS), []);
    assert_eq!(findings(""), []);
}

#[test]
fn findings_of_an_invalid_exposition() {
    let found = findings(BAD);
    let lines: Vec<String> = found
        .iter()
        .map(|f| format!("{}:{}: {}: {}: {}\n  {}", f.line, f.column, f.severity, f.rule, f.message, f.hint))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    let rules: BTreeSet<Rule> = found.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules.len(), 26, "every rule but those about the Content-Type and OpenMetrics: {rules:?}");
}

#[test]
fn open_metrics_has_rules_of_its_own() {
    let text = "# TYPE jobs counter\n# HELP jobs Jobs.\njobs 3\n# TYPE hits_total counter\n# HELP hits_total Hits.\n\
                hits_total 1\n# TYPE t gauge\n# HELP t T.\nt 2 2\nt 1 1\n# TYPE w_seconds summary\n\
                # HELP w_seconds W.\nw_seconds_count{path=\"\\d\"} 1 # {trace_id=\"x\"} 1.0\n\
                w_seconds_sum{path=\"\\d\"} 1\n# EOF\n";
    let lines: Vec<String> =
        findings(text).iter().map(|f| format!("{}: {}: {}", f.line, f.rule, f.message)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    3: strange-sample: jobs is not a sample that a counter has
    4: reserved-total: OpenMetrics declares a counter without `_total`, which only its samples have: hits_total
    6: strange-sample: hits_total is not a sample that a counter has
    10: timestamp-back: t is older here than in line 9
    13: label-escape: a label value of w_seconds has a backslash that stands for nothing
    13: stray-exemplar: w_seconds_count has an exemplar, and is neither a counter nor a bucket
    ");
}

#[test]
fn one_finding_per_rule_and_metric() {
    let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"1\"} -1\na_total{b=\"2\"} -1\n";
    assert_eq!(findings(text).len(), 1);
}
