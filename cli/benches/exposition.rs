//! Throughput of parsing an exposition: line by line without allocation, with a check for repeated series,
//! reduced to the series of a contract, and as an owned exposition.
//!
//!     cargo bench -p saasbench --bench exposition

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saasbench_exposition::{format::Format, lint::lint, page::Page, reader::Reader};

const ROUTES: usize = 60;
const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"];

/// The exposition of a service with sixty routes: counters by status, a histogram of durations, gauges.
fn page() -> String {
    let mut page = String::from(
        "# HELP http_requests_total Requests, by route, method and status.\n# TYPE http_requests_total counter\n",
    );
    for route in 0..ROUTES {
        for status in ["200", "404", "429", "500"] {
            let value = route * 7919 + status.len() * 12_345;
            let _ = writeln!(
                page,
                "http_requests_total{{handler=\"/api/v1/resource{route}/{{id}}\",method=\"POST\",status=\"{status}\"}} {value}"
            );
        }
    }
    page.push_str(
        "# HELP http_request_duration_seconds Durations.\n# TYPE http_request_duration_seconds histogram\n",
    );
    for route in 0..ROUTES {
        let labels = format!("handler=\"/api/v1/resource{route}/{{id}}\",method=\"POST\"");
        for (rank, bound) in BOUNDS.iter().enumerate() {
            let _ = writeln!(
                page,
                "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {}",
                rank * 811 + route
            );
        }
        let _ = writeln!(
            page,
            "http_request_duration_seconds_sum{{{labels}}} {}.{:06}",
            route * 31,
            route * 9_973
        );
        let _ = writeln!(page, "http_request_duration_seconds_count{{{labels}}} {}", 11 * 811 + route);
    }
    page.push_str("# HELP process_resident_memory_bytes Memory.\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 4.5711360e+07\n");
    page
}

fn read(text: &str) -> usize {
    let mut reader = Reader::new(text, Format::Text100);
    let mut lines = 0;
    while let Some(line) = reader.next() {
        lines += usize::from(black_box(line).is_ok());
    }
    lines
}

fn reading(criterion: &mut Criterion) {
    let page = page();
    let lines = page.lines().count();
    let mut group = criterion.benchmark_group(format!("exposition of {lines} lines, {} bytes", page.len()));
    group.throughput(Throughput::Bytes(page.len() as u64));
    assert_eq!(read(&page), lines);
    group.bench_function("lines, nothing owned", |bencher| bencher.iter(|| read(black_box(&page))));
    group.bench_function("samples, repeated series looked for", |bencher| {
        let mut sum = 0.0;
        bencher.iter(|| saasbench_exposition::samples(black_box(&page), |sample| sum += sample.value));
        black_box(sum);
    });
    group.bench_function("owned", |bencher| bencher.iter(|| saasbench_exposition::parse(black_box(&page))));
    group.bench_function("sorted into families, and linted", |bencher| {
        bencher.iter(|| lint(&Page::read(black_box(&page), Format::Text100)));
    });
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
