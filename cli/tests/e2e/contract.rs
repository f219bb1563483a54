//! A third-party service with Micrometer's metrics: its environment names the preset, and its counters must
//! match the run exactly.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Runtime, time::Instant};

use crate::support::{Report, Sandbox};

/// Two routes, one of which has another path template in the service, and a path unknown to it.
const SCENARIO: &str = r#"version = 1
name = "shop"
[[tenant]]
id = "acme"
[[journey]]
name = "buy"
[[journey.step]]
get = "/items/${n}"
[[journey.step]]
post = "/orders"
json = { item = "${n}" }
status = [201, 429]
[[journey.step]]
get = "/favicon.ico"
status = 404
[[load]]
rate = "100/s"
duration = "2s"
"#;

/// Requests and seconds by method, status and route.
type Timers = BTreeMap<(String, u16, &'static str), (u64, f64)>;

/// A service on its own thread; it ends with the test.
struct Shop {
    port: u16,
    _runtime: Runtime,
}

impl Shop {
    /// Starts the service; every `miscounts`-th order is counted twice (0: none).
    fn open(miscounts: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let timers: Arc<Mutex<Timers>> = Arc::default();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let timers = Arc::clone(&timers);
                let handler = service_fn(move |request| {
                    let timers = Arc::clone(&timers);
                    async move { Ok::<_, Infallible>(respond(request, &timers, miscounts).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), handler));
            }
        });
        Self { port, _runtime: runtime }
    }

    fn environment(&self) -> String {
        format!(
            "[environment.shop]\nreplicas = {{ a = \"http://127.0.0.1:{}\" }}\nexclusive = true\nfresh = true\n\n\
             [environment.shop.metrics]\npreset = \"micrometer\"\nroutes = {{ \"GET /favicon.ico\" = \"/**\" }}\n",
            self.port
        )
    }
}

async fn respond(
    request: Request<Incoming>,
    timers: &Mutex<Timers>,
    miscounts: u64,
) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let _ = request.into_body().collect().await;
    let (route, status, body) = match path.as_str() {
        "/actuator/prometheus" => ("/actuator/prometheus", 200, exposition(&timers.lock().unwrap())),
        "/orders" => {
            let taken =
                timers.lock().unwrap().get(&(method.clone(), 201, "/orders")).map_or(0, |timer| timer.0);
            ("/orders", if taken < 40 { 201 } else { 429 }, "{}".to_owned())
        }
        path if path.starts_with("/items/") => ("/items/{itemId}", 200, "{}".to_owned()),
        _ => ("/**", 404, "{}".to_owned()),
    };
    let mut timers = timers.lock().unwrap();
    let timer = timers.entry((method, status, route)).or_default();
    timer.0 += if route == "/orders" && miscounts > 0 && timer.0 % miscounts == 1 { 2 } else { 1 };
    timer.1 += began.elapsed().as_secs_f64();
    Response::builder().status(status).body(Full::from(body)).unwrap()
}

/// The exposition of Spring Boot 3, with a single bucket above all latencies.
fn exposition(timers: &Timers) -> String {
    let mut text =
        "# HELP http_server_requests_seconds  \n# TYPE http_server_requests_seconds histogram\n".to_owned();
    for ((method, status, uri), (count, seconds)) in timers {
        let outcome = if *status < 300 { "SUCCESS" } else { "CLIENT_ERROR" };
        let labels = format!(
            "error=\"none\",exception=\"none\",method=\"{method}\",outcome=\"{outcome}\",status=\"{status}\",uri=\"{uri}\""
        );
        for le in ["30.0", "+Inf"] {
            let _ = writeln!(text, "http_server_requests_seconds_bucket{{{labels},le=\"{le}\"}} {count}");
        }
        let _ = writeln!(text, "http_server_requests_seconds_count{{{labels}}} {count}");
        let _ = writeln!(text, "http_server_requests_seconds_sum{{{labels}}} {seconds}");
    }
    text + "# HELP process_start_time_seconds Start time.\n# TYPE process_start_time_seconds gauge\n\
            process_start_time_seconds 1.77356515321E9\n"
}

fn run(shop: &Shop) -> (Sandbox, Report) {
    let sandbox = Sandbox::with(SCENARIO, "");
    sandbox.write("saasbench.toml", &shop.environment());
    let (_, report) = sandbox.report(&["--env", "shop"]);
    (sandbox, report)
}

#[test]
fn a_service_with_other_metrics_is_judged_by_its_own_contract() {
    let shop = Shop::open(0);
    let (sandbox, report) = run(&shop);
    assert!(report.count("/total/requests") > 100, "{}", report.0["summary"]);
    report.assert_all("counters", "http_server_requests_seconds_count", "pass");
    report.assert_all("histograms", "http_server_requests_seconds", "pass");
    // The run's manifest keeps the environment's contract.
    let again = sandbox.run(&["verify", &sandbox.only_run().display().to_string()]);
    again.assert_says(&["http_server_requests_seconds_count"]);
    let guessed =
        sandbox.run(&["metrics", "--guess", &format!("http://127.0.0.1:{}/actuator/prometheus", shop.port)]);
    guessed.assert_code(0);
    assert!(guessed.out.ends_with("[metrics]\npreset = \"micrometer\"\n"), "{}", guessed.out);
}

#[test]
fn a_service_with_other_metrics_that_miscounts_is_caught() {
    let (_sandbox, report) = run(&Shop::open(10));
    report.assert_all("counters", "http_server_requests_seconds_count", "fail");
}
