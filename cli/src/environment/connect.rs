//! Makes the first connection to every replica, to Prometheus and to Redis, so that what does not respond is
//! reported before the load.

use std::{path::Path, sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{EnvironmentError, access::Access};
use crate::{
    input,
    observe::{
        http_client,
        prometheus::client::{ApiError, Client},
        store,
    },
};
use saasbench_engine::{
    connect::{
        dial::DialError,
        endpoint::{Endpoint, Endpoints, Protocol},
        resolve::System,
        target::Target,
        tls::{self, TlsError, Trust},
    },
    http2,
};
use saasbench_model::{redact, scenario::http::Http, units::Nanos};
use saasbench_record::{manifest::Replica, query::ApiRequest};

/// How long a part of the environment may take to respond before it counts as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How base URLs are written.
pub(super) const URL_HINT: &str =
    "write it as http://127.0.0.1:8005, https://api.example.com or unix:/run/api.sock";

/// TLS trust of a target; it takes precedence over the scenario's `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTrust {
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// Text and name of a PEM file with authorities.
    pub ca_file: Option<(String, String)>,
}

impl TlsTrust {
    /// Reads the options of `place`; `None` where it has none.
    ///
    /// # Errors
    /// When the file cannot be read, or both options are given.
    pub fn read(
        insecure: bool,
        ca_file: Option<&str>,
        place: &str,
    ) -> Result<Option<Self>, EnvironmentError> {
        let usage = |message: String, hint: &str| EnvironmentError::Usage { message, hint: hint.to_owned() };
        match (insecure, ca_file) {
            (false, None) => Ok(None),
            (true, None) => Ok(Some(Self { insecure, ca_file: None })),
            (true, Some(_)) => Err(usage(
                format!("{place}: `insecure` accepts every certificate, so `ca_file` means nothing"),
                "leave one of them out",
            )),
            (false, Some(file)) => match input::read_to_string(Path::new(file)) {
                Ok(text) => Ok(Some(Self { insecure, ca_file: Some((text, file.to_owned())) })),
                Err(error) => Err(usage(
                    format!("{place}: cannot read the authorities in {file}: {error}"),
                    "name a PEM file, by its path from the working directory",
                )),
            },
        }
    }

    /// `http` with this trust.
    pub fn over(self, http: &Http) -> Http {
        Http { insecure: self.insecure, ca_file: self.ca_file, ..http.clone() }
    }
}

/// How the replicas of an environment are connected to.
#[derive(Debug)]
pub struct Connections {
    /// Its replicas, each tried once.
    pub endpoints: Arc<Endpoints>,
    /// TLS trust, for observers.
    pub tls: ClientConfig,
}

impl Connections {
    /// Names of the replicas that use HTTP/2.
    pub fn by_http2(&self, replicas: &[Replica]) -> Vec<String> {
        let endpoints = self.endpoints.replicas().iter();
        let by_http2 = endpoints.zip(replicas).filter(|(end, _)| end.protocol() == Protocol::Http2);
        by_http2.map(|(_, replica)| replica.name.clone()).collect()
    }
}

/// Connects to every replica once, with the options of `http`; a request may take `timeout`.
///
/// # Errors
/// When one does not respond, or there are no authorities to trust.
pub async fn replicas(
    replicas: &[Replica],
    http: &Http,
    timeout: Nanos,
) -> Result<Connections, EnvironmentError> {
    let targets = replicas.iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let tls = tls::config(trust(http, targets.iter().any(|target| target.tls))).map_err(|e| untrusted(&e))?;
    let mut endpoints = Endpoints::new(targets, http, timeout, &tls)
        .map_err(|(index, error)| unreachable(&replicas[index], &error))?;
    for (index, replica) in replicas.iter().enumerate() {
        connect(&mut endpoints, index).await.map_err(|error| unreachable(replica, &error))?;
    }
    Ok(Connections { endpoints: Arc::new(endpoints), tls })
}

/// The trust that `http` declares; none where TLS is not needed.
fn trust(http: &Http, is_needed: bool) -> Trust<'_> {
    match &http.ca_file {
        _ if http.insecure => Trust::AcceptAnyCertificate,
        Some((pem, file)) => Trust::Roots { pem, file },
        None if is_needed => Trust::System,
        None => Trust::None,
    }
}

fn untrusted(error: &TlsError) -> EnvironmentError {
    EnvironmentError::Usage { message: error.to_string(), hint: error.hint().to_owned() }
}

