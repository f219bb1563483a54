//! The services of a real stack, each on a free port, and ready when its constructor returns.

use std::{fs, io::Write as _, net::TcpStream, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Process, free_port, get, program, wait_for, wait_for_some};

/// A redis-server without persistence: a restart loses its data.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    process: Option<Process>,
    dir: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let mut redis = Self { port: free_port(), process: None, dir: tempfile::tempdir().unwrap() };
        redis.restart();
        redis
    }

    /// Starts Redis (again) on its port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.dir.path());
        let mut process = Process::start("redis-server", &mut command, self.dir.path());
        wait_for("redis-server to respond", || {
            process.assert_lives();
            ping(self.port).is_some()
        });
        self.process = Some(process);
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

/// Whether a Redis responds on this port.
fn ping(port: u16) -> Option<()> {
    use std::io::Read as _;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).ok()?;
    (&reply == b"+PONG\r\n").then_some(())
}

/// A `tenancy-server` process: one replica of the service under test.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) port: u16,
    process: Process,
    _dir: TempDir,
}

impl Replica {
    /// Starts a replica that keeps its limits in `store`, with the tenants of `tenants` (JSON lines).
    pub(crate) fn start(store: &str, tenants: &str) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_saasbench")).with_file_name("tenancy-server");
        assert!(
            binary.exists(),
            "{} is not there: run ci/test, or `cargo build --workspace --bins` first",
            binary.display()
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tenants.jsonl");
        fs::write(&file, tenants).unwrap();
        let mut command = Command::new(binary);
        for variable in ["TENANCY_LISTEN", "TENANCY_TENANTS", "RATE_LIMIT_STORAGE_URI"] {
            command.env_remove(variable);
        }
        command.args(["--listen", "127.0.0.1:0", "--store", store, "--tenants"]).arg(&file);
        let mut process = Process::start("tenancy-server", &mut command, dir.path());
        let port = wait_for_some("tenancy-server to say where it listens", || {
            process.assert_lives();
            let banner = process.err();
            banner.split_once("http://127.0.0.1:")?.1.split_once(' ')?.0.parse().ok()
        });
        wait_for("tenancy-server to be ready", || get(port, "/readyz").is_some());
        Self { port, process, _dir: dir }
    }

    /// Two replicas that share a Redis.
    pub(crate) fn pair(redis: &Redis, tenants: &str) -> [Self; 2] {
        [(); 2].map(|()| Self::start(&redis.url(), tenants))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Its exposition.
    pub(crate) fn metrics(&self) -> String {
        get(self.port, "/metrics").unwrap_or_default()
    }
}

/// `saasbench serve --calibration`.
#[derive(Debug)]
pub(crate) struct Calibration {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Calibration {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = program();
        command.args(["serve", "--calibration", "--listen", "127.0.0.1:0"]).args(flags);
        let mut process = Process::start("calibration", &mut command, dir.path());
        let port = wait_for_some("the calibration service to say where it listens", || {
            process.assert_lives();
            let banner = process.err();
            banner.split_once("http://127.0.0.1:")?.1.split_once(' ')?.0.parse().ok()
        });
        Self { port, _process: process, _dir: dir }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The exposition of its own statistics.
    pub(crate) fn served(&self) -> Value {
        serde_json::from_str(&get(self.port, "/served").unwrap()).unwrap()
    }
}

/// A Prometheus that scrapes every second.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) port: u16,
    process: Process,
    _dir: TempDir,
}

impl Prometheus {
    pub(crate) fn start(replicas: &[Replica]) -> Self {
        let targets: Vec<String> = replicas.iter().map(|r| format!("\"127.0.0.1:{}\"", r.port)).collect();
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: tenancy\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        Self::configured(&config)
    }

    /// Starts Prometheus with this configuration.
    pub(crate) fn configured(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let port = free_port();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg("--web.enable-remote-write-receiver");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, dir.path());
        wait_for("prometheus to be ready", || {
            process.assert_lives();
            get(port, "/-/ready").is_some()
        });
        Self { port, process, _dir: dir }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}
