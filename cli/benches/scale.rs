//! How cost grows with size: each row judges or reads n things and then twice as many, and states the time for both and
//! their ratio, which is about 2 where cost is linear and 4 where it is quadratic.
//!
//!     cargo bench -p saasbench --bench scale [-- FILTER]

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_types, reason = "no clock is paused here")]

use std::{fmt::Write as _, hint::black_box, path::Path, time::Instant};

use saasbench_exposition::{cardinality::Cardinality, format::Format, lint::lint, page::Page};
use saasbench_model::scenario::resolve::{Sources, resolve};
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    testing::{TestRun, sample},
};

/// What is measured: a name, a size, and what prepares n things and returns the work on them.
struct Row {
    name: &'static str,
    size: usize,
    prepare: fn(usize) -> Box<dyn FnOnce()>,
}

const ROWS: [Row; 8] = [
    Row { name: "verify: series of the counter", size: 4_000, prepare: counters },
    Row {
        name: "verify: series of the counter, no start time",
        size: 4_000,
        prepare: counters_without_start,
    },
    Row { name: "verify: label sets of a histogram", size: 2_000, prepare: histograms },
    Row { name: "verify: bounds of one histogram", size: 2_000, prepare: bounds },
    Row { name: "verify: tenants with series of their own", size: 1_000, prepare: tenants },
    Row { name: "metrics: series", size: 20_000, prepare: series },
    Row { name: "exposition: labels of one sample", size: 2_000, prepare: labels },
    Row { name: "scenario: stages that are wrong", size: 500, prepare: stages },
];

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{:48} {:>9} {:>12} {:>12} {:>6}", "", "n", "n", "2n", "ratio");
    for row in ROWS.iter().filter(|row| row.name.contains(&filter)) {
        let [once, twice] = [row.size, 2 * row.size].map(|size| {
            let work = (row.prepare)(size);
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        });
        let (name, size) = (row.name, row.size);
        println!("{name:48} {size:>9} {once:>10.3} s {twice:>10.3} s {:>6.1}", twice / once);
    }
}

/// Judges a run of a few requests after which a replica showed `text`.
fn judging(scenario: Option<String>, text: &str, start: Option<u32>) -> Box<dyn FnOnce()> {
    let samples: Vec<Sample> = (0..50).map(|i| sample(i * 100, 0, RequestOutcome::Status(200))).collect();
    let mut made = scenario.map_or_else(|| TestRun::new("", &samples), |text| TestRun::of(text, &samples));
    made.manifest.environment.replicas.truncate(1);
    let start = start.map_or_else(String::new, |start| format!("process_start_time_seconds {start}\n"));
    made.scrape("a", "before", &start);
    for phase in ["during", "during", "after", "after"] {
        made.scrape("a", phase, &format!("{text}{start}"));
    }
    made.at_rest();
    Box::new(move || {
        black_box(saasbench_verify::verify(&made.open()).expect("a run that can be read"));
    })
}

fn counter(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "http_requests_total{{handler=\"/h{i}\",method=\"GET\",status=\"200\"}} 1");
        text
    })
}

fn counters(count: usize) -> Box<dyn FnOnce()> {
    judging(None, &counter(count), Some(1))
}

fn counters_without_start(count: usize) -> Box<dyn FnOnce()> {
    judging(None, &counter(count), None)
}

fn histograms(count: usize) -> Box<dyn FnOnce()> {
    let mut text = String::new();
    for i in 0..count {
        let labels = format!("handler=\"/h{i}\",method=\"GET\"");
        let _ = writeln!(text, "http_requests_total{{{labels},status=\"200\"}} 1");
        for le in ["0.1", "+Inf"] {
            let _ = writeln!(text, "http_request_duration_seconds_bucket{{{labels},le=\"{le}\"}} 1");
        }
        let _ = writeln!(text, "http_request_duration_seconds_sum{{{labels}}} 0.05");
        let _ = writeln!(text, "http_request_duration_seconds_count{{{labels}}} 1");
    }
    judging(None, &text, Some(1))
}

fn bounds(count: usize) -> Box<dyn FnOnce()> {
    let labels = "handler=\"/chat\",method=\"POST\"";
    let mut text = format!("http_requests_total{{{labels},status=\"200\"}} 50\n");
    for i in 1..=count {
        let _ = writeln!(
            text,
            "http_request_duration_seconds_bucket{{{labels},le=\"{}\"}} 50",
            i as f64 / 1000.0
        );
    }
    let _ = writeln!(text, "http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 50");
    let _ = writeln!(text, "http_request_duration_seconds_sum{{{labels}}} 0.01");
    let _ = writeln!(text, "http_request_duration_seconds_count{{{labels}}} 50");
    judging(None, &text, Some(1))
}

fn tenants(count: usize) -> Box<dyn FnOnce()> {
    let mut scenario =
        saasbench_model::scenario::testing::SCENARIO.replace("[[tenant]]\nid = \"acme\"\n", "");
    scenario = scenario.replace("rate = \"10/s\"", &format!("rate = \"10/s\"\nmax_users = {count}"));
    let mut text = String::new();
    for i in 0..count {
        let _ = write!(scenario, "[[tenant]]\nid = \"t{i}\"\n");
        let labels = format!("tenant=\"t{i}\",handler=\"/chat\",method=\"POST\"");
        let _ = writeln!(text, "tenant_requests_total{{{labels},status=\"200\"}} 1");
        for le in ["0.1", "+Inf"] {
            let _ = writeln!(text, "tenant_request_duration_seconds_bucket{{{labels},le=\"{le}\"}} 1");
        }
        let _ = writeln!(text, "tenant_request_duration_seconds_sum{{{labels}}} 0.05");
        let _ = writeln!(text, "tenant_request_duration_seconds_count{{{labels}}} 1");
    }
    let samples: Vec<Sample> = (0..count)
        .map(|tenant| Sample { tenant, ..sample(tenant as i64, 0, RequestOutcome::Status(200)) })
        .collect();
    let mut made = TestRun::of(scenario, &samples);
    made.manifest.environment.replicas.truncate(1);
    made.settled("a", &text);
    Box::new(move || {
        black_box(saasbench_verify::verify(&made.open()).expect("a run that can be read"));
    })
}

fn series(count: usize) -> Box<dyn FnOnce()> {
    let text = counter(count);
    Box::new(move || {
        let page = Page::read(&text, Format::Text100);
        black_box((lint(&page), Cardinality::of(&page)));
    })
}

fn labels(count: usize) -> Box<dyn FnOnce()> {
    let labels: Vec<String> = (0..count).map(|i| format!("l{i}=\"v\"")).collect();
    let text = format!("up{{{}}} 1\nup{{{}}} 1\n", labels.join(","), labels.join(","));
    Box::new(move || {
        black_box(saasbench_exposition::parse(&text).is_err());
    })
}

fn stages(count: usize) -> Box<dyn FnOnce()> {
    let stage = "[[load.stages]]\nrate = \"x\"\nfor = \"y\"\n";
    let head = "version = 1\nname = \"test\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"j\"\n[[journey.step]]\n\
                get = \"/\"\n[[load]]\n";
    let text = format!("{head}{}", stage.repeat(count));
    Box::new(move || {
        let read_file = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let sources = Sources { read_file: &read_file, environment: None };
        let problems = resolve(&text, "test.toml", &sources).expect_err("stages that are wrong");
        black_box(problems.to_string());
    })
}
