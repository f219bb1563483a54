//! The generator's metrics at an instant: as an exposition in Prometheus's text format 0.0.4, or as samples
//! to push.

use super::Subject;
use saasbench_exposition::{entry::MetricType, writer::Writer};
use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::RequestOutcome,
    self_metrics::{BOUNDS_US, Buckets, Group, SelfMetrics, TENANTS_BY_NAME},
};

/// Label of all further tenants.
const OTHERS: &str = "(others)";

/// The values at an instant.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// `None` before the load has started.
    pub(super) own: Option<SelfMetrics>,
    /// Requests in flight.
    pub(super) in_flight: u32,
    /// Number of the generator's stalls …
    pub(super) stalls: u64,
    /// … and their total length.
    pub(super) stalled: Nanos,
}

/// Label names with values.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// One sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: f64,
}

/// The exposition as text.
pub(super) fn render(subject: &Subject, numbers: &Numbers) -> String {
    let mut out = Writer::default();
    for line in page(subject, numbers) {
        match line {
            Line::Metric { name, kind, help } => out.metric(name, kind, help),
            Line::Sample(Sample { name, labels, value }) => {
                let labels = labels.iter().map(|(label, text)| (*label, text.as_str()));
                out.sample(&name, "", labels, value);
            }
        }
    }
    out.finish()
}

/// The samples without metadata.
pub(super) fn samples(subject: &Subject, numbers: &Numbers) -> Vec<Sample> {
    let lines = page(subject, numbers).into_iter();
    lines
        .filter_map(|line| match line {
            Line::Sample(sample) => Some(sample),
            Line::Metric { .. } => None,
        })
        .collect()
}

/// A line of the exposition.
#[derive(Debug)]
enum Line {
    /// Starts a metric; its samples follow.
    Metric {
        name: &'static str,
        kind: MetricType,
        help: &'static str,
    },
    Sample(Sample),
}

fn page(subject: &Subject, numbers: &Numbers) -> Vec<Line> {
    let mut page = Page::default();
    let labels = vec![
        ("scenario", subject.scenario.name.as_str()),
        ("environment", subject.environment.as_str()),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    page.metric("saasbench_run_info", MetricType::Gauge, "The run that these metrics are of.");
    page.sample("saasbench_run_info", &labels, 1.0);
    page.metric(
        "saasbench_run_start_time_seconds",
        MetricType::Gauge,
        "When the run began, since the Unix epoch.",
    );
    page.sample("saasbench_run_start_time_seconds", &[], subject.started_unix.as_secs_f64());
    page.metric("saasbench_requests_in_flight", MetricType::Gauge, "Requests that are in flight.");
    page.sample("saasbench_requests_in_flight", &[], f64::from(numbers.in_flight));
    page.metric(
        "saasbench_stalls_total",
        MetricType::Counter,
        "How often the generator did not run for 5 ms or longer.",
    );
    page.sample("saasbench_stalls_total", &[], numbers.stalls as f64);
    page.metric(
        "saasbench_stalled_seconds_total",
        MetricType::Counter,
        "How long it did not run in these stalls.",
    );
    page.sample("saasbench_stalled_seconds_total", &[], numbers.stalled.as_secs_f64());
    if let Some(own) = &numbers.own {
        page.load(subject, own);
    }
    page.0
}

#[derive(Debug, Default)]
struct Page(Vec<Line>);

impl Page {
    fn metric(&mut self, name: &'static str, kind: MetricType, help: &'static str) {
        self.0.push(Line::Metric { name, kind, help });
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(label, text)| (*label, (*text).to_owned())).collect();
        self.0.push(Line::Sample(Sample { name: name.to_owned(), labels, value }));
    }

    fn histogram(&mut self, name: &str, labels: &[(&'static str, &str)], buckets: &Buckets) {
        let series = format!("{name}_bucket");
        let mut so_far = 0;
        for (i, count) in buckets.counts.iter().enumerate() {
            so_far += count;
            let bound = match BOUNDS_US.get(i) {
                Some(bound) => (*bound as f64 / 1e6).to_string(),
                None => "+Inf".to_owned(),
            };
            self.sample(&series, &[labels, &[("le", bound.as_str())]].concat(), so_far as f64);
        }
        self.sample(&format!("{name}_sum"), labels, buckets.sum_ns as f64 / 1e9);
        self.sample(&format!("{name}_count"), labels, so_far as f64);
    }

    /// Adds the totals of the load so far.
    fn load(&mut self, subject: &Subject, own: &SelfMetrics) {
        let groups: Vec<(Labels<'_>, &Group)> =
            own.groups().map(|(group, counts)| (group_labels(subject, group), counts)).collect();
        let name = "saasbench_requests_total";
        self.metric(name, MetricType::Counter, "Requests by status, or by why there is none.");
        for (labels, group) in &groups {
            for (outcome, count) in &group.outcomes {
                let status = status(*outcome);
                self.sample(name, &[labels, &[("status", status.as_str())][..]].concat(), *count as f64);
            }
        }
        let name = "saasbench_failed_checks_total";
        self.metric(name, MetricType::Counter, "Answers that were not as their step expects.");
        for (labels, group) in &groups {
            self.sample(name, labels, group.failed_checks as f64);
        }
        let name = "saasbench_request_duration_seconds";
        self.metric(
            name,
            MetricType::Histogram,
            "Latency of requests with a response from the instant that they were due.",
        );
        for (labels, group) in &groups {
            self.histogram(name, labels, &group.intended);
        }
        let name = "saasbench_request_duration_from_sent_seconds";
        self.metric(
            name,
            MetricType::Histogram,
            "Latency of requests with a response from the instant that they were sent.",
        );
        for (labels, group) in &groups {
            self.histogram(name, labels, &group.sent);
        }
        let name = "saasbench_dropped_arrivals_total";
        self.metric(name, MetricType::Counter, "Arrivals that could not be served in time.");
        for (tenant, dropped) in own.dropped.iter().enumerate() {
            self.sample(name, &[("tenant", tenant_name(subject, tenant))], *dropped as f64);
        }
        let name = "saasbench_send_lateness_seconds";
        self.metric(name, MetricType::Histogram, "How much later than due requests were sent.");
        self.histogram(name, &[], &own.lateness);
    }
}

fn tenant_name(subject: &Subject, tenant: usize) -> &str {
    match subject.scenario.tenants.get(tenant) {
        Some(name) if tenant < TENANTS_BY_NAME => name.as_str(),
        _ => OTHERS,
    }
}

fn group_labels(subject: &Subject, [tenant, step, replica]: [usize; 3]) -> Labels<'_> {
    let scenario = &subject.scenario;
    let step = scenario.steps.get(step);
    let journey = step.and_then(|step| scenario.journeys.get(step.journey));
    vec![
        ("tenant", tenant_name(subject, tenant)),
        ("journey", journey.map_or("", |journey| journey.name.as_str())),
        ("step", step.map_or("", |step| step.name.as_str())),
        ("route", step.map_or("", |step| step.route.as_str())),
        ("replica", subject.replicas.get(replica).map_or("", String::as_str)),
    ]
}

/// The status of a response, or why there is none.
fn status(outcome: RequestOutcome) -> String {
    match outcome.to_words() {
        (_, Some(status), _) => status.to_string(),
        (kind, None, cause) => cause.unwrap_or(kind).to_owned(),
    }
}