/// Parses a replica's URL.
fn target(replica: &Replica) -> Result<Target, EnvironmentError> {
    let target = Target::parse(&replica.url).map_err(|error| EnvironmentError::Usage {
        message: format!("`{}` is not the base URL of a replica: {error}", redact::url(&replica.url)),
        hint: URL_HINT.to_owned(),
    })?;
    Ok(Target { address: replica.address, ..target })
}

async fn connect(endpoints: &mut Endpoints, index: usize) -> Result<(), DialError> {
    let stream = endpoints.reach(index, &System, CONNECT_TIMEOUT).await?;
    let protocol = endpoints.replicas().get(index).map(Endpoint::protocol);
    if protocol == Some(Protocol::Http2) {
        // ALPN may not have been used, and prior knowledge may be wrong.
        let spoken = tokio::time::timeout(CONNECT_TIMEOUT, http2::is_spoken(stream)).await;
        if spoken != Ok(true) {
            return Err(DialError::UnsupportedProtocol(Protocol::Http2));
        }
    }
    Ok(())
}

fn unreachable(replica: &Replica, error: &DialError) -> EnvironmentError {
    EnvironmentError::Unreachable {
        what: format!("replica {} at {}", replica.name, replica.url),
        reason: error.to_string(),
        hint: error
            .hint()
            .unwrap_or(
                "start the service, or correct the address; without an address, `saasbench run` starts two \
                 replicas of its own",
            )
            .to_owned(),
    }
}

/// Queries Prometheus once, if there is one, and returns its client. The trust of `access` takes precedence
/// over that of `http`.
///
/// # Errors
/// When it does not respond, or there are no authorities to trust.
pub async fn prometheus(access: Option<&Access>, http: &Http) -> Result<Option<Client>, EnvironmentError> {
    let Some(access) = access else { return Ok(None) };
    let what = || format!("Prometheus at {}", redact::url(&access.url));
    let failed = |reason: String, hint: &str, responds: bool| match responds {
        true => EnvironmentError::NotQueryable { what: what(), reason, hint: hint.to_owned() },
        false => EnvironmentError::Unreachable { what: what(), reason, hint: hint.to_owned() },
    };
    let trusted = access.trust(http);
    let trust = trust(&trusted, access.url.starts_with("https:"));
    let tls = tls::config_of(trust, access.identity.as_ref()).map_err(|e| untrusted(&e))?;
    let http = http_client(&tls, None).map_err(|error| failed(error.to_string(), ELSEWHERE, false))?;
    let client = Client::new(http, &access.url)
        .with_credentials(access.credentials.clone(), access.timeout)
        .with_body_size_limit(access.body_size_limit);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let probe = ApiRequest::Instant { query: "vector(1)".to_owned(), time: now.as_secs_f64() };
    client.query(&probe).await.map_err(|error| {
        let responds =
            !matches!(error, ApiError::Connection(_) | ApiError::Timeout(_) | ApiError::Address(_));
        failed(error.to_string(), hint(&error), responds)
    })?;
    Ok(Some(client))
}

const ELSEWHERE: &str = "start it, correct its address, or leave it out: the replicas are scraped anyway";

/// What to do about a Prometheus that does not respond.
fn hint(error: &ApiError) -> &'static str {
    match error {
        ApiError::Denied { status: 401, .. } => {
            "give credentials: `basic`, `bearer` or `headers` in [environment.NAME.prometheus], or --prometheus-header 'Authorization: Bearer ${env:TOKEN}'"
        }
        ApiError::Denied { .. } => {
            "give these credentials access, or name a tenant that they may query, such as by the header X-Scope-OrgID"
        }
        ApiError::NotPrometheus { .. } => {
            "correct its address: everything before /api/v1, including a path prefix; a login page may be in front of it, too"
        }
        ApiError::Timeout(_) => {
            "try again when it has less to do, or allow more time: `timeout` in [environment.NAME.prometheus]"
        }
        ApiError::TooLong(_) => {
            "is this the address of Prometheus? if so, allow more: `body_size_limit` in [environment.NAME.prometheus]"
        }
        ApiError::Rejected(_) => "see its own log",
        ApiError::Address(_) | ApiError::Connection(_) => ELSEWHERE,
    }
}

/// Connects to Redis, where there is one.
///
/// # Errors
/// When it does not respond.
pub async fn redis(url: Option<&str>) -> Result<(), EnvironmentError> {
    let Some(url) = url else { return Ok(()) };
    store::reachable(url).await.map_err(|reason| EnvironmentError::Unreachable {
        what: format!("Redis at {}", redact::url(url)),
        reason,
        hint: "start it, correct its address, or leave it out: it is only watched for restarts".to_owned(),
    })
}

#[cfg(test)]
mod tests;
