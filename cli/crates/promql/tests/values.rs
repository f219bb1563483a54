//! Values computed by hand, after `promql/functions.go`, `engine.go` and `quantile.go` of Prometheus 2.42.

#![expect(
    clippy::unwrap_used,
    reason = "in the functions that tests are made of, too, a panic is a test that failed"
)]

use saasbench_promql::{Labels, Query, Sample, Series, Source, Store, Value};

fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let pairs = rest.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.trim().split_once('=').unwrap());
    let named = std::iter::once(("__name__", name)).filter(|(_, name)| !name.is_empty());
    named.chain(pairs).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Series as `name{label=value}`, with a value every ten seconds from 0 on; `_` is a missing sample, and `x`
/// a series that ended (stale).
fn store(series: &[(&str, &str)]) -> Store {
    let store = Store::new(i64::MAX);
    for (series, values) in series {
        let mut source = Source::default();
        for (index, value) in values.split_whitespace().enumerate() {
            let time = index as i64 * 10_000;
            match value {
                "_" => {}
                "x" => store.append(&mut source, time, []),
                value => store.append(&mut source, time, [(labels(series), value.parse().unwrap())]),
            }
        }
    }
    store
}

/// A value as one line, with nine digits: `name{label=value} 3, {} 4`.
fn shown(value: &Value) -> String {
    let series = |labels: &Labels| {
        let mut labels = labels.clone();
        let name = labels.remove("__name__").unwrap_or_default();
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{name}{{{}}}", pairs.join(","))
    };
    let rounded = |value: f64| if value.is_finite() { (value * 1e9).round() / 1e9 } else { value };
    let sample = |Sample { labels, value }: &Sample| format!("{} {}", series(labels), rounded(*value));
    let of_range = |Series { labels, points }: &Series| {
        let points: Vec<String> =
            points.iter().map(|point| format!("{}@{}", point.value, point.time / 1000)).collect();
        format!("{} {}", series(labels), points.join(" "))
    };
    match value {
        Value::Scalar(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Vector(samples) => samples.iter().map(sample).collect::<Vec<_>>().join(", "),
        Value::Matrix(all) => all.iter().map(of_range).collect::<Vec<_>>().join(", "),
    }
}

/// Evaluates each expression at its second.
fn assert_values(store: &Store, table: &[(&str, i64, &str)]) {
    for (text, second, expected) in table {
        let value = Query::parse(text).and_then(|query| query.at(store, second * 1000));
        let found = value.map_or_else(|error| format!("error: {error}"), |value| shown(&value));
        assert_eq!(found, *expected, "{text} at {second} s");
    }
}

#[test]
fn selectors_take_the_last_sample_and_ranges_both_of_their_ends() {
    let store =
        store(&[("a{x=1}", "0 1 2 3 4 5"), ("a{x=2}", "9 8 _ 6"), ("a{x=3}", "7 x _ 5 x"), ("b", "1")]);
    assert_values(
        &store,
        &[
            ("a", 0, "a{x=1} 0, a{x=2} 9, a{x=3} 7"),
            ("a", 19, "a{x=1} 1, a{x=2} 8"),
            ("a", 30, "a{x=1} 3, a{x=2} 6, a{x=3} 5"),
            ("a offset 25s", 44, "a{x=1} 1, a{x=2} 8"),
            ("a offset -10s", 10, "a{x=1} 2, a{x=2} 8"),
            ("a @ 30", 0, "a{x=1} 3, a{x=2} 6, a{x=3} 5"),
            ("a @ 30 offset 10s", 0, "a{x=1} 2, a{x=2} 8"),
            ("b", 300, "b{} 1"),
            ("b", 301, ""),
            ("a[20s]", 30, "a{x=1} 1@10 2@20 3@30, a{x=2} 8@10 6@30, a{x=3} 5@30"),
            ("a{x=\"3\"}[1m]", 50, "a{x=3} 7@0 5@30"),
            ("a{x=\"1\"}[20s] offset 10s", 30, "a{x=1} 0@0 1@10 2@20"),
            ("(a{x=\"1\"} * 2)[25s:10s]", 39, "{x=1} 4@20 6@30"),
            ("a{x=\"1\"}[20s:10s]", 30, "a{x=1} 1@10 2@20 3@30"),
            ("sum_over_time(vector(time())[30s:15s])", 30, "{} 45"),
        ],
    );
}

#[test]
fn rates_are_extrapolated_to_the_borders_of_their_range() {
    let store = store(&[("up", "0 60 120 180 240 300"), ("from", "10 20 30 40"), ("reset", "100 130 10 40")]);
    assert_values(
        &store,
        &[
            // Extrapolated to both ends of the range.
            ("rate(up[50s])", 50, "{} 6"),
            ("increase(up[50s])", 50, "{} 300"),
            // Both gaps are shorter than 1.1 sample intervals: the whole range counts.
            ("increase(up[20s])", 45, "{} 120"),
            // The gap at the start is longer: a gauge is extrapolated by half an interval, a counter down to
            // zero.
            ("delta(from[50s])", 30, "{} 35"),
            ("increase(from[50s])", 30, "{} 40"),
            ("increase(up[1m])", 50, "{} 300"),
            // 100 → 130, reset, 10 → 40: 30 + 10 + 30.
            ("increase(reset[30s])", 30, "{} 70"),
            ("delta(reset[30s])", 30, "{} -60"),
            ("resets(reset[30s])", 30, "{} 1"),
            ("changes(reset[30s])", 30, "{} 3"),
            ("irate(reset[10s])", 20, "{} 1"),
            ("irate(reset[30s])", 30, "{} 3"),
            ("idelta(reset[30s])", 20, "{} -120"),
            ("rate(up[5s])", 50, ""),
            ("deriv(up[50s])", 50, "{} 6"),
            ("predict_linear(up[50s], 10)", 50, "{} 360"),
            ("predict_linear(up[50s] offset 10s, 10)", 60, "{} 420"),
        ],
    );
}

#[test]
fn functions_of_ranges_drop_the_name_of_the_metric() {
    let store = store(&[("a{x=1}", "1 4 2 5"), ("a{x=2}", "NaN 3 NaN")]);
    assert_values(
        &store,
        &[
            ("sum_over_time(a[30s])", 30, "{x=1} 12, {x=2} NaN"),
            ("avg_over_time(a[30s])", 30, "{x=1} 3, {x=2} NaN"),
            ("min_over_time(a[30s])", 30, "{x=1} 1, {x=2} 3"),
            ("max_over_time(a[30s])", 30, "{x=1} 5, {x=2} 3"),
            ("count_over_time(a[30s])", 30, "{x=1} 4, {x=2} 3"),
            ("stdvar_over_time(a{x=\"1\"}[30s])", 30, "{x=1} 2.5"),
            ("quantile_over_time(0.5, a{x=\"1\"}[30s])", 30, "{x=1} 3"),
            ("last_over_time(a[30s])", 30, "a{x=1} 5, a{x=2} NaN"),
            ("present_over_time(a[30s])", 30, "{x=1} 1, {x=2} 1"),
            ("changes(a[30s])", 30, "{x=1} 3, {x=2} 2"),
            ("absent_over_time(a[30s])", 30, ""),
            ("absent_over_time(c{x=\"1\", y=~\"2\"}[30s])", 30, "{x=1} 1"),
        ],
    );
}

#[test]
fn aggregations_group_by_labels_and_drop_the_rest() {
    let store = store(&[
        ("a{x=1,y=1}", "1"),
        ("a{x=1,y=2}", "2"),
        ("a{x=2,y=1}", "6"),
        ("a{x=2,y=2}", "NaN"),
        ("b", "5"),
    ]);
    assert_values(
        &store,
        &[
            ("sum(a{y=\"1\"})", 0, "{} 7"),
            ("sum by (x) (a)", 0, "{x=1} 3, {x=2} NaN"),
            ("sum without (x) (a{y=\"1\"})", 0, "{y=1} 7"),
            ("sum by (z) (a{y=\"1\"})", 0, "{} 7"),
            ("sum by (__name__) ({x=~\"1|\", __name__=~\"a|b\"})", 0, "a{} 3, b{} 5"),
            ("sum without () (a{x=\"1\"})", 0, "{x=1,y=1} 1, {x=1,y=2} 2"),
            ("avg by (x) (a{x=\"1\"})", 0, "{x=1} 1.5"),
            ("min by (x) (a)", 0, "{x=1} 1, {x=2} 6"),
            ("max(a)", 0, "{} 6"),
            ("count by (x) (a)", 0, "{x=1} 2, {x=2} 2"),
            ("group by (x) (a)", 0, "{x=1} 1, {x=2} 1"),
            ("stdvar(a{y=\"1\"})", 0, "{} 6.25"),
            ("stddev(a{y=\"1\"})", 0, "{} 2.5"),
            ("quantile(0.5, a{y=\"1\"})", 0, "{} 3.5"),
            ("topk(2, a)", 0, "a{x=2,y=1} 6, a{x=1,y=2} 2"),
            ("bottomk(9, a)", 0, "a{x=1,y=1} 1, a{x=1,y=2} 2, a{x=2,y=1} 6, a{x=2,y=2} NaN"),
            ("topk by (x) (1, a)", 0, "a{x=1,y=2} 2, a{x=2,y=1} 6"),
            ("topk(0, a)", 0, ""),
            ("topk(0 / 0, a)", 0, "error: Scalar value NaN overflows int64"),
            ("count_values(\"n\", a)", 0, "{n=1} 1, {n=2} 1, {n=6} 1, {n=NaN} 1"),
            ("count_values without (y) (\"x\", a{x=\"1\"} * 0)", 0, "{x=0} 2"),
            ("sum(nosuch)", 0, ""),
        ],
    );
}

#[test]
fn operators_match_elements_by_their_labels() {
    let store = store(&[
        ("a{x=1}", "10"),
        ("a{x=2}", "20"),
        ("b{x=1}", "2"),
        ("b{x=3}", "3"),
        ("many{x=1,y=1}", "100"),
        ("many{x=1,y=2}", "200"),
        ("info{x=1,z=blue}", "1"),
    ]);
    assert_values(
        &store,
        &[
            ("a / b", 0, "{x=1} 5"),
            ("a > b", 0, "a{x=1} 10"),
            ("a < bool b", 0, "{x=1} 0"),
            ("a + 1", 0, "{x=1} 11, {x=2} 21"),
            ("1 - a", 0, "{x=1} -9, {x=2} -19"),
            ("15 > a", 0, "a{x=1} 10"),
            ("a > bool 15", 0, "{x=1} 0, {x=2} 1"),
            ("7 % 4 + 2 ^ 3 ^ 0 - 1 / 2", 0, "4.5"),
            ("-2 ^ 2", 0, "-4"),
            ("1 < bool 2", 0, "1"),
            ("-a", 0, "{x=1} -10, {x=2} -20"),
            ("a and b", 0, "a{x=1} 10"),
            ("a or b", 0, "a{x=1} 10, a{x=2} 20, b{x=3} 3"),
            ("a unless b", 0, "a{x=2} 20"),
            ("a and on () b", 0, "a{x=1} 10, a{x=2} 20"),
            ("many / on (x) group_left b", 0, "{x=1,y=1} 50, {x=1,y=2} 100"),
            ("b / on (x) group_right many", 0, "{x=1,y=1} 0.02, {x=1,y=2} 0.01"),
            ("many * on (x) group_left (z) info", 0, "{x=1,y=1,z=blue} 100, {x=1,y=2,z=blue} 200"),
            ("many > on (x) group_left b", 0, "many{x=1,y=1} 100, many{x=1,y=2} 200"),
            ("a / on (x) b", 0, "{x=1} 5"),
            ("a > on (x) b", 0, "{x=1} 10"),
            ("many{y=\"1\"} > ignoring (y) b", 0, "many{x=1} 100"),
            ("sum(a) - on () sum(b)", 0, "{} 25"),
            (
                "many - ignoring (y) b",
                0,
                "error: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            ),
            (
                "b - on (x) many",
                0,
                "error: found duplicate series for the match group {x=\"1\"} on the right hand-side of the operation: \
             [{__name__=\"many\", x=\"1\", y=\"2\"}, {__name__=\"many\", x=\"1\", y=\"1\"}];many-to-many matching not \
             allowed: matching labels must be unique on one side",
            ),
            (
                "-{x=\"1\", __name__=~\"a|b\"}",
                0,
                "error: vector cannot contain metrics with the same labelset",
            ),
        ],
    );
}

#[test]
fn functions_of_vectors_and_numbers() {
    let store = store(&[("a{x=1}", "-1.5 -1.5"), ("a{x=2}", "2.5 2.5"), ("n", "NaN")]);
    assert_values(
        &store,
        &[
            ("abs(a)", 0, "{x=1} 1.5, {x=2} 2.5"),
            ("ceil(a)", 0, "{x=1} -1, {x=2} 3"),
            ("sgn(a)", 0, "{x=1} -1, {x=2} 1"),
            ("sgn(vector(0))", 0, "{} 0"),
            ("round(a)", 0, "{x=1} -1, {x=2} 3"),
            ("round(a, 2)", 0, "{x=1} -2, {x=2} 2"),
            ("clamp(a, 0, 2)", 0, "{x=1} 0, {x=2} 2"),
            ("clamp(a, 2, 0)", 0, ""),
            ("clamp_min(n, 0)", 0, "{} NaN"),
            ("clamp_max(a, 1)", 0, "{x=1} -1.5, {x=2} 1"),
            ("sort_desc(a or n)", 0, "a{x=2} 2.5, a{x=1} -1.5, n{} NaN"),
            ("sort(n or a)", 0, "a{x=1} -1.5, a{x=2} 2.5, n{} NaN"),
            ("scalar(a)", 0, "NaN"),
            ("scalar(a{x=\"2\"})", 0, "2.5"),
            ("vector(3)", 0, "{} 3"),
            ("time()", 12, "12"),
            ("timestamp(a)", 15, "{x=1} 10, {x=2} 10"),
            ("timestamp(a + 0)", 15, "{x=1} 15, {x=2} 15"),
            ("absent(a)", 0, ""),
            ("absent(c{x=\"1\", y!=\"2\", z=\"3\", z=\"4\"})", 0, "{x=1} 1"),
            ("absent(sum(c{x=\"1\"}))", 0, "{} 1"),
            ("label_replace(a, \"y\", \"<$1>\", \"x\", \"(1)\")", 0, "a{x=1,y=<1>} -1.5, a{x=2} 2.5"),
            ("label_replace(a{x=\"1\"}, \"x\", \"\", \"x\", \".*\")", 0, "a{} -1.5"),
            ("label_join(a, \"y\", \"-\", \"x\", \"no\", \"x\")", 0, "a{x=1,y=1--1} -1.5, a{x=2,y=2--2} 2.5"),
            ("ln(-1)", 0, "error: expected a value of type instant vector, found scalar"),
            ("\"text\"", 0, "text"),
        ],
    );
}

#[test]
fn quantiles_of_histograms_are_linear_within_a_bucket() {
    let store = store(&[
        ("h{le=0.1}", "10"),
        ("h{le=0.5}", "20"),
        ("h{le=1}", "19"),
        ("h{le=+Inf}", "22"),
        ("open{le=1}", "1"),
        ("open{le=2}", "2"),
        ("empty{le=1}", "0"),
        ("empty{le=+Inf}", "0"),
        ("lone{le=+Inf}", "3"),
        ("below{le=-1}", "3"),
        ("below{le=+Inf}", "3"),
    ]);
    assert_values(
        &store,
        &[
            ("histogram_quantile(0.25, h)", 0, "{} 0.055"),
            ("histogram_quantile(0.75, h)", 0, "{} 0.36"),
            // The decrease from 20 to 19 is corrected; the last bucket has no upper bound.
            ("histogram_quantile(0.9, h)", 0, "{} 0.492"),
            ("histogram_quantile(0.99, h)", 0, "{} 1"),
            ("histogram_quantile(1.1, h)", 0, "{} inf"),
            ("histogram_quantile(-1, h)", 0, "{} -inf"),
            ("histogram_quantile(0.5, open)", 0, "{} NaN"),
            ("histogram_quantile(0.5, empty)", 0, "{} NaN"),
            ("histogram_quantile(0.5, lone)", 0, "{} NaN"),
            ("histogram_quantile(0.5, below)", 0, "{} -1"),
            ("histogram_quantile(0.5, a)", 0, ""),
        ],
    );
}

#[test]
fn a_range_query_collects_the_values_of_each_instant() {
    let store = store(&[("a{x=1}", "1 2 3 x"), ("a{x=2}", "4 5 6 7")]);
    let over = |text: &str, start: i64, end: i64| {
        let query = Query::parse(text).unwrap();
        query.over(&store, start * 1000, end * 1000, 10_000).map(|series| shown(&Value::Matrix(series)))
    };
    assert_eq!(over("a", 5, 35).unwrap(), "a{x=1} 1@5 2@15 3@25, a{x=2} 4@5 5@15 6@25 7@35");
    assert_eq!(over("time()", 5, 16).unwrap(), "{} 5@5 15@15");
    assert_eq!(over("a{x=\"2\"} @ end() - a @ start()", 0, 20).unwrap(), "{x=2} 2@0 2@10 2@20");
    for (text, start, end) in [("a[1m]", 0, 10), ("\"text\"", 0, 10), ("a", 10, 0), ("a", 0, 1_000_000)] {
        assert!(over(text, start, end).is_err(), "{text}");
    }
}
