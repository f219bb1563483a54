//! Environments that run already: addresses from the command line (`--target`) or from `saasbench.toml` (`--env`).

use std::time::Duration;

use tokio::net::TcpStream;

use super::{EnvironmentError, Up, config::EnvironmentConfig};
use crate::{
    observe::{prometheus, store},
    record::manifest::{Environment, Replica},
    units::Nanos,
};

/// Offset between two clocks of one site, unless an environment declares another.
pub const CLOCK_OFFSET: Nanos = Nanos::from_millis(2);
/// Drift between two clocks: NTP slews by at most 500 ppm.
pub const CLOCK_DRIFT: f64 = 5e-4;
/// How long a part of the environment may take to answer before it is called unreachable.
const PATIENCE: Duration = Duration::from_secs(3);

/// Addresses from the command line.
#[derive(Debug, Clone, Default)]
pub struct AdHoc {
    /// Base URLs of the replicas.
    pub targets: Vec<String>,
    /// Base URL of Prometheus.
    pub prometheus: Option<String>,
    /// URL of the limiter's Redis.
    pub redis: Option<String>,
    /// Whether the run is alone on it.
    pub exclusive: bool,
    /// Whether it starts fresh.
    pub fresh: bool,
}

/// Looks at an environment given on the command line.
///
/// # Errors
/// When a URL is none, or nothing answers there.
pub async fn ad_hoc(given: AdHoc) -> Result<Up, EnvironmentError> {
    let replicas =
        given.targets.iter().enumerate().map(|(i, url)| (replica_name(i), url.clone(), None)).collect();
    let environment = Environment {
        name: "ad hoc".to_owned(),
        replicas: checked(replicas, "--target")?,
        prometheus: given.prometheus.as_deref().map(without_password),
        redis: given.redis.as_deref().map(without_password),
        exclusive: given.exclusive,
        fresh: given.fresh,
        clock_offset_ns: CLOCK_OFFSET,
        clock_drift: CLOCK_DRIFT,
        faults: Vec::new(),
    };
    reach(environment, given.prometheus, given.redis).await
}

/// Looks at an environment of `saasbench.toml`.
///
/// # Errors
/// When a URL is none, or nothing answers there.
pub async fn named(name: &str, config: EnvironmentConfig) -> Result<Up, EnvironmentError> {
    let replicas = config
        .replicas
        .iter()
        .map(|(replica, url)| (replica.clone(), url.clone(), config.instances.get(replica).cloned()))
        .collect();
    let environment = Environment {
        name: name.to_owned(),
        replicas: checked(replicas, &format!("environment `{name}`"))?,
        prometheus: config.prometheus.as_deref().map(without_password),
        redis: config.redis.as_deref().map(without_password),
        exclusive: config.exclusive,
        fresh: config.fresh,
        clock_offset_ns: config.clock_offset.map_or(CLOCK_OFFSET, Nanos::from),
        clock_drift: config.clock_drift_ppm.map_or(CLOCK_DRIFT, |ppm| ppm * 1e-6),
        faults: Vec::new(),
    };
    reach(environment, config.prometheus, config.redis).await
}

/// `a`, `b`, … `z`, `r27`, …
pub fn replica_name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(small @ 0..26) => char::from(b'a' + small).to_string(),
        _ => format!("r{}", index + 1),
    }
}

