//! The shipped rule files, which every Prometheus that saasbench starts evaluates.

/// Name and text of each.
pub const RULES: &[(&str, &str)] = &[
    ("recording.yml", include_str!("../../../compose/prometheus/rules/recording.yml")),
    ("redis.yml", include_str!("../../../compose/prometheus/rules/redis.yml")),
    ("scrapes.yml", include_str!("../../../compose/prometheus/rules/scrapes.yml")),
    ("service.yml", include_str!("../../../compose/prometheus/rules/service.yml")),
    ("slo.yml", include_str!("../../../compose/prometheus/rules/slo.yml")),
    ("tenants.yml", include_str!("../../../compose/prometheus/rules/tenants.yml")),
];
