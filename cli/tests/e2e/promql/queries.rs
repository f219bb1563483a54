//! The compared queries: all shipped ones, and at least one for every supported construct.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// At least one query per construct.
const CONSTRUCTS: &[&str] = &[
    "up",
    "up{job=\"api\"} == 0",
    "up == bool 1",
    "1 < up * 2",
    "sum(up)",
    "sum by (job) (up)",
    "sum without (instance) (up)",
    "avg(up)",
    "min(http_requests_inprogress)",
    "max by (instance) (http_requests_inprogress)",
    "count by (tenant) (tenant_requests_total)",
    "count(count by (tenant) (tenant_requests_total))",
    "group by (tenant) (tenant_requests_total)",
    "stddev(http_requests_inprogress)",
    "stdvar(http_requests_inprogress)",
    "quantile(0.9, rate(tenant_requests_total[1m]))",
    "topk(2, sum by (tenant) (rate(tenant_requests_total[1m])))",
    "bottomk(1, sum by (tenant) (rate(tenant_requests_total[1m])))",
    "topk(1, up)",
    "rate(http_requests_total[30s])",
    "rate(http_requests_total[7s])",
    "rate(http_requests_total{status=~\"4.*|5.*\"}[1m])",
    "rate(http_requests_total{status!~\"5..\", handler!=\"/session\"}[1m])",
    "increase(http_requests_total[1m])",
    "increase(http_requests_total{status=\"500\"}[3m])",
    "increase(tenant_requests_total{tenant=\"acme\"}[5m])",
    "irate(http_requests_total[1m])",
    "delta(redis_memory_used_bytes[5m])",
    "idelta(redis_memory_used_bytes[1m])",
    "deriv(redis_memory_used_bytes[5m])",
    "predict_linear(redis_memory_used_bytes[5m], 3600)",
    "resets(http_requests_total[10m])",
    "changes(process_start_time_seconds[10m])",
    "avg_over_time(up[1m])",
    "min_over_time(up[2m]) < 1",
    "max_over_time(http_requests_inprogress[1m])",
    "sum_over_time(up[1m])",
    "count_over_time(up[1m])",
    "last_over_time(up[1m])",
    "present_over_time(up[1m])",
    "quantile_over_time(0.5, http_requests_inprogress[1m])",
    "stddev_over_time(http_requests_inprogress[1m])",
    "stdvar_over_time(http_requests_inprogress[1m])",
    "absent(up{job=\"nosuch\"})",
    "absent(up)",
    "absent_over_time(nosuch[1m])",
    "time() - process_start_time_seconds",
    "timestamp(up)",
    "vector(1)",
    "scalar(sum(up)) * 2",
    "abs(-up)",
    "ceil(sum(rate(http_requests_total[1m])))",
    "floor(sum(rate(http_requests_total[1m])))",
    "round(sum by (tenant) (rate(tenant_requests_total[1m])), 0.1)",
    "sqrt(sum(up))",
    "exp(sum(up))",
    "ln(sum(up))",
    "log2(sum(up))",
    "log10(sum(up))",
    "clamp(sum(rate(http_requests_total[1m])), 0, 10)",
    "clamp_min(sum by (tenant) (rate(tenant_requests_total[1m])), 10)",
    "clamp_max(sum by (tenant) (rate(tenant_requests_total[1m])), 10)",
    "label_replace(up, \"host\", \"$1\", \"instance\", \"(.*):.*\")",
    "sort(sum by (tenant) (rate(tenant_requests_total[1m])))",
    "sort_desc(sum by (tenant) (rate(tenant_requests_total[1m])))",
    "histogram_quantile(0.95, sum by (le, tenant) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(0.9999, sum by (le) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(1, sum by (le) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(0, sum by (le) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(0.5, rate(tenant_request_duration_seconds_bucket{tenant=\"acme\"}[2m]))",
    "histogram_quantile(0.95, sum by (le) (rate(tenant_request_duration_seconds_bucket{tenant=\"nosuch\"}[1m])))",
    "histogram_quantile(0.9, sum by (le) (rate(tenant_request_duration_seconds_bucket{le!=\"+Inf\"}[1m])))",
    "rate(tenant_request_duration_seconds_sum[1m]) / rate(tenant_request_duration_seconds_count[1m])",
    "sum(rate(http_requests_total{status=~\"5..\"}[1m])) or vector(0)",
    "sum by (tenant) (rate(tenant_requests_total{status=\"777\"}[1m])) or sum by (tenant) (rate(tenant_requests_total[1m])) * 0",
    "max by (instance) (up) unless up == 1",
    "rate(tenant_requests_total{tenant!=\"acme\"}[30s]) > 1 and on (instance) up == 1",
    "redis_db_keys - redis_db_keys_expiring > 5",
    "redis_db_keys - on (instance, db) redis_db_keys_expiring",
    "sum by (tenant, instance) (rate(tenant_requests_total[1m])) / on (tenant) group_left sum by (tenant) (rate(tenant_requests_total[1m]))",
    "sum by (tenant) (rate(tenant_requests_total{status=\"429\"}[1m])) / ignoring () sum by (tenant) (rate(tenant_requests_total[1m]))",
    "sum by (instance, job, handler, status) (http_requests_total) / ignoring (job) sum by (instance, job, handler, status) (http_requests_total)",
    "redis_db_keys > on (instance, db) redis_db_keys_expiring",
    "redis_db_keys > ignoring (job) redis_db_keys_expiring",
    "redis_db_keys > bool on (instance, db) redis_db_keys_expiring",
    "sum by (instance) (rate(http_requests_total[1m]) / ignoring (status) group_left sum without (status) (rate(http_requests_total[1m])))",
    "avg by (tenant) (rate(tenant_requests_total{status=~\"2..|4..\"}[1m] offset 1m))",
    "http_requests_total offset 5m",
    "2 ^ 3 ^ 2",
    "1 + 2 * 3 - 4 / 2 % 3",
    "sum(up) > 1 or vector(5) and vector(1)",
    "0 / 0",
    "1 / 0",
    "up[20s]",
    "{__name__=\"up\"}[20s]",
    "{__name__=\"up\", job=\"api\"}",
    "changes(process_start_time_seconds[191s]) and on (instance, job) up",
    "topk(50, count by (handler) (last_over_time(http_requests_total[191s])))",
    "http_requests_total{instance=\"127.0.0.1:8006\"}",
    "ALERTS",
];

