//! Valid and invalid expositions, each with its findings and with known differences to Prometheus and
//! promtool.

use saasbench_exposition::format::Format::{self, Text004, Text100};

/// An exposition.
pub(crate) struct Case {
    /// Name of the case, and its path on the test server.
    pub(super) name: &'static str,
    pub(super) format: Format,
    pub(super) text: &'static str,
    /// `line:column rule` of every finding, in order.
    pub(super) finds: &'static [&'static str],
    /// Known difference to another program.
    pub(super) but: &'static [But],
}

/// A known difference to another program, and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum But {
    /// Prometheus 2.42 accepts, we reject.
    PrometheusTakes(&'static str),
    /// Prometheus 2.42 rejects, we accept.
    PrometheusRejects(&'static str),
    /// promtool accepts, we report an error.
    PromtoolTakes(&'static str),
    /// promtool rejects, we accept.
    PromtoolRejects(&'static str),
}
use But::{PrometheusRejects, PrometheusTakes, PromtoolRejects, PromtoolTakes};

const CUT: &str = "the text may have been cut off: half a number is a number, too";
const DUPLICATE: &str = "it keeps one of the two values, and does not say which";
const ESCAPES: &str = "it keeps an unknown escape as it is; the format has three of them";
const METADATA: &str = "it keeps the last line without a word";
const NEWER: &str = "names in quotes came with Prometheus 3";
const PROMTOOL_LENIENT: &str = "promtool reads more leniently than Prometheus, which drops the scrape";

macro_rules! case {
    ($name:literal, $format:ident, $text:literal, $finds:expr $(, $but:expr)* $(,)?) => {
        Case { name: $name, format: $format, text: $text, finds: &$finds, but: &[$($but),*] }
    };
}

mod meaning;
mod open_metrics;

pub(crate) use self::{
    meaning::{GROUPS, NAMES, VALUES},
    open_metrics::OPEN_METRICS,
};

/// Values and timestamps.
pub(super) const NUMBERS: &[Case] = &[
    case!(
        "integers",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 5\na{x=\"2\"} -5\na{x=\"3\"} +5\n",
        []
    ),
    case!(
        "floats",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 1.\na{x=\"2\"} .5\na{x=\"3\"} 1e5\n",
        []
    ),
    case!(
        "infinite",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} +Inf\na{x=\"2\"} -Inf\na{x=\"3\"} inf\na{x=\"4\"} Infinity\n",
        []
    ),
    case!("not-a-number", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} NaN\na{x=\"2\"} nan\n", []),
    case!("signed-nan", Text004, "# HELP a A.\n# TYPE a gauge\na +nan\n", ["3:3 syntax"]),
    case!("out-of-range", Text004, "# HELP a A.\n# TYPE a gauge\na 1e999\n", ["3:3 syntax"]),
    case!("hexadecimal", Text004, "# HELP a A.\n# TYPE a gauge\na 0x10\n", ["3:3 syntax"]),
    case!("hexadecimal-exponent", Text004, "# HELP a A.\n# TYPE a gauge\na 0X1P3\n", ["3:3 syntax"]),
    case!("underscores", Text004, "# HELP a A.\n# TYPE a gauge\na 1_0\n", ["3:3 syntax"]),
    case!("a-word", Text004, "# HELP a A.\n# TYPE a gauge\na one\n", ["3:3 syntax"]),
    case!("timestamp", Text004, "# HELP a A.\n# TYPE a gauge\na 1 1700000000000\n", []),
    case!(
        "negative-timestamp",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na 1 -5\n",
        ["3:5 syntax"],
        PromtoolTakes(PROMTOOL_LENIENT)
    ),
    case!("timestamp-in-seconds", Text004, "# HELP a A.\n# TYPE a gauge\na 1 5.5\n", ["3:5 syntax"]),
    case!(
        "huge-timestamp",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na 1 99999999999999999999\n",
        ["3:5 syntax"]
    ),
    case!("two-timestamps", Text004, "# HELP a A.\n# TYPE a gauge\na 1 5 6\n", ["3:7 syntax"]),
    case!("no-value", Text004, "# HELP a A.\n# TYPE a gauge\na\n", ["3:2 syntax"]),
    case!("carriage-return", Text004, "# HELP a A.\n# TYPE a gauge\na 1\r\n", ["3:3 syntax"]),
];

/// Lines, blanks and comments.
pub(super) const LINES: &[Case] = &[
    case!("empty", Text004, "", []),
    case!("comments", Text004, "# just a comment\n#\n\n# EOF\n#another\n", []),
    case!("no-newline", Text004, "# HELP a A.\n# TYPE a gauge\na 1", ["3:4 syntax"], PrometheusTakes(CUT)),
    case!(
        "leading-blank",
        Text004,
        "# HELP a A.\n# TYPE a gauge\n a 1\n",
        ["3:1 syntax"],
        PromtoolTakes(PROMTOOL_LENIENT)
    ),
    case!(
        "trailing-blank",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na 1 \n",
        [],
        PromtoolRejects("the format allows blanks at the end of a line")
    ),
    case!("tabs", Text004, "# HELP\ta\tA.\n# TYPE\ta\tgauge\na\t1\t5\n", []),
    case!(
        "type-in-capitals",
        Text004,
        "# HELP a A.\n# TYPE a GAUGE\na 1\n",
        ["2:10 syntax", "3:1 missing-type"],
        PromtoolTakes(PROMTOOL_LENIENT)
    ),
    case!(
        "type-behind-two-blanks",
        Text004,
        "# HELP a A.\n# TYPE a  gauge\na 1\n",
        ["2:10 syntax", "3:1 missing-type"],
        PromtoolTakes(PROMTOOL_LENIENT)
    ),
    case!(
        "type-before-blank",
        Text004,
        "# HELP a A.\n# TYPE a gauge \na 1\n",
        ["2:10 syntax", "3:1 missing-type"]
    ),
    case!(
        "no-type-in-type-line",
        Text004,
        "# HELP a A.\n# TYPE a\na 1\n",
        ["2:9 syntax", "3:1 missing-type"],
        PromtoolTakes(PROMTOOL_LENIENT)
    ),
    case!("unknown-type", Text004, "# HELP a A.\n# TYPE a thing\na 1\n", ["2:10 syntax", "3:1 missing-type"]),
    case!(
        "type-of-openmetrics",
        Text004,
        "# HELP a A.\n# TYPE a unknown\na 1\n",
        ["2:10 syntax", "3:1 missing-type"]
    ),
    case!("unit-is-a-comment", Text004, "# HELP a A.\n# TYPE a gauge\n# UNIT a seconds\na 1\n", []),
    case!("comment-behind-value", Text004, "# HELP a A.\n# TYPE a gauge\na 1 # one\n", ["3:5 syntax"]),
    case!("help-with-quotes", Text004, "# HELP a An \"A\" with \\\\ and \\n.\n# TYPE a gauge\na 1\n", []),
    case!(
        "help-with-escape",
        Text004,
        "# HELP a \\d\n# TYPE a gauge\na 1\n",
        ["1:1 help-escape"],
        PrometheusTakes(ESCAPES)
    ),
];

/// Names and labels.
pub(super) const LABELS: &[Case] = &[
    case!("labels", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\",y=\"\\\\\\\"\\n\",} 1\na{} 1\n", []),
    case!("blanks-among-labels", Text004, "# HELP a A.\n# TYPE a gauge\na { x = \"1\" , y=\"2\" } 1\n", []),
    case!("no-blank-behind-labels", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\"}1\n", []),
    case!("utf8-value", Text004, "# HELP a Ä.\n# TYPE a gauge\na{x=\"é,}=\"} 1\n", []),
    case!("comma-alone", Text004, "# HELP a A.\n# TYPE a gauge\na{,} 1\n", ["3:3 syntax"]),
    case!("two-commas", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\",,y=\"2\"} 1\n", ["3:9 syntax"]),
    case!(
        "no-comma",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\"y=\"2\"} 1\n",
        ["3:8 syntax"],
        PrometheusTakes("2.42 reads labels without commas; the format has them")
    ),
    case!("label-twice", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n", ["3:14 syntax"]),
    case!("name-as-label", Text004, "# HELP a A.\n# TYPE a gauge\na{__name__=\"b\"} 1\n", ["3:3 syntax"]),
    case!("colon-in-label", Text004, "# HELP a A.\n# TYPE a gauge\na{x:y=\"1\"} 1\n", ["3:4 syntax"]),
    case!("single-quotes", Text004, "# HELP a A.\n# TYPE a gauge\na{x='1'} 1\n", ["3:5 syntax"]),
    case!("no-end-of-labels", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1\"\n", ["3:8 syntax"]),
    case!("no-end-of-value", Text004, "# HELP a A.\n# TYPE a gauge\na{x=\"1} 1\n", ["3:10 syntax"]),
    case!(
        "newline-in-value",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"1\n2\"} 1\n",
        ["3:7 syntax", "4:1 syntax"],
        PrometheusTakes("2.42 reads a label value over several lines; the format wants \\n")
    ),
    case!(
        "escape-in-value",
        Text004,
        "# HELP a A.\n# TYPE a gauge\na{x=\"\\t\"} 1\n",
        ["3:7 syntax"],
        PrometheusTakes(ESCAPES)
    ),
    case!("digit-first", Text004, "# HELP a A.\n# TYPE a gauge\n3a 1\n", ["3:1 syntax"]),
    case!("utf8-name", Text004, "# HELP a A.\n# TYPE a gauge\né 1\n", ["3:1 syntax"]),
    case!("quoted-name-in-0.0.4", Text004, "# HELP a A.\n# TYPE a gauge\n{\"a.b\"} 1\n", ["3:2 syntax"]),
    case!(
        "quoted-names",
        Text100,
        "# HELP \"a.b\" A.\n# TYPE \"a.b\" gauge\n{\"a.b\",\"x y\"=\"1\",z=\"2\"} 1\n",
        [],
        PrometheusRejects(NEWER),
        PromtoolRejects(NEWER),
    ),
    case!("quoted-nothing", Text100, "{\"\"} 1\n", ["1:2 syntax"]),
];
