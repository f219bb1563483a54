//! Environments that are already running: addresses from the command line (`--target`) or from
//! `saasbench.toml` (`--env`).

use super::{
    Connected, EnvironmentError, RunningEnvironment,
    access::{Access, PrometheusConfig},
    addresses,
    config::EnvironmentConfig,
};
use crate::environment::connect::{self, TlsTrust};
use crate::secrets;
use saasbench_engine::connect::{resolve::System, target::Target};
use saasbench_model::{
    redact,
    scenario::{Scenario, http::Dns},
    units::Nanos,
};
use saasbench_record::manifest::{Environment, Replica};

/// Offset between two clocks of one site, unless an environment declares another.
pub const CLOCK_OFFSET: Nanos = Nanos::from_millis(2);
/// Drift between two clocks: NTP slews by at most 500 ppm.
pub const CLOCK_DRIFT: f64 = 5e-4;

/// Addresses from the command line.
#[derive(Debug, Clone, Default)]
pub struct AdHoc {
    /// Base URLs of the replicas.
    pub targets: Vec<String>,
    /// Credentials and options for Prometheus.
    pub prometheus: Option<PrometheusConfig>,
    /// URL of the limiter's Redis.
    pub redis: Option<String>,
    /// Whether no one else uses it during the run.
    pub exclusive: bool,
    /// Whether it starts fresh.
    pub fresh: bool,
}

/// Connects to an environment given on the command line.
///
/// # Errors
/// When a URL is not valid, or a part does not respond.
pub async fn ad_hoc(
    given: AdHoc,
    scenario: &Scenario,
    trust: Option<TlsTrust>,
) -> Result<RunningEnvironment, EnvironmentError> {
    let replicas =
        given.targets.iter().enumerate().map(|(i, url)| (replica_name(i), url.clone(), None)).collect();
    let prometheus = access(given.prometheus, "--prometheus")?;
    let environment = Environment {
        name: "ad hoc".to_owned(),
        replicas: checked(replicas, "--target")?,
        prometheus: prometheus.as_ref().map(|access| redact::url(&access.url)),
        redis: given.redis.as_deref().map(shown),
        exclusive: given.exclusive,
        fresh: given.fresh,
        clock_offset_ns: CLOCK_OFFSET,
        clock_drift: CLOCK_DRIFT,
        faults: Vec::new(),
        insecure: false,
        http2: Vec::new(),
        metrics: None,
        programs: Default::default(),
    };
    connect_all(environment, prometheus, given.redis, scenario, trust).await
}

/// The URL of Redis without its password, which is a secret from now on.
fn shown(url: &str) -> String {
    secrets::protect_url(url);
    redact::url(url)
}

/// Credentials and options for Prometheus, with the environment variables of this process.
fn access(config: Option<PrometheusConfig>, place: &str) -> Result<Option<Access>, EnvironmentError> {
    let variable = |name: &str| std::env::var(name).ok();
    config.map(|config| Access::new(config, place, &variable)).transpose()
}

/// Connects to an environment of `saasbench.toml`.
///
/// # Errors
/// When a URL is not valid, or a part does not respond.
pub async fn named(
    name: &str,
    config: EnvironmentConfig,
    scenario: &Scenario,
    trust: Option<TlsTrust>,
) -> Result<RunningEnvironment, EnvironmentError> {
    let place = format!("environment `{name}`");
    let trust = match trust {
        Some(trust) => Some(trust),
        None => TlsTrust::read(config.insecure, config.ca_file.as_deref(), &place)?,
    };
    let replicas = config
        .replicas
        .iter()
        .map(|(replica, url)| (replica.clone(), url.clone(), config.instances.get(replica).cloned()))
        .collect();
    let prometheus = access(config.prometheus, &place)?;
    let environment = Environment {
        name: name.to_owned(),
        replicas: checked(replicas, &place)?,
        prometheus: prometheus.as_ref().map(|access| redact::url(&access.url)),
        redis: config.redis.as_deref().map(shown),
        exclusive: config.exclusive,
        fresh: config.fresh,
        clock_offset_ns: config.clock_offset.map_or(CLOCK_OFFSET, Nanos::from),
        clock_drift: config.clock_drift_ppm.map_or(CLOCK_DRIFT, |ppm| ppm * 1e-6),
        faults: Vec::new(),
        insecure: false,
        http2: Vec::new(),
        metrics: config.metrics.map(|table| table.to_string()),
        programs: Default::default(),
    };
    connect_all(environment, prometheus, config.redis, scenario, trust).await
}

/// `a`, `b`, … `z`, `r27`, …
pub fn replica_name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(small @ 0..26) => char::from(b'a' + small).to_string(),
        _ => format!("r{}", index + 1),
    }
}

/// Names, URLs and instances as replicas.
fn checked(
    replicas: Vec<(String, String, Option<String>)>,
    place: &str,
) -> Result<Vec<Replica>, EnvironmentError> {
    replicas
        .into_iter()
        .map(|(name, url, instance)| {
            let target = Target::parse(&url).map_err(|error| EnvironmentError::Usage {
                message: format!(
                    "{place}: `{}` is not the base URL of a replica: {error}",
                    redact::url(&url)
                ),
                hint: connect::URL_HINT.to_owned(),
            })?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || !name.chars().all(plain) {
                return Err(EnvironmentError::Usage {
                    message: format!("{place}: `{name}` is not a name for a replica"),
                    hint: "use letters, digits, `.`, `_` and `-`: files are named after it".to_owned(),
                });
            }
            let instance = instance.unwrap_or_else(|| target.instance());
            Ok(Replica { name, url: url.trim_end_matches('/').to_owned(), instance, address: None })
        })
        .collect()
}

/// Connects to every part, and notes how in `environment`.
async fn connect_all(
    mut environment: Environment,
    prometheus: Option<Access>,
    redis_url: Option<String>,
    scenario: &Scenario,
    trust: Option<TlsTrust>,
) -> Result<RunningEnvironment, EnvironmentError> {
    let http = trust.map_or_else(|| scenario.http.clone(), |trust| trust.over(&scenario.http));
    if http.dns == Dns::PerRun {
        environment.replicas = addresses::each_a_replica(environment.replicas, &System).await;
    }
    let connections = connect::replicas(&environment.replicas, &http, scenario.timeout).await?;
    let prometheus = connect::prometheus(prometheus.as_ref(), &http).await?;
    connect::redis(redis_url.as_deref()).await?;
    environment.insecure = http.insecure;
    environment.http2 = connections.by_http2(&environment.replicas);
    let connected = Connected { environment, connections, prometheus };
    Ok(RunningEnvironment::External { connected, redis_url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_have_short_names() {
        assert_eq!([0, 1, 25, 26].map(replica_name), ["a", "b", "z", "r27"]);
    }

    #[test]
    fn invalid_urls_are_reported_without_secrets() {
        for url in
            ["127.0.0.1:80", "ftp://x", "http://", "http://x/?q=hush", "http://me:hush@x", "unix:a.sock", ""]
        {
            let error = checked(vec![("a".into(), url.into(), None)], "--target").unwrap_err().to_string();
            assert!(error.starts_with("--target: `") && !error.contains("hush"), "{error}");
        }
        let ok = checked(vec![("a".into(), "http://h:1/".into(), None)], "--target").unwrap();
        assert_eq!((ok[0].url.as_str(), ok[0].instance.as_str()), ("http://h:1", "h:1"));
    }
}
