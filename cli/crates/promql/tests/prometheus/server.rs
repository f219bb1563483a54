//! A Prometheus server with prepared samples in its storage.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use saasbench_promql::{Labels, Point, Sample, Series, Value};
use serde_json::Value as Json;

/// Number of attempts, a tenth of a second apart.
const MAX_POLLS: u32 = 900;

pub(crate) struct Server {
    port: u16,
    process: Child,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts a server with samples in the OpenMetrics text format.
    pub(crate) fn start(openmetrics: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::write(at("samples.om"), openmetrics).unwrap();
        let imported = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", &at("samples.om"), &at("data")])
            .output()
            .expect("ci/test installs Prometheus with its promtool");
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        fs::write(at("prometheus.yml"), "global:\n  scrape_interval: 1h\n").unwrap();
        // Below the port range that Linux uses for outgoing connections.
        let ports = 26_000 + u16::try_from(std::process::id() % 3000).unwrap()..32_000;
        let port = ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", at("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", at("data")))
            .arg("--storage.tsdb.retention.time=20y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { port, process, _dir: dir };
        let mut polls = 0;
        while server.get("/-/ready").is_none() {
            polls += 1;
            assert!(polls < MAX_POLLS, "Prometheus does not become ready");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// The value of a query at an instant, or Prometheus's error.
    pub(crate) fn at(&self, query: &str, time: i64) -> Result<Value, String> {
        self.query("query", &[("query", query), ("time", &seconds(time))])
    }

    /// The values of a query over a range.
    pub(crate) fn over(&self, query: &str, start: i64, end: i64, step: i64) -> Result<Value, String> {
        let (start, end, step) = (seconds(start), seconds(end), seconds(step));
        self.query("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", &step)])
    }

    fn query(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let form: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let body = self.get(&format!("/api/v1/{endpoint}?{}", form.join("&"))).unwrap();
        let json: Json = serde_json::from_str(&body).unwrap();
        json["error"].as_str().map_or_else(|| Ok(value(&json["data"])), |error| Err(error.to_owned()))
    }

    /// The body of a response, whatever its status.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        // HTTP/1.0 has no chunked encoding.
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        (!head.contains(" 503 ")).then(|| body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// A value as the HTTP API writes it.
fn value(data: &Json) -> Value {
    let point = |json: &Json| Point {
        time: (json[0].as_f64().unwrap() * 1000.0).round() as i64,
        value: json[1].as_str().unwrap().parse().unwrap(),
    };
    let labels = |json: &Json| -> Labels { serde_json::from_value(json["metric"].clone()).unwrap() };
    let result = &data["result"];
    let elements = || result.as_array().unwrap().iter();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(point(result).value),
        "string" => Value::String(result[1].as_str().unwrap().to_owned()),
        "vector" => Value::Vector(
            elements()
                .map(|json| Sample { labels: labels(json), value: point(&json["value"]).value })
                .collect(),
        ),
        _ => Value::Matrix(
            elements()
                .map(|json| Series {
                    labels: labels(json),
                    points: json["values"].as_array().unwrap().iter().map(point).collect(),
                })
                .collect(),
        ),
    }
}
