//! Expositions in the OpenMetrics format.

use saasbench_exposition::format::Format::OpenMetrics;

use super::{
    But::{PrometheusRejects, PrometheusTakes},
    Case, DUPLICATE,
};

/// OpenMetrics, which promtool does not read.
pub(crate) const OPEN_METRICS: &[Case] = &[
    case!("om-empty", OpenMetrics, "# EOF\n", []),
    case!(
        "om-counter",
        OpenMetrics,
        "# TYPE a counter\n# HELP a A.\na_total 1 # {id=\"x\"} 1 1.5\na_created 1.5\n# EOF",
        []
    ),
    case!(
        "om-histogram",
        OpenMetrics,
        "# TYPE a histogram\n# HELP a A.\na_bucket{le=\"+Inf\"} 1 5 # {id=\"x\"} 1\na_count 1\na_sum 1\n# EOF\n",
        []
    ),
    case!(
        "om-other-types",
        OpenMetrics,
        "# TYPE a info\n# HELP a A.\na_info{v=\"1\"} 1\n# TYPE b stateset\n# HELP b B.\nb{b=\"x\"} 1\n# TYPE c unknown\n\
         # HELP c C.\nc 1\n# TYPE d gaugehistogram\n# HELP d D.\nd_bucket{le=\"+Inf\"} 1\nd_gcount 1\nd_gsum 1\n# EOF\n",
        []
    ),
    case!(
        "om-unit",
        OpenMetrics,
        "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds \\\"A\\\".\na_seconds 1 1e3\n# EOF\n",
        []
    ),
    case!("om-foreign-unit", OpenMetrics, "# UNIT a seconds\n# EOF\n", ["1:10 syntax"]),
    case!("om-unit-without-underscore", OpenMetrics, "# UNIT aseconds seconds\n# EOF\n", ["1:17 syntax"]),
    case!("om-no-eof", OpenMetrics, "# TYPE a gauge\n# HELP a A.\na 1\n", ["4:1 syntax"]),
    case!("om-behind-eof", OpenMetrics, "# EOF\na 1\n", ["2:1 syntax"]),
    case!("om-empty-line", OpenMetrics, "\n# EOF\n", ["1:1 syntax"]),
    case!("om-comment", OpenMetrics, "# comment\n# EOF\n", ["1:3 syntax"]),
    case!("om-leading-blank", OpenMetrics, " a 1\n# EOF\n", ["1:1 syntax"]),
    case!("om-two-blanks", OpenMetrics, "a  1\n# EOF\n", ["1:3 syntax"]),
    case!("om-tab", OpenMetrics, "a\t1\n# EOF\n", ["1:2 syntax"]),
    case!("om-trailing-blank", OpenMetrics, "a 1 \n# EOF\n", ["1:5 syntax"]),
    case!("om-blank-among-labels", OpenMetrics, "a{x=\"1\", y=\"2\"} 1\n# EOF\n", ["1:9 syntax"]),
    case!("om-trailing-comma", OpenMetrics, "a{x=\"1\",} 1\n# EOF\n", ["1:9 syntax"]),
    case!("om-no-blank", OpenMetrics, "a{x=\"1\"}1\n# EOF\n", ["1:9 syntax"]),
    case!("om-untyped", OpenMetrics, "# TYPE a untyped\n# EOF\n", ["1:10 syntax"]),
    case!("om-timestamp-nan", OpenMetrics, "a 1 NaN\n# EOF\n", ["1:5 syntax"]),
    case!(
        "om-exemplar-of-gauge",
        OpenMetrics,
        "# TYPE a gauge\n# HELP a A.\na 1 # {id=\"x\"} 1\n# EOF\n",
        ["3:1 stray-exemplar"],
        PrometheusRejects("2.42 does; 2.43 and later read it")
    ),
    case!(
        "om-unknown-escape",
        OpenMetrics,
        "# TYPE a gauge\n# HELP a A.\na{x=\"\\d\"} 1\n# EOF\n",
        ["3:1 label-escape"]
    ),
    case!("om-exemplar-without-value", OpenMetrics, "a_total 1 # {id=\"x\"}\n# EOF\n", ["1:21 syntax"]),
    case!(
        "om-exemplar-with-label-twice",
        OpenMetrics,
        "a_total 1 # {id=\"x\",id=\"y\"} 1\n# EOF\n",
        ["1:27 syntax"],
        PrometheusTakes("2.42 does not check; the format forbids it")
    ),
    case!("om-help-without-text", OpenMetrics, "# HELP a\n# EOF\n", ["1:9 syntax"]),
    case!(
        "om-counter-without-total",
        OpenMetrics,
        "# TYPE a counter\n# HELP a A.\na 1\n# EOF\n",
        ["3:1 strange-sample"],
        PrometheusTakes("to it, a sample has only a name")
    ),
    case!(
        "om-duplicate",
        OpenMetrics,
        "# TYPE a gauge\n# HELP a A.\na 1\na 1\n# EOF\n",
        ["4:1 duplicate-series"],
        PrometheusTakes(DUPLICATE)
    ),
    case!("om-later-timestamp", OpenMetrics, "# TYPE a gauge\n# HELP a A.\na 1 1\na 2 2\n# EOF\n", []),
];
