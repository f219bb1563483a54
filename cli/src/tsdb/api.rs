//! The supported part of Prometheus's HTTP API: queries, series, labels, rules, alerts.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use saasbench_promql::{Labels, Query, QueryError, Selector, Store, Value as Evaluated};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::{json::value, rules::RuleManager, scraper::now};

/// The longest form body that is read.
const LONGEST_FORM: usize = 1 << 20;

/// Pause after a failed accept: the usual cause, too many open files, passes only as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves every connection until it is cancelled.
pub(super) async fn serve(listener: TcpListener, store: Arc<Store>, rules: Arc<RuleManager>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let (store, rules) = (Arc::clone(&store), Arc::clone(&rules));
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let (store, rules) = (Arc::clone(&store), Arc::clone(&rules));
                        async move { Ok::<_, Infallible>(respond(request, store, rules).await) }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

/// An error response.
#[derive(Debug)]
struct Wrong {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Wrong {
    fn input(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }
}

impl From<QueryError> for Wrong {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Syntax(_) => Self::input(error.to_string()),
            QueryError::Unsupported(_) | QueryError::Evaluation(_) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                kind: "execution",
                message: error.to_string(),
            },
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    store: Arc<Store>,
    rules: Arc<RuleManager>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let mut form = request.uri().query().unwrap_or_default().to_owned();
    if request.method() == Method::POST {
        // A truncated body lacks parameters, which the response reports.
        if let Ok(body) = Limited::new(request.into_body(), LONGEST_FORM).collect().await {
            form.push('&');
            form.push_str(&String::from_utf8_lossy(&body.to_bytes()));
        }
    }
    let done =
        tokio::task::spawn_blocking(move || data(&path, &Parameters::read(&form), &store, &rules)).await;
    let (status, body) = match done {
        Ok(Ok(data)) => (StatusCode::OK, json!({"status": "success", "data": data})),
        Ok(Err(Wrong { status, kind, message })) => {
            (status, json!({"status": "error", "errorType": kind, "error": message}))
        }
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"status": "error", "errorType": "internal", "error": "the evaluation broke off"}),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn data(path: &str, parameters: &Parameters, store: &Store, rules: &RuleManager) -> Result<Value, Wrong> {
    match path {
        "/-/ready" | "/-/healthy" => Ok(json!("ready")),
        "/api/v1/query" => {
            let time = parameters.time("time")?.unwrap_or_else(now);
            let query = Query::parse(parameters.need("query")?)?;
            Ok(value(&query.at(store, time)?, time))
        }
        "/api/v1/query_range" => {
            let instant = |name: &str| parameters.time(name)?.ok_or_else(|| missing(name));
            let step =
                seconds(parameters.need("step")?).ok_or_else(|| Wrong::input("`step` is not a time"))?;
            let query = Query::parse(parameters.need("query")?)?;
            let (start, end) = (instant("start")?, instant("end")?);
            let series = query.over(store, start, end, (step * 1000.0).round() as i64)?;
            Ok(value(&Evaluated::Matrix(series), end))
        }
        "/api/v1/series" => Ok(json!(matched(parameters, store)?)),
        "/api/v1/labels" => {
            let names: BTreeSet<String> =
                matched(parameters, store)?.into_iter().flat_map(Labels::into_keys).collect();
            Ok(json!(names))
        }
        "/api/v1/rules" => Ok(rules.to_json()),
        "/api/v1/alerts" => Ok(rules.alerts_to_json()),
        _ => match path.strip_prefix("/api/v1/label/").and_then(|rest| rest.strip_suffix("/values")) {
            Some(name) => {
                let values: BTreeSet<String> = matched(parameters, store)?
                    .into_iter()
                    .filter_map(|mut series| series.remove(name))
                    .collect();
                Ok(json!(values))
            }
            None => Err(Wrong {
                status: StatusCode::NOT_FOUND,
                kind: "not_found",
                message: format!("the embedded Prometheus does not serve {path}"),
            }),
        },
    }
}

/// The series within the span that one of the selectors matches; without selectors, all.
fn matched(parameters: &Parameters, store: &Store) -> Result<Vec<Labels>, Wrong> {
    let end = parameters.time("end")?.unwrap_or_else(now);
    let start = parameters.time("start")?.unwrap_or(end - 300_000);
    let selectors: Vec<Selector> =
        parameters.all("match[]").map(Selector::parse).collect::<Result<_, QueryError>>()?;
    Ok(store.series(&selectors, start, end))
}

/// The parameters of a request.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(form: &str) -> Self {
        let base = url::Url::parse("http://localhost/");
        let pairs = base.map(|mut url| {
            url.set_query(Some(form));
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
        });
        Self(pairs.unwrap_or_default())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn need<'a>(&'a self, name: &'a str) -> Result<&'a str, Wrong> {
        self.all(name).next().ok_or_else(|| missing(name))
    }

    /// An instant in milliseconds since the epoch.
    fn time(&self, name: &str) -> Result<Option<i64>, Wrong> {
        let Some(text) = self.all(name).next() else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let millis = seconds.map(|seconds| (seconds * 1000.0).round() as i64);
        let written = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
        let found = millis.or_else(written);
        found.map(Some).ok_or_else(|| Wrong::input(format!("`{name}`: `{text}` is not an instant")))
    }
}

fn missing(name: &str) -> Wrong {
    Wrong::input(format!("`{name}` is missing"))
}

/// Parses `15`, `0.5` or `15s` as seconds.
fn seconds(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok();
    number.or_else(|| humantime::parse_duration(text).ok().map(|length| length.as_secs_f64()))
}
