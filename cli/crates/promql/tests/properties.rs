//! Properties that hold for all samples.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in the functions that tests are made of, too, a panic is a test that failed"
)]

use proptest::prelude::*;
use saasbench_promql::{Labels, Query, Source, Store, Value};

/// A store with series `a{n="0"}`, `a{n="1"}` …, each sampled at the same times.
fn store(times: &[i64], series: &[Vec<f64>]) -> Store {
    let (store, mut source) = (Store::new(i64::MAX), Source::default());
    for (index, time) in times.iter().enumerate() {
        let samples = series.iter().enumerate().filter_map(|(n, values)| {
            let labels = [("__name__", "a".to_owned()), ("n", n.to_string()), ("even", (n % 2).to_string())];
            let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Labels>();
            Some((labels, *values.get(index)?))
        });
        store.append(&mut source, *time, samples);
    }
    store
}

/// The values of a query by their labels.
fn values(store: &Store, text: &str, time: i64) -> Vec<(String, f64)> {
    let Value::Vector(samples) = Query::parse(text).unwrap().at(store, time).unwrap() else { panic!() };
    let mut values: Vec<(String, f64)> =
        samples.iter().map(|sample| (format!("{:?}", sample.labels), sample.value)).collect();
    values.sort_by(|one, other| one.0.cmp(&other.0));
    values
}

/// Whether values are the same but for the order of additions.
fn are_near(one: &[(String, f64)], other: &[(String, f64)]) -> bool {
    let near = |(one, other): (&(String, f64), &(String, f64))| {
        let (a, b) = (one.1, other.1);
        let is_near = (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-6;
        one.0 == other.0 && (is_near || a == b || (a.is_nan() && b.is_nan()))
    };
    one.len() == other.len() && one.iter().zip(other).all(near)
}

fn times() -> impl Strategy<Value = Vec<i64>> {
    let steps = prop::collection::vec(1_i64..20_000, 1..60);
    steps.prop_map(|steps| {
        steps
            .into_iter()
            .scan(0, |time, step| {
                *time += step;
                Some(*time)
            })
            .collect()
    })
}

fn gauges() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec((-1000_i32..1000).prop_map(f64::from), 60), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn expressions_that_mean_the_same_have_the_same_value(times in times(), gauges in gauges(), late in 0_i64..90_000) {
        let store = store(&times, &gauges);
        let time = times.last().unwrap() + late;
        for (one, other) in [
            ("sum(a)", "sum(sum by (even) (a))"),
            ("count(a)", "sum(count by (even) (a))"),
            ("max(a)", "max(max by (n) (a))"),
            ("avg(a)", "sum(a) / count(a)"),
            ("stdvar(a)", "stddev(a) ^ 2"),
            ("min(a)", "-max(-a)"),
            ("max(a)", "quantile(1, a)"),
            ("sum(a)", "sum(a > 0 or a <= 0)"),
            ("a - a", "a * 0"),
            ("rate(a[1m]) * 60", "increase(a[1m])"),
            ("avg_over_time(a[1m])", "sum_over_time(a[1m]) / count_over_time(a[1m])"),
            ("max_over_time(a[1m])", "quantile_over_time(1, a[1m])"),
            ("a and a", "a"),
            ("a offset 10s", "a @ end() offset 10s"),
        ] {
            let found = [one, other].map(|text| values(&store, text, time));
            prop_assert!(are_near(&found[0], &found[1]), "{} and {}: {:?}", one, other, found);
        }
    }

    #[test]
    fn a_range_from_sample_to_sample_increases_by_what_was_counted(
        times in times(),
        counts in prop::collection::vec(0_u32..50, 60),
        restart in 0_usize..60,
    ) {
        let (mut counter, mut counted, mut values) = (0.0, 0.0, Vec::new());
        for (index, count) in counts.iter().map(|count| f64::from(*count)).enumerate().take(times.len()) {
            let before = counter;
            counter = if index == restart { count } else { counter + count };
            // A counter that has passed its old value again since a restart shows no reset.
            counted += if index == 0 { 0.0 } else if counter < before { counter } else { counter - before };
            values.push(counter);
        }
        let store = store(&times, &[values]);
        let (first, last) = (times[0], times[times.len() - 1]);
        let query = Query::parse(&format!("increase(a[{}ms])", (last - first).max(1))).unwrap();
        let Value::Vector(samples) = query.at(&store, last).unwrap() else { panic!() };
        prop_assert_eq!(samples.len(), usize::from(times.len() > 1));
        for sample in samples {
            prop_assert!((sample.value - counted).abs() < 1e-6, "{} instead of {}", sample.value, counted);
        }
    }

    #[test]
    fn no_expression_of_the_parser_makes_the_evaluator_panic(
        text in "(sum|topk|quantile|rate|absent|clamp|label_join|up|a|-|\\+|\\^|>|on|by|group_left|\\(|\\)|\\[|\\]|[0-9]|1m|:|,| |\"n\"|@|offset|bool|and|or){1,12}",
        time in any::<i32>(),
    ) {
        let store = store(&[1, 2, 3], &[vec![1.0, 2.0, f64::NAN]]);
        if let Ok(query) = Query::parse(&text) {
            let _ = query.at(&store, i64::from(time));
        }
    }
}
