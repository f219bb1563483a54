//! Ten minutes of samples like those of a real stack: counters that reset at a restart, a gap, series that
//! start late, histograms, gauges, and the results of recording rules.

use std::{collections::BTreeMap, fmt::Write as _};

/// Time of the first sample, in milliseconds since the epoch: an arbitrary whole minute in the past.
pub(super) const ZERO: i64 = 1_765_000_020_000;

/// A series with its samples: milliseconds since the epoch, and value.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) samples: Vec<(i64, f64)>,
}

const REPLICAS: [&str; 2] = ["127.0.0.1:8005", "127.0.0.1:8006"];
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
const HANDLERS: [(&str, &str); 2] = [("/chat", "POST"), ("/session", "POST")];
const BOUNDS: [&str; 9] = ["0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

/// Reproducible pseudo-random numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % 10_000) as f64 / 10_000.0
    }
}

/// Scrapes every five seconds, slightly late, so that no range starts on one by accident.
fn times() -> impl Iterator<Item = i64> {
    (0..=120).map(|k| ZERO + k * 5000 + 1 + (k * 37) % 11)
}

/// The second replica is down from 300 to 330 s; its counters restart at zero.
fn is_down(replica: usize, time: i64) -> bool {
    replica == 1 && (ZERO + 300_000..ZERO + 330_000).contains(&time)
}

/// A counter that rises by about `rate` a second.
fn counter(replica: usize, rate: f64, from: i64, numbers: &mut Numbers) -> Vec<(i64, f64)> {
    let mut value = 0.0;
    let mut samples = Vec::new();
    for time in times().filter(|time| *time >= from) {
        if is_down(replica, time) {
            value = 0.0;
            continue;
        }
        value += (rate * 5.0 * (0.5 + numbers.next())).round();
        samples.push((time, value));
    }
    samples
}

