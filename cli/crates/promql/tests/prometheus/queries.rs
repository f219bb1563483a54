//! The compared queries: all that are shipped, and at least one for every supported construct.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// At least one query for each construct.
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
    "-2 ^ 2",
    "(-2) ^ 2",
    "- up ^ 2",
    "sgn(up - 1)",
    "sgn(edge_values)",
    "max_over_time(sum(rate(http_requests_total[30s]))[2m:30s])",
    "rate(http_requests_total[1m:10s])",
    "min_over_time(rate(http_requests_total[1m])[5m:7s] offset 30s)",
    "count_over_time(edge_values[1m:5s])",
    "deriv(rate(http_requests_total[1m])[2m:20s])",
    "absent_over_time(nosuch[5m:1m])",
    "1 + (redis_db_keys - on (instance, db) redis_db_keys_expiring)",
    "up @ 1765000120",
    "rate(http_requests_total[1m] @ 1765000320 offset 30s)",
    "sum(http_requests_total @ start()) - sum(http_requests_total @ end())",
    "timestamp(up @ 1765000120)",
    "absent(nosuch{job=\"x\"} @ 1765000120)",
    "predict_linear(redis_memory_used_bytes[5m] offset 1m, 60)",
    "predict_linear(redis_memory_used_bytes[2m] @ 1765000320, 60)",
    "max_over_time((up @ end())[2m:30s])",
    "http_requests_total offset -1m",
    // A range starts and ends on samples, and a lookback ends on one.
    "count_over_time(edge_values[20s])",
    "rate(edge_values[20s])",
    "edge_values[20s]",
    "sum_over_time(edge_values[40s] offset 5s)",
    "edge_once",
    "timestamp(edge_once)",
    "changes(edge_values[1m])",
    "resets(edge_values[1m])",
    "increase(edge_values[1m])",
    "delta(edge_values[1m])",
    "deriv(edge_values[1m])",
    "irate(edge_values[1m])",
    "idelta(edge_values[1m])",
    "predict_linear(edge_values[1m], 60)",
    "avg_over_time(edge_values[1m])",
    "min_over_time(edge_values[1m])",
    "max_over_time(edge_values[1m])",
    "sum_over_time(edge_values[1m])",
    "stddev_over_time(edge_values[1m])",
    "stdvar_over_time(edge_values[1m])",
    "quantile_over_time(0.3, edge_values[1m])",
    "quantile_over_time(-1, edge_values[1m])",
    "quantile_over_time(0 / 0, edge_values[1m])",
    "rate(edge_once[10m])",
    "stddev_over_time(edge_once[10m])",
    "sum(edge_values)",
    "avg(edge_values)",
    "avg(edge_values{kind!=\"nan\"})",
    "avg(edge_values{kind=~\"huge|negative\"})",
    "min(edge_values)",
    "max(edge_values)",
    "stddev(edge_values)",
    "stddev(edge_values{kind=~\"huge|negative\"})",
    "quantile(0.3, edge_values)",
    "quantile(1.5, edge_values)",
    "quantile without (kind) (0.5, edge_values)",
    "topk(2, edge_values)",
    "bottomk(2, edge_values)",
    "topk(10, edge_values)",
    "topk(0, up)",
    "topk(scalar(count(up)) - 3, http_requests_total)",
    "topk by (job) (1, redis_db_keys)",
    "count_values(\"value\", edge_values)",
    "count_values by (job) (\"value\", up)",
    "count_values without (instance) (\"job\", up)",
    "sum by (__name__) ({job=\"redis\", __name__=~\"redis_db.*\"})",
    "{job=\"redis\"}",
    "{__name__=~\"redis_db_keys.*\"} offset 10s",
    "up{job=~\"api|.*bench\", instance!=\"\"}",
    "up{nosuch=\"\"}",
    "up{nosuch=~\".+\"}",
    "rate({job=\"redis\", __name__=\"redis_evicted_keys_total\"}[1m])",
    "sort(edge_values)",
    "sort_desc(edge_values)",
    "round(edge_values)",
    "round(edge_values, 5)",
    "abs(edge_values)",
    "clamp(edge_values, -1, 1)",
    "clamp(edge_values, 1, -1)",
    "clamp_min(edge_values, 0)",
    "clamp_max(edge_values, 0 / 0)",
    "sqrt(edge_values)",
    "ln(edge_values)",
    "exp(edge_values)",
    "scalar(up)",
    "vector(time())",
    "timestamp(sum(up))",
    "timestamp((up))",
    "timestamp(up offset 1m)",
    "absent(nosuch{a=\"1\", b=~\"2\", c!=\"3\", d=\"4\", d=\"5\"})",
    "absent((nosuch{a=\"1\"}))",
    "absent(sum(nosuch{a=\"1\"}))",
    "absent_over_time(nosuch{a=\"1\", a=\"1\", b=\"2\"}[1m])",
    "absent_over_time(up[1m])",
    "label_replace(up, \"job\", \"\", \"job\", \".*\")",
    "label_replace(up, \"port\", \"${port}-$$-$nosuch\", \"instance\", \".*:(?P<port>[0-9]+)\")",
    "label_replace(up, \"x\", \"$1\", \"nosuch\", \"(.*)\")",
    "label_replace(up, \"x\", \"y\", \"instance\", \"127\")",
    "label_replace(rate(http_requests_total[1m]), \"__name__\", \"renamed\", \"\", \"\")",
    "label_join(up, \"both\", \"-\", \"job\", \"nosuch\", \"instance\")",
    "label_join(up, \"job\", \",\", \"nosuch\")",
    "label_join(up, \"x\", \",\")",
    "histogram_quantile(0.5, odd_bucket)",
    "histogram_quantile(0.01, odd_bucket)",
    "histogram_quantile(0.99, odd_bucket)",
    "histogram_quantile(-1, odd_bucket)",
    "histogram_quantile(2, odd_bucket)",
    "histogram_quantile(0 / 0, odd_bucket)",
    "histogram_quantile(scalar(vector(0.5)), rate(odd_bucket[1m]))",
    "1 + histogram_quantile(0.9, sum by (le) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "histogram_quantile(0.5, up)",
    "edge_values == edge_values",
    "edge_values != edge_values",
    "edge_values > bool 0",
    "0 < edge_values",
    "0 < bool edge_values",
    "1 == bool 1",
    "edge_values % 7",
    "edge_values / 0",
    "edge_values ^ 0.5",
    "2 ^ edge_values",
    "-edge_values",
    "+edge_values",
    "up * on (instance) group_left (db) redis_db_keys",
    "redis_db_keys * on (instance) group_right (nosuch) up",
    "sum by (tenant, instance) (tenant_requests_total) * on (tenant) group_left () sum by (tenant) (tenant_requests_total)",
    "sum by (tenant) (tenant_requests_total) / on (tenant) group_right sum by (tenant, status) (tenant_requests_total)",
    "sum by (tenant, status) (tenant_requests_total) > ignoring (status) group_left sum by (tenant) (tenant_requests_total) / 3",
    "redis_db_keys and redis_db_keys_expiring",
    "redis_db_keys and ignoring (db) up",
    "up or redis_db_keys",
    "up or on (instance) redis_db_keys",
    "up unless on (job) redis_up",
    "rate(http_requests_total[1m]) or up",
    "up + on () group_left vector(1)",
    "up == on (instance) group_left redis_up",
    "sum by (tenant) (tenant_requests_total / on (instance, tenant, handler, method, status) tenant_requests_total)",
    "\"a text\"",
    "((up))",
    "up[1m:30s]",
];

