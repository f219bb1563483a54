//! Services that keep their limits as many do: in the memory of each worker process behind one address, or one
//! limit after the other.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::Empty;
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Runtime, time::Instant};

use crate::support::{Ended, Report, Sandbox};

/// Two tenants with LOAD; the limits follow.
const SCENARIO: &str = r#"version = 1
name = "limited"
[metrics]
enabled = false
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[journey]]
name = "ask"
headers = { X-Tenant-ID = "${tenant}" }
[[journey.step]]
get = "/ask"
status = [200, 429]
[[load]]
LOAD
[[limit]]
route = "GET /ask"
algorithm = "fixed-window"
quota = "5/2s"
"#;

/// Fixed windows from the first hit: count and length.
type Limits = &'static [(u64, Duration)];

/// Counts in the memory of one process, by tenant: for each limit the start of its window, and its hits.
type Memory = Mutex<HashMap<String, Vec<Option<(Instant, u64)>>>>;

/// A service with this many processes behind one address; it ends with the test.
struct Service {
    port: u16,
    _runtime: Runtime,
}

impl Service {
    fn start(processes: usize, limits: Limits, retry_after: &'static str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let memories: Vec<Arc<Memory>> = (0..processes).map(|_| Arc::default()).collect();
        runtime.spawn(async move {
            let mut accepting = memories.iter().cycle();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let memory = Arc::clone(accepting.next().unwrap());
                let handler = service_fn(move |request| {
                    let response = respond(&request, &memory, limits, retry_after);
                    async move { Ok::<_, Infallible>(response) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), handler));
            }
        });
        Self { port, _runtime: runtime }
    }

    fn judged(&self, load: &str, more: &str) -> (Ended, Report) {
        let sandbox = Sandbox::with(&(SCENARIO.replace("LOAD", load) + more), "");
        let target = format!("http://127.0.0.1:{}", self.port);
        sandbox.report(&["--target", &target, "--exclusive", "--fresh"])
    }
}

/// Each limit in turn consumes, or rejects: then those before it have consumed.
fn respond(
    request: &Request<Incoming>,
    memory: &Memory,
    limits: Limits,
    retry_after: &str,
) -> Response<Empty<Bytes>> {
    let tenant = request.headers().get("x-tenant-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut memory = memory.lock().unwrap();
    let windows = memory.entry(tenant.to_owned()).or_insert_with(|| vec![None; limits.len()]);
    let now = Instant::now();
    for (window, (limit, length)) in windows.iter_mut().zip(limits) {
        let (start, hits) = window.filter(|(start, _)| now - *start < *length).unwrap_or((now, 0));
        if hits == *limit {
            let mut rejection = Response::builder().status(429);
            if !retry_after.is_empty() {
                rejection = rejection.header("Retry-After", retry_after);
            }
            return rejection.body(Empty::new()).unwrap();
        }
        *window = Some((start, hits + 1));
    }
    Response::new(Empty::new())
}

const TWO_SECONDS: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_limit_in_the_memory_of_each_of_four_processes_is_named_from_connections() {
    let service = Service::start(4, &[(5, TWO_SECONDS)], "");
    let (ended, report) = service.judged("users = 16\npacing = \"50ms\"\nduration = \"5s\"", "");
    ended.assert_code(1);
    report.assert_all("limit", "GET /ask", "fail");
    ended.assert_says(&["a limit kept by each of several processes behind one address", " 4 groups"]);
}

/// The load stands for many clients, so it spreads by itself.
#[test]
fn an_open_load_meets_several_processes_unless_it_is_told_not_to() {
    let load = "rate = \"40/s\"\nduration = \"5s\"";
    let service = Service::start(4, &[(5, TWO_SECONDS)], "");
    let (ended, _) = service.judged(load, "");
    ended.assert_code(1);
    ended.assert_says(&["a limit kept by each of several processes behind one address: the 8 connections"]);

    let service = Service::start(4, &[(5, TWO_SECONDS)], "");
    let (ended, report) = service.judged(load, "[http]\nconnections = \"reuse\"\n");
    ended.assert_nothing_failed();
    let verdicts = report.verdicts("limit");
    assert!(verdicts[0].2.contains("too few to show a limit that each of several processes"), "{verdicts:?}");
}

#[test]
fn a_pass_over_one_connection_says_what_it_cannot_show() {
    let service = Service::start(4, &[(5, TWO_SECONDS)], "");
    let (_, report) = service.judged("users = 2\npacing = \"100ms\"\nduration = \"5s\"", "");
    let verdicts = report.verdicts("limit");
    assert_eq!(verdicts[0].1, "pass", "{verdicts:?}");
    assert!(verdicts[0].2.contains("too few to show a limit that each of several processes"), "{verdicts:?}");
}

/// The minute's limit rejects what the short one has counted.
#[test]
fn limits_asked_one_after_the_other_are_not_accused() {
    let service = Service::start(1, &[(5, TWO_SECONDS), (8, MINUTE)], "");
    let long = "[[limit]]\nroute = \"GET /ask\"\nalgorithm = \"fixed-window\"\nquota = \"8/60s\"\n";
    let load = "users = 16\npacing = \"100ms\"\nduration = \"6s\"";
    let (ended, report) = service.judged(load, long);
    ended.assert_nothing_failed();
    report.assert_all("limit", "GET /ask", "pass");
}

#[test]
fn a_negative_retry_after_is_a_broken_promise() {
    let service = Service::start(1, &[(5, TWO_SECONDS)], "-3");
    let (ended, report) = service.judged("rate = \"50/s\"\nduration = \"3s\"", "");
    ended.assert_code(1);
    report.assert_all("headers", "GET /ask", "fail");
    report.assert_all("limit", "GET /ask", "pass");
    ended.assert_says(&["-3", "a whole number of seconds or a date"]);
}
