//! Expositions in the text format with valid lines: errors and warnings are about names, groups of lines, and
//! values.

use saasbench_exposition::format::Format::Text004;

use super::{
    But::{PrometheusTakes, PromtoolTakes},
    Case, DUPLICATE, METADATA,
};

/// Findings about names.
pub(crate) const NAMES: &[Case] = &[
    case!("no-metadata", Text004, "a 1\n", ["1:1 missing-help", "1:1 missing-type"]),
    case!("empty-help", Text004, "# HELP a\n# TYPE a gauge\na 1\n", ["1:1 missing-help"]),
    case!("untyped", Text004, "# HELP a_total A.\n# TYPE a_total untyped\na_total{le=\"1\"} 1\n", []),
    case!("counter", Text004, "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n", []),
    case!("counter-without-total", Text004, "# HELP a A.\n# TYPE a counter\na 1\n", ["1:1 counter-total"]),
    case!(
        "gauge-with-total",
        Text004,
        "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
        ["1:1 reserved-total"]
    ),
    case!(
        "reserved-suffixes",
        Text004,
        "# HELP a_bucket A.\n# TYPE a_bucket gauge\na_bucket 1\n# HELP b_count B.\n# TYPE b_count gauge\nb_count 1\n\
         # HELP c_sum C.\n# TYPE c_sum gauge\nc_sum 1\n",
        ["1:1 reserved-suffix", "4:1 reserved-suffix", "7:1 reserved-suffix"]
    ),
    case!(
        "reserved-labels",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{le=\"1\",quantile=\"1\"} 1\n",
        ["1:1 reserved-label", "1:1 reserved-label"]
    ),
    case!(
        "type-in-name",
        Text004,
        "# HELP a_gauge_x A.\n# TYPE a_gauge_x gauge\na_gauge_x 1\n",
        ["1:1 type-in-name"]
    ),
    case!("type-word-in-word", Text004, "# HELP gauges_a A.\n# TYPE gauges_a gauge\ngauges_a 1\n", []),
    case!("colon", Text004, "# HELP a:b A.\n# TYPE a:b gauge\na:b 1\n", ["1:1 colon-in-name"]),
    case!(
        "camel-case",
        Text004,
        "# HELP aB A.\n# TYPE aB gauge\naB{xY=\"1\"} 1\n",
        ["1:1 camel-case", "1:1 camel-case"]
    ),
    case!(
        "milliseconds",
        Text004,
        "# HELP a_milliseconds A.\n# TYPE a_milliseconds gauge\na_milliseconds 1\n",
        ["1:1 base-unit"]
    ),
    case!("hours", Text004, "# HELP a_hours_x A.\n# TYPE a_hours_x gauge\na_hours_x 1\n", ["1:1 base-unit"]),
    case!(
        "kilobytes",
        Text004,
        "# HELP a_kilobytes A.\n# TYPE a_kilobytes gauge\na_kilobytes 1\n",
        ["1:1 base-unit"]
    ),
    case!("bits", Text004, "# HELP a_bits A.\n# TYPE a_bits gauge\na_bits 1\n", ["1:1 base-unit"]),
    case!("abbreviated", Text004, "# HELP a_ms A.\n# TYPE a_ms gauge\na_ms 1\n", ["1:1 unit-abbreviation"]),
    case!(
        "abbreviated-within",
        Text004,
        "# HELP a_KB_x A.\n# TYPE a_KB_x gauge\na_KB_x 1\n",
        ["1:1 unit-abbreviation"]
    ),
    case!(
        "base-units",
        Text004,
        "# HELP a_seconds A.\n# TYPE a_seconds gauge\na_seconds 1\n# HELP thermometers B.\n# TYPE thermometers gauge\nthermometers 1\n\
         # HELP c_metres C.\n# TYPE c_metres gauge\nc_metres 1\n",
        []
    ),
];

/// Findings about groups of lines.
pub(crate) const GROUPS: &[Case] = &[
    case!(
        "duplicate",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n",
        ["4:1 duplicate-series"],
        PrometheusTakes(DUPLICATE),
        PromtoolTakes(DUPLICATE)
    ),
    case!(
        "duplicate-of-the-same-value",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na 1\na 1\n",
        ["4:1 duplicate-series"],
        PrometheusTakes(DUPLICATE),
        PromtoolTakes(DUPLICATE)
    ),
    case!(
        "older-timestamp",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na 1 5\na 1 4\n",
        ["4:1 timestamp-back"],
        PrometheusTakes("it drops the older sample"),
        PromtoolTakes("it compares no timestamps")
    ),
    case!(
        "interrupted",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 1\n# HELP b B.\n# TYPE b gauge\nb 1\na{x=\"2\"} 1\n",
        ["7:1 interrupted-group"]
    ),
    case!(
        "type-twice",
        Text004,
        "# HELP a A.\n# TYPE a gauge\n# TYPE a gauge\na 1\n",
        ["3:1 duplicate-metadata"],
        PrometheusTakes(METADATA)
    ),
    case!(
        "help-twice",
        Text004,
        "# HELP a A.\n# HELP a B.\n# TYPE a gauge\na 1\n",
        ["2:1 duplicate-metadata"],
        PrometheusTakes(METADATA)
    ),
    case!(
        "late-type",
        Text004,
        "# HELP a A.\na 1\n# TYPE a gauge\n",
        ["3:1 late-metadata"],
        PrometheusTakes("it knows the type from the next scrape on")
    ),
    case!(
        "late-help",
        Text004,
        "# TYPE a gauge\na 1\n# HELP a A.\n",
        ["3:1 late-metadata"],
        PrometheusTakes("it keeps the text all the same"),
        PromtoolTakes("it minds the order of TYPE lines only")
    ),
];

/// Findings about values.
pub(crate) const VALUES: &[Case] = &[
    case!(
        "histogram",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n",
        []
    ),
    case!(
        "summary",
        Text004,
        "# HELP a A.\n# TYPE a summary\na{quantile=\"0.5\"} NaN\na_sum 0\na_count 0\n",
        []
    ),
    case!(
        "falling-buckets",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 3\na_bucket{le=\"2\"} 1\na_bucket{le=\"+Inf\"} 3\na_sum 3\na_count 3\n",
        ["4:1 buckets-fall"],
        PrometheusTakes("it reads no bucket"),
        PromtoolTakes("it compares no values")
    ),
    case!(
        "no-inf",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 3\na_count 1\n",
        ["3:1 missing-inf"],
        PrometheusTakes("it reads no bucket"),
        PromtoolTakes("it compares no values")
    ),
    case!(
        "count-is-not-inf",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 3\na_count 2\n",
        ["5:1 count-mismatch"],
        PrometheusTakes("it reads no bucket"),
        PromtoolTakes("it compares no values")
    ),
    case!(
        "bound-is-a-word",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"x\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 3\na_count 1\n",
        ["3:1 bound"],
        PrometheusTakes("it reads no bucket")
    ),
    case!(
        "quantile-is-a-word",
        Text004,
        "# HELP a A.\n# TYPE a summary\na{quantile=\"x\"} 1\na_sum 3\na_count 1\n",
        ["3:1 bound"],
        PrometheusTakes("it reads no quantile")
    ),
    case!(
        "bucket-without-bound",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket 1\na_bucket{le=\"+Inf\"} 1\na_sum 3\na_count 1\n",
        ["3:1 bound"],
        PrometheusTakes("it reads no bucket"),
        PromtoolTakes("it leaves such a bucket out")
    ),
    case!(
        "no-sum",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
        ["3:1 incomplete"]
    ),
    case!(
        "histogram-by-name",
        Text004,
        "# HELP a A.\n# TYPE a histogram\na 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
        ["3:1 strange-sample"],
        PrometheusTakes("to it, a sample has only a name"),
        PromtoolTakes("it leaves the sample out")
    ),
    case!(
        "negative-counter",
        Text004,
        "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n",
        ["3:1 counter-value"],
        PrometheusTakes("it reads no value"),
        PromtoolTakes("it reads no value")
    ),
    case!(
        "counter-of-nan",
        Text004,
        "# HELP a_total A.\n# TYPE a_total counter\na_total NaN\n",
        ["3:1 counter-value"],
        PrometheusTakes("it reads no value"),
        PromtoolTakes("it reads no value")
    ),
    case!(
        "ids",
        Text004,
        "# HELP a_total A.\n# TYPE a_total counter\na_total{path=\"/u/1\"} 1\na_total{path=\"/u/2\"} 1\n",
        ["1:1 label-of-ids"]
    ),
];