/// Names, URLs and instances as replicas; a URL needs a scheme and a host, and nothing behind its path.
fn checked(
    replicas: Vec<(String, String, Option<String>)>,
    place: &str,
) -> Result<Vec<Replica>, EnvironmentError> {
    replicas
        .into_iter()
        .map(|(name, url, instance)| {
            let wrong = |why: &str| EnvironmentError::Usage {
                message: format!("{place}: `{url}` is not the base URL of a replica: {why}"),
                hint: "write it as http://127.0.0.1:8005".to_owned(),
            };
            let parsed = reqwest::Url::parse(&url).map_err(|error| wrong(&error.to_string()))?;
            match parsed.scheme() {
                "http" => {}
                "https" => return Err(wrong("https is not supported yet")),
                _ => return Err(wrong("it needs http:// in front")),
            }
            if parsed.query().is_some() || parsed.fragment().is_some() {
                return Err(wrong("it must not have a query or a fragment"));
            }
            if !parsed.username().is_empty() || parsed.password().is_some() {
                return Err(wrong(
                    "it must not hold a user or a password: send them as a header, from ${env:NAME}",
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || !name.chars().all(plain) {
                return Err(EnvironmentError::Usage {
                    message: format!("{place}: `{name}` is not a name for a replica"),
                    hint: "use letters, digits, `.`, `_` and `-`: files are named after it".to_owned(),
                });
            }
            let host = parsed.host_str().ok_or_else(|| wrong("it has no host"))?;
            let port = parsed.port_or_known_default().unwrap_or(80);
            let instance = instance.unwrap_or_else(|| format!("{host}:{port}"));
            Ok(Replica { name, url: url.trim_end_matches('/').to_owned(), instance })
        })
        .collect()
}

/// Checks that every part answers.
async fn reach(
    environment: Environment,
    prometheus_url: Option<String>,
    store_url: Option<String>,
) -> Result<Up, EnvironmentError> {
    for replica in &environment.replicas {
        connect(&replica.url).await.map_err(|reason| EnvironmentError::Unreachable {
            what: format!("replica {} at {}", replica.name, replica.url),
            reason,
            hint:
                "start the service, or correct the address; without an address, `saasbench run` starts two \
                   replicas of its own"
                    .to_owned(),
        })?;
    }
    if let Some(url) = &prometheus_url {
        let unreachable = |reason| EnvironmentError::Unreachable {
            what: format!("Prometheus at {}", without_password(url)),
            reason,
            hint: "start it, correct its address, or leave it out: the replicas are scraped anyway"
                .to_owned(),
        };
        let http = crate::observe::http_client().map_err(|error| unreachable(error.to_string()))?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        prometheus::ask(&http, url.trim_end_matches('/'), "vector(1)", now.as_secs_f64())
            .await
            .map_err(unreachable)?;
    }
    if let Some(url) = &store_url {
        store::reachable(url).await.map_err(|reason| EnvironmentError::Unreachable {
            what: format!("Redis at {}", without_password(url)),
            reason,
            hint: "start it, correct its address, or leave it out: it is only watched for restarts"
                .to_owned(),
        })?;
    }
    Ok(Up { environment, prometheus_url, store_url, embedded: None })
}

/// Opens and closes a connection to a URL's host and port.
async fn connect(url: &str) -> Result<(), String> {
    let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let addresses =
        parsed.socket_addrs(|| None).map_err(|error| format!("its host cannot be resolved ({error})"))?;
    match tokio::time::timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection in {} s", PATIENCE.as_secs())),
    }
}

/// A URL that can be shown and recorded.
pub fn without_password(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("***"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_have_short_names() {
        assert_eq!([0, 1, 25, 26].map(replica_name), ["a", "b", "z", "r27"]);
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("redis://:secret@127.0.0.1:1/0"), "redis://:***@127.0.0.1:1/0");
        assert_eq!(without_password("redis://127.0.0.1:1"), "redis://127.0.0.1:1");
    }

    #[test]
    fn urls_that_are_none_are_told() {
        for url in ["127.0.0.1:80", "ftp://x", "http://", "http://x/?q=1", ""] {
            let error = checked(vec![("a".into(), url.into(), None)], "--target").unwrap_err().to_string();
            assert!(error.starts_with("--target: `"), "{error}");
        }
        let ok = checked(vec![("a".into(), "http://h:1/".into(), None)], "--target").unwrap();
        assert_eq!((ok[0].url.as_str(), ok[0].instance.as_str()), ("http://h:1", "h:1"));
    }
}