/// Queries that are compared over a range of instants, too.
pub(super) const OVER_RANGES: &[&str] = &[
    "up",
    "time() * 2",
    "sum by (status) (rate(http_requests_total[30s]))",
    "up @ end() - up @ start()",
    "max_over_time(sum(rate(http_requests_total[30s]))[1m:20s])",
    "histogram_quantile(0.9, sum by (le) (rate(tenant_request_duration_seconds_bucket[1m])))",
    "topk(1, sum by (tenant) (rate(tenant_requests_total[20s])))",
    "absent(http_requests_total{status=\"500\"})",
    "edge_values > 0",
];

/// Queries for which neither has a value.
pub(super) const WITHOUT_A_VALUE: &[&str] = &[
    "up + on (job) up",
    "up + on (job) group_left up",
    "up * on () up",
    "sum by (tenant) (tenant_requests_total) * on (tenant) sum by (tenant, status) (tenant_requests_total)",
    "sum by (tenant, status) (tenant_requests_total) * on (tenant) sum by (tenant) (tenant_requests_total)",
    "rate({job=\"redis\", __name__=~\"redis_.*_total\"}[1m])",
    "-{job=\"redis\", __name__=~\"redis_db_.*\"}",
    "label_replace(up, \"instance\", \"x\", \"instance\", \".*\")",
    "label_replace(up, \"no label\", \"x\", \"instance\", \".*\")",
    "label_replace(up, \"x\", \"x\", \"instance\", \"(\")",
    "label_join(up, \"no label\", \"x\", \"instance\")",
    "count_values(\"no label\", up)",
    "topk(0 / 0, up)",
    "bottomk(1e30, up)",
    "histogram_quantile(0.5, {__name__=~\"odd_bucket|even_bucket\"})",
    "ln(-1)",
    "1 == 1",
    "up and 1",
    "rate(up)",
    "nosuch(up)",
    "sum(",
    "{}",
    "up{job=~\".*\"}[5m] + 1",
    "up[0s]",
    "sum_over_time(time()[1m:10s])",
];

/// Valid PromQL of this or a later version that the embedded Prometheus does not evaluate.
pub(super) const NOT_IMPLEMENTED: &[&str] = &[
    "hour()",
    "sort_by_label(up, \"job\")",
    "double_exponential_smoothing(up[1m], 0.5, 0.5)",
    "limitk(1, up)",
    "up + on (instance) fill (0) redis_up",
    "up{job=\"api\" or job=\"redis\"}",
    "max_over_time(up[5m:])",
];

/// All queries, without duplicates.
pub(super) fn all() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
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

/// All strings under a key of that name, at any depth.
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