/// Buckets, sum and count of a histogram with mostly short durations.
fn histogram(
    base: [&'static str; 3],
    labels: &[(&'static str, String)],
    replica: usize,
    numbers: &mut Numbers,
) -> Vec<Series> {
    let bounds: Vec<f64> = BOUNDS.iter().map(|bound| bound.parse().unwrap_or(f64::INFINITY)).collect();
    let (mut counts, mut sum) = (vec![0.0; bounds.len()], 0.0);
    let (mut buckets, mut sums) = (vec![Vec::new(); bounds.len()], Vec::new());
    for time in times() {
        if is_down(replica, time) {
            counts.fill(0.0);
            sum = 0.0;
            continue;
        }
        for _ in 0..20 {
            let duration = numbers.next().powi(4) * 3.0;
            sum += duration;
            for (count, bound) in counts.iter_mut().zip(&bounds) {
                *count += f64::from(duration <= *bound);
            }
        }
        buckets.iter_mut().zip(&counts).for_each(|(samples, count)| samples.push((time, *count)));
        sums.push((time, sum));
    }
    let count = buckets[bounds.len() - 1].clone();
    let mut series: Vec<Series> = BOUNDS
        .iter()
        .zip(buckets)
        .map(|(bound, samples)| {
            let labels = labels.iter().cloned().chain([("le", (*bound).to_owned())]).collect();
            Series { name: base[0], labels, samples }
        })
        .collect();
    series.push(Series { name: base[1], labels: labels.to_vec(), samples: sums });
    series.push(Series { name: base[2], labels: labels.to_vec(), samples: count });
    series
}

fn gauge(from: f64, spread: f64, numbers: &mut Numbers) -> Vec<(i64, f64)> {
    times().map(|time| (time, from + (spread * numbers.next()).round())).collect()
}

/// All series.
pub(super) fn series() -> Vec<Series> {
    let mut numbers = Numbers(7);
    let mut all = Vec::new();
    for (replica, instance) in REPLICAS.iter().enumerate() {
        of_replica(replica, instance, &mut numbers, &mut all);
    }
    let own = |job: &str, instance: &str| vec![("job", job.to_owned()), ("instance", instance.to_owned())];
    let redis = own("redis", "127.0.0.1:9121");
    let of_db: Vec<_> = redis.iter().cloned().chain([("db", "db0".to_owned())]).collect();
    for (name, from, spread, labels) in [
        ("up", 1.0, 0.0, &redis),
        ("redis_up", 1.0, 0.0, &redis),
        ("redis_db_keys", 200.0, 9.0, &of_db),
        ("redis_db_keys_expiring", 190.0, 9.0, &of_db),
        ("redis_memory_used_bytes", 1.5e6, 9e4, &redis),
        ("redis_memory_max_bytes", 1.6e6, 0.0, &redis),
        ("redis_connected_clients", 3.0, 4.0, &redis),
    ] {
        all.push(Series { name, labels: labels.clone(), samples: gauge(from, spread, &mut numbers) });
    }
    for name in ["redis_commands_processed_total", "redis_evicted_keys_total", "redis_keyspace_hits_total"] {
        all.push(Series { name, labels: redis.clone(), samples: counter(0, 40.0, ZERO, &mut numbers) });
    }
    of_rules(&mut numbers, &mut all);
    of_run(&mut numbers, &mut all);
    of_edges(&mut all);
    all
}

/// Unusual values and buckets, at whole seconds.
fn of_edges(all: &mut Vec<Series>) {
    type Course = fn(f64) -> f64;
    let kinds: [(&'static str, Course); 9] = [
        ("constant", |_| 7.5),
        ("endless", |_| f64::INFINITY),
        ("falling", |k| 1000.0 - k * 0.5),
        ("huge", |k| 1e300 * (1.0 + (k % 5.0))),
        ("infinite", |k| if k % 7.0 == 3.0 { f64::NEG_INFINITY } else { k }),
        ("mixed", |k| (k % 4.0 - 1.5) * 1e15 + 0.1),
        ("nan", |k| if k % 5.0 == 0.0 { f64::NAN } else { k }),
        ("negative", |k| -(k % 3.0) - 0.5),
        ("unequal", |k| if k % 2.0 == 0.0 { f64::INFINITY } else { f64::NEG_INFINITY }),
    ];
    let every = |value: &dyn Fn(f64) -> f64| -> Vec<(i64, f64)> {
        (0..=120).map(|k| (ZERO + k * 5000, value(k as f64))).collect()
    };
    for (kind, value) in kinds {
        let labels = vec![("kind", kind.to_owned())];
        all.push(Series { name: "edge_values", labels, samples: every(&value) });
    }
    // Exactly five minutes before one of the instants, and a millisecond earlier.
    for (age, time) in [("in time", ZERO + 45_000), ("too old", ZERO + 44_999)] {
        let labels = vec![("age", age.to_owned())];
        all.push(Series { name: "edge_once", labels, samples: vec![(time, 3.0)] });
    }
    let buckets: [(&'static str, &[(&str, f64)]); 8] = [
        ("falls", &[("1", 5.0), ("2", 3.0), ("4", 9.0), ("+Inf", 8.0)]),
        ("lone", &[("+Inf", 8.0)]),
        ("negative", &[("-2", 4.0), ("-1", 6.0), ("1", 7.0), ("Inf", 8.0)]),
        ("twice", &[("1", 2.0), ("1.0", 1.0), ("2", 6.0), ("+Inf", 8.0)]),
        ("unbounded", &[("1", 2.0), ("2", 6.0)]),
        ("unreadable", &[("one", 2.0), ("2", 6.0), ("+Inf", 8.0)]),
        ("untouched", &[("1", 0.0), ("+Inf", 0.0)]),
        ("without", &[("0", f64::NAN), ("1", f64::NAN), ("+Inf", f64::NAN)]),
    ];
    for (kind, buckets) in buckets {
        for (bound, count) in buckets {
            let labels = vec![("kind", kind.to_owned()), ("le", (*bound).to_owned())];
            all.push(Series { name: "odd_bucket", labels, samples: every(&|k| k * count) });
        }
    }
    for bound in ["1", "+Inf"] {
        let labels = vec![("kind", "lone".to_owned()), ("le", bound.to_owned())];
        all.push(Series { name: "even_bucket", labels, samples: every(&|k| k) });
    }
}

fn of_replica(replica: usize, instance: &str, numbers: &mut Numbers, all: &mut Vec<Series>) {
    let base = vec![("job", "api".to_owned()), ("instance", instance.to_owned())];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        base.iter().cloned().chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    };
    let up = times().map(|time| (time, if is_down(replica, time) { 0.0 } else { 1.0 })).collect();
    all.push(Series { name: "up", labels: base.clone(), samples: up });
    let started = |time: i64| ZERO / 1000 + if replica == 1 && time > ZERO + 330_000 { 330 } else { 0 };
    let start = times().map(|time| (time, started(time) as f64)).collect();
    all.push(Series { name: "process_start_time_seconds", labels: base.clone(), samples: start });
    for (name, from) in [("scrape_duration_seconds", 0.0), ("scrape_samples_scraped", 200.0)] {
        all.push(Series { name, labels: base.clone(), samples: gauge(from, 5.0, numbers) });
    }
    for (handler, method) in HANDLERS {
        let of_route = with(&[("handler", handler), ("method", method)]);
        for status in ["200", "429", "500"] {
            let from = if status == "500" { ZERO + 150_000 } else { ZERO };
            let mut labels = of_route.clone();
            labels.push(("status", status.to_owned()));
            let rate = if status == "500" { 0.1 } else { 30.0 };
            let samples = counter(replica, rate, from, numbers);
            all.push(Series { name: "http_requests_total", labels: labels.clone(), samples });
            for tenant in TENANTS {
                let rate = match (tenant, status) {
                    ("acme", "429") => 80.0,
                    (_, "200") => 3.0,
                    (_, "429") => 0.2,
                    _ => 0.05,
                };
                let mut labels = labels.clone();
                labels.push(("tenant", tenant.to_owned()));
                let samples = counter(replica, rate, from, numbers);
                all.push(Series { name: "tenant_requests_total", labels, samples });
            }
        }
        let names = |base: &str| -> [&'static str; 3] {
            match base {
                "http" => [
                    "http_request_duration_seconds_bucket",
                    "http_request_duration_seconds_sum",
                    "http_request_duration_seconds_count",
                ],
                "all" => [
                    "http_request_duration_highr_seconds_bucket",
                    "http_request_duration_highr_seconds_sum",
                    "http_request_duration_highr_seconds_count",
                ],
                _ => [
                    "tenant_request_duration_seconds_bucket",
                    "tenant_request_duration_seconds_sum",
                    "tenant_request_duration_seconds_count",
                ],
            }
        };
        all.extend(histogram(names("http"), &of_route, replica, numbers));
        if handler == "/chat" {
            all.extend(histogram(names("all"), &base, replica, numbers));
        }
        for tenant in TENANTS {
            let labels = with(&[("handler", handler), ("tenant", tenant)]);
            all.extend(histogram(names("tenant"), &labels, replica, numbers));
        }
        for name in [
            "http_request_size_bytes_sum",
            "http_request_size_bytes_count",
            "http_response_size_bytes_sum",
            "http_response_size_bytes_count",
        ] {
            let samples = counter(replica, 100.0, ZERO, numbers);
            all.push(Series { name, labels: with(&[("handler", handler)]), samples });
        }
        let samples = gauge(0.0, 5.0, numbers);
        all.push(Series { name: "http_requests_inprogress", labels: of_route, samples });
    }
    for operation in ["chat", "session", "ping"] {
        let samples = counter(replica, 0.01, ZERO, numbers);
        all.push(Series {
            name: "tenancy_store_errors_total",
            labels: with(&[("operation", operation)]),
            samples,
        });
    }
}

/// Names of the shipped recording rules.
fn of_rules(numbers: &mut Numbers, all: &mut Vec<Series>) {
    for name in ["tenant:requests:rate1m", "tenant:rejections:rate1m", "tenant:latency:p95"] {
        for tenant in TENANTS {
            let labels = vec![("tenant", tenant.to_owned())];
            all.push(Series { name, labels, samples: gauge(1.0, 9.0, numbers) });
        }
    }
    for name in ["handler:requests:rate1m", "handler:errors:rate1m", "handler:latency:p95"] {
        for (handler, _) in HANDLERS {
            let labels = vec![("handler", handler.to_owned())];
            all.push(Series { name, labels, samples: gauge(1.0, 9.0, numbers) });
        }
    }
    for name in [
        "service:errors:ratio5m",
        "service:errors:ratio30m",
        "service:errors:ratio1h",
        "service:errors:ratio6h",
    ] {
        let samples = times().map(|time| (time, numbers.next() * 0.04)).collect();
        all.push(Series { name, labels: Vec::new(), samples });
    }
}

/// Series of the generator's own metrics.
fn of_run(numbers: &mut Numbers, all: &mut Vec<Series>) {
    let base = vec![("job", "saasbench".to_owned()), ("instance", "127.0.0.1:9464".to_owned())];
    for tenant in TENANTS {
        for status in ["200", "429"] {
            let mut labels = base.clone();
            labels.extend([("tenant", tenant.to_owned()), ("status", status.to_owned())]);
            let samples = counter(0, 20.0, ZERO, numbers);
            all.push(Series { name: "saasbench_requests_total", labels, samples });
        }
    }
    let names = [
        "saasbench_request_duration_seconds_bucket",
        "saasbench_request_duration_seconds_sum",
        "saasbench_request_duration_seconds_count",
    ];
    all.extend(histogram(names, &base, 0, numbers));
    all.push(Series { name: "up", labels: base.clone(), samples: gauge(1.0, 0.0, numbers) });
}

/// The samples as `promtool tsdb create-blocks-from openmetrics` reads them.
pub(super) fn openmetrics(series: &[Series]) -> String {
    let mut families: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for series in series {
        families.entry(series.name).or_default().push(series);
    }
    let mut text = String::new();
    for (name, series) in families {
        writeln!(text, "# TYPE {name} unknown").unwrap();
        for series in series {
            let labels: Vec<String> =
                series.labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
            for (time, value) in &series.samples {
                let (seconds, millis) = (time / 1000, time % 1000);
                writeln!(text, "{name}{{{}}} {value} {seconds}.{millis:03}", labels.join(",")).unwrap();
            }
        }
    }
    text + "# EOF\n"
}
