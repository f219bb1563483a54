//! Makes the first connection to every replica, and to Prometheus and Redis: what does not answer is told before the load.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{EnvironmentError, access::Access};
use crate::observe::{
    http_client,
    prometheus::client::{ApiError, Client},
    store,
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

/// How long a part of the environment may take to answer before it is called unreachable.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whom to trust, as a place says it; it has the last word over the scenario's `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTrust {
    /// Any certificate is good enough.
    pub insecure: bool,
    /// Text and name of a PEM file with authorities.
    pub ca_file: Option<(String, String)>,
}

impl TlsTrust {
    /// What a place says: `None` where it says nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or both are said.
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
            (false, Some(file)) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(Some(Self { insecure, ca_file: Some((text, file.to_owned())) })),
                Err(error) => Err(usage(
                    format!("{place}: cannot read the authorities in {file}: {error}"),
                    "name a PEM file, by its path from the working directory",
                )),
            },
        }
    }

    /// `http` with what this says.
    pub fn over(self, http: &Http) -> Http {
        Http { insecure: self.insecure, ca_file: self.ca_file, ..http.clone() }
    }
}

/// How to connect to an environment.
#[derive(Debug)]
pub struct Reached {
    /// Its replicas, each tried once.
    pub endpoints: Arc<Endpoints>,
    /// Whom to trust.
    pub tls: ClientConfig,
}

impl Reached {
    /// Names of the replicas to which HTTP/2 is spoken.
    pub fn by_http2(&self, replicas: &[Replica]) -> Vec<String> {
        let endpoints = self.endpoints.replicas().iter();
        let by_http2 = endpoints.zip(replicas).filter(|(end, _)| end.protocol() == Protocol::Http2);
        by_http2.map(|(_, replica)| replica.name.clone()).collect()
    }
}

/// Connects to every replica once, as `http` says; a request may take `timeout`.
///
/// # Errors
/// When one does not answer, or there is nobody to trust.
pub async fn replicas(
    replicas: &[Replica],
    http: &Http,
    timeout: Nanos,
) -> Result<Reached, EnvironmentError> {
    let targets = replicas.iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let tls = tls::config(trust(http, targets.iter().any(|target| target.tls))).map_err(|e| untrusted(&e))?;
    let mut endpoints = Endpoints::new(targets, http, timeout, &tls)
        .map_err(|(index, error)| unreachable(&replicas[index], &error))?;
    for (index, replica) in replicas.iter().enumerate() {
        reach(&mut endpoints, index).await.map_err(|error| unreachable(replica, &error))?;
    }
    Ok(Reached { endpoints: Arc::new(endpoints), tls })
}

/// Whom `http` says to trust; nobody where TLS `is_needed` by none.
fn trust(http: &Http, is_needed: bool) -> Trust<'_> {
    match &http.ca_file {
        _ if http.insecure => Trust::AcceptAnyCertificate,
        Some((pem, file)) => Trust::Roots { pem, file },
        None if is_needed => Trust::System,
        None => Trust::Nobody,
    }
}

fn untrusted(error: &TlsError) -> EnvironmentError {
    EnvironmentError::Usage { message: error.to_string(), hint: error.hint().to_owned() }
}

/// A replica's URL, read.
fn target(replica: &Replica) -> Result<Target, EnvironmentError> {
    Target::parse(&replica.url).map_err(|error| EnvironmentError::Usage {
        message: format!("`{}` is not the base URL of a replica: {error}", redact::url(&replica.url)),
        hint: super::external::URL_HINT.to_owned(),
    })
}

async fn reach(endpoints: &mut Endpoints, index: usize) -> Result<(), DialError> {
    let stream = endpoints.reach(index, &System, PATIENCE).await?;
    let protocol = endpoints.replicas().get(index).map(Endpoint::protocol);
    if protocol == Some(Protocol::Http2) {
        // ALPN may be silent, and prior knowledge wrong.
        let spoken = tokio::time::timeout(PATIENCE, http2::is_spoken(stream)).await;
        if spoken != Ok(true) {
            return Err(DialError::NotSpoken(Protocol::Http2));
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

/// Asks Prometheus, where there is one: how it is asked from then on. It is trusted as `access` says, else as `http` does.
///
/// # Errors
/// When it does not answer, or there is nobody to trust.
pub async fn prometheus(access: Option<&Access>, http: &Http) -> Result<Option<Client>, EnvironmentError> {
    let Some(access) = access else { return Ok(None) };
    let what = || format!("Prometheus at {}", redact::url(&access.url));
    let failed = |reason: String, hint: &str, answers: bool| match answers {
        true => EnvironmentError::Unanswered { what: what(), reason, hint: hint.to_owned() },
        false => EnvironmentError::Unreachable { what: what(), reason, hint: hint.to_owned() },
    };
    let trusted = access.trust(http);
    let trust = trust(&trusted, access.url.starts_with("https:"));
    let tls = tls::config_of(trust, access.identity.as_ref()).map_err(|e| untrusted(&e))?;
    let http = http_client(&tls, None).map_err(|error| failed(error.to_string(), ELSEWHERE, false))?;
    let client = Client::new(http, &access.url).known_by(access.credentials.clone(), access.timeout);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let probe = ApiRequest::Instant { query: "vector(1)".to_owned(), time: now.as_secs_f64() };
    client.ask(&probe).await.map_err(|error| {
        let answers = !matches!(error, ApiError::Connection(_) | ApiError::Slow(_) | ApiError::Address(_));
        failed(error.to_string(), hint(&error), answers)
    })?;
    Ok(Some(client))
}

const ELSEWHERE: &str = "start it, correct its address, or leave it out: the replicas are scraped anyway";

/// What to do about a Prometheus that does not answer.
fn hint(error: &ApiError) -> &'static str {
    match error {
        ApiError::Denied { status: 401, .. } => {
            "say who asks: `basic`, `bearer` or `headers` in [environment.NAME.prometheus], or --prometheus-header 'Authorization: Bearer ${env:TOKEN}'"
        }
        ApiError::Denied { .. } => {
            "let it ask, or name a tenant that it may ask for, such as the header X-Scope-OrgID"
        }
        ApiError::Foreign { .. } => {
            "correct its address: it is what stands before /api/v1, a path prefix included; a login page may stand before it, too"
        }
        ApiError::Slow(_) => {
            "ask again when it has less to do, or allow more: `timeout` in [environment.NAME.prometheus]"
        }
        ApiError::Rejected(_) => "its own log says more",
        ApiError::Address(_) | ApiError::Connection(_) => ELSEWHERE,
    }
}

/// Connects to Redis, where there is one.
///
/// # Errors
/// When it does not answer.
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