/// Queries with a known difference to Prometheus.
pub(super) const DIFFERING: &[&str] = &[
    "-2 ^ 2",
    "sgn(up - 1)",
    "max_over_time(sum(rate(http_requests_total[30s]))[2m:30s])",
    "rate(http_requests_total[1m:10s])",
    "1 + (redis_db_keys - on (instance, db) redis_db_keys_expiring)",
];

/// All queries without duplicates.
pub(super) fn all() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all: BTreeSet<String> = CONSTRUCTS.iter().map(|query| (*query).to_owned()).collect();
    for text in texts(&root.join("compose/prometheus/rules"), "yml") {
        let file: Value = serde_yaml_ng::from_str(&text).unwrap();
        strings(&file, "expr", &mut |query| {
            all.insert(query.trim().to_owned());
        });
    }
    for text in texts(&root.join("dashboards"), "json") {
        strings(&serde_json::from_str(&text).unwrap(), "expr", &mut |query| {
            all.insert(filled(query));
        });
    }
    for text in texts(&root.join("scenarios"), "toml") {
        let file: toml::Value = toml::from_str(&text).unwrap();
        strings(&serde_json::to_value(file).unwrap(), "promql", &mut |query| {
            all.insert(filled(query));
        });
    }
    all.into_iter().collect()
}

fn texts(dir: &Path, extension: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// A panel's query with its variables filled in: any tenant, any replica, usual spans.
fn filled(query: &str) -> String {
    let spans = [("__rate_interval", "1m"), ("__interval", "15s"), ("__range", "5m"), ("__run", "5m")];
    let mut text = query.trim().to_owned();
    for (name, span) in spans {
        text = text.replace(&format!("${{{name}}}"), span).replace(&format!("${name}"), span);
    }
    let variable = regex::Regex::new(r"\$\{[a-z_]+(:[a-z]+)?\}|\$[a-z_]+").unwrap();
    variable.replace_all(&text, ".+").into_owned()
}

/// Every string under a key of that name, anywhere.
fn strings(value: &Value, key: &str, take: &mut impl FnMut(&str)) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                match value.as_str().filter(|_| name == key) {
                    Some(text) => take(text),
                    None => strings(value, key, take),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, key, take)),
        _ => {}
    }
}
