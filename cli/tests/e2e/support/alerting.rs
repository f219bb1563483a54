//! The shipped alerting with shorter intervals: Prometheus with the shipped rules, Alertmanager with the
//! shipped routes, and a webhook that receives notifications.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Process, Replica, free_port, get, wait_for};

/// A running Prometheus and Alertmanager.
#[derive(Debug)]
pub(crate) struct Alerting {
    port: u16,
    _processes: [Process; 2],
    _dir: TempDir,
}

/// A shipped file.
fn shipped(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped text after these replacements; each must occur.
fn changed(path: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(shipped(path), |text, (old, new)| {
        assert!(text.contains(old), "{old} is not in {path}");
        text.replace(old, new)
    })
}

impl Alerting {
    /// Starts both. Prometheus scrapes `replicas` and evaluates the rules and `more` every second;
    /// Alertmanager notifies `webhook`.
    pub(crate) fn start(replicas: &[Replica], more: &str, webhook: &Webhook) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, notifier) = (free_port(), free_port());
        let processes = [
            alertmanager(dir.path(), notifier, webhook),
            prometheus(dir.path(), port, notifier, replicas, more),
        ];
        Self { port, _processes: processes, _dir: dir }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn alertmanager(dir: &Path, port: u16, webhook: &Webhook) -> Process {
    let write = |name: &str, text: String| fs::write(dir.join(name), text).unwrap();
    let hurried = [("group_wait: 5s", "group_wait: 500ms"), ("group_interval: 30s", "group_interval: 1s")];
    write("alertmanager.yml", changed("alertmanager/alertmanager.yml", &hurried));
    write("entrypoint.sh", shipped("alertmanager/entrypoint.sh"));
    let mut command = Command::new("sh");
    command
        .current_dir(dir)
        .arg("entrypoint.sh")
        .arg("--storage.path=notified")
        .arg("--cluster.listen-address=");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.env("ALERTMANAGER", "prometheus-alertmanager").env("WEBHOOK_URL", webhook.url());
    command.env("ALERTMANAGER_CONFIG_DIR", dir.join("filled"));
    let mut process = Process::start("alertmanager", &mut command, dir);
    wait_for("alertmanager to be ready", || {
        process.assert_lives();
        get(port, "/-/ready").is_some()
    });
    process
}

fn prometheus(dir: &Path, port: u16, notifier: u16, replicas: &[Replica], more: &str) -> Process {
    let targets: Vec<String> = replicas.iter().map(|r| format!("\"127.0.0.1:{}\"", r.port)).collect();
    let config = changed(
        "prometheus/prometheus.yml",
        &[
            ("_interval: 5s", "_interval: 1s"),
            ("scrape_timeout: 4s", "scrape_timeout: 1s"),
            ("\"api1:8005\", \"api2:8006\"", &targets.join(", ")),
            ("\"redis-exporter:9121\"", ""),
            ("\"host.docker.internal:9464\"", ""),
            ("localhost:9090", &format!("127.0.0.1:{port}")),
            ("alertmanager:9093", &format!("127.0.0.1:{notifier}")),
        ],
    );
    fs::write(dir.join("prometheus.yml"), config).unwrap();
    let rules = dir.join("rules");
    fs::create_dir(&rules).unwrap();
    for file in ["recording", "redis", "scrapes", "service", "slo"] {
        let name = format!("{file}.yml");
        fs::write(rules.join(&name), shipped(&format!("prometheus/rules/{name}"))).unwrap();
    }
    let hurried = changed("prometheus/rules/tenants.yml", &[("[30s]", "[5s]"), ("for: 10s", "for: 2s")]);
    fs::write(rules.join("tenants.yml"), hurried).unwrap();
    fs::write(rules.join("more.yml"), more).unwrap();
    let mut command = Command::new("prometheus");
    command.current_dir(dir).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut process = Process::start("prometheus", &mut command, dir);
    wait_for("prometheus to be ready", || {
        process.assert_lives();
        get(port, "/-/ready").is_some()
    });
    process
}

/// A webhook that keeps the notifications it receives.
#[derive(Debug)]
pub(crate) struct Webhook {
    port: u16,
    notified: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let notified = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&notified);
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(notification) = take(stream) {
                    keep.lock().unwrap().push(notification);
                }
            }
        });
        Self { port, notified }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/notify", self.port)
    }

    /// Labels of all alerts in notifications with this status, in order.
    pub(crate) fn alerts(&self, status: &str) -> Vec<Value> {
        let notified = self.notified.lock().unwrap();
        let alerts = notified.iter().flat_map(|notification| notification["alerts"].as_array().cloned());
        let alerts = alerts.flatten().filter(|alert| alert["status"] == status);
        alerts.map(|alert| alert["labels"].clone()).collect()
    }
}

/// The JSON body of a request, which gets a 200 response.
fn take(stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    serde_json::from_slice(&body).ok()
}

/// The shipped rule for a tenant's flood under another name, after these replacements.
pub(crate) fn broken(name: &str, changes: &[(&str, &str)]) -> String {
    let hurried = [("[30s]", "[5s]"), ("for: 10s", "for: 2s"), ("alert: TenantFlood", "alert: NAME")];
    let text = changed("prometheus/rules/tenants.yml", &[&hurried, changes].concat());
    let rule = text.split_once("      - alert").map(|(_, rule)| rule).unwrap_or_default();
    format!("      - alert{}", rule.replace("NAME", name))
}

/// Rules in a group.
pub(crate) fn group(rules: &[String]) -> String {
    format!("groups:\n  - name: more\n    rules:\n{}", rules.concat())
}
