//! A stack monitored as the shipped one is: Redis, two replicas, the Redis exporter, and Prometheus with the
//! shipped rules and a scrape job for the generator's own metrics.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::{Process, Redis, Replica, free_port, get, wait_for};

/// A stack, before its Prometheus is started.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) redis: Redis,
    pub(crate) replicas: [Replica; 2],
    exporter: u16,
    /// Port at which the generator's own metrics are scraped.
    pub(crate) self_metrics: String,
    _exporter: Process,
    _dir: TempDir,
}

impl Observed {
    pub(crate) fn start(tenants: &str) -> Self {
        let redis = Redis::start();
        let replicas = Replica::pair(&redis, tenants);
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new("prometheus-redis-exporter");
        command.arg("-redis.addr").arg(redis.url());
        command.args(["-web.listen-address", &format!("127.0.0.1:{port}")]);
        let mut exporter = Process::start("redis-exporter", &mut command, dir.path());
        wait_for("the Redis exporter to reach Redis", || {
            exporter.assert_lives();
            get(port, "/metrics").is_some_and(|body| body.contains("\nredis_up 1\n"))
        });
        let self_metrics = format!("127.0.0.1:{}", free_port());
        Self { redis, replicas, exporter: port, self_metrics, _exporter: exporter, _dir: dir }
    }

    /// A Prometheus that scrapes all targets every second, and drops the metric `dropped`.
    pub(crate) fn prometheus(&self, dropped: &str) -> Watcher {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        copy_rules(dir.path());
        let [a, b] = &self.replicas;
        let jobs = [
            ("api", format!("127.0.0.1:{}\", \"127.0.0.1:{}", a.port, b.port)),
            ("redis", format!("127.0.0.1:{}", self.exporter)),
            ("prometheus", format!("127.0.0.1:{port}")),
            ("saasbench", self.self_metrics.clone()),
        ];
        let mut config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{:?}]\nscrape_configs:\n",
            dir.path().join("*.rules.yml")
        );
        for (job, targets) in jobs {
            config += &format!(
                "  - job_name: {job}\n    static_configs:\n      - targets: [\"{targets}\"]\n    metric_relabel_configs:\n      \
                 - {{source_labels: [__name__], regex: \"{dropped}\", action: drop}}\n"
            );
        }
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, dir.path());
        wait_for("prometheus to be ready", || {
            process.assert_lives();
            get(port, "/-/ready").is_some()
        });
        Watcher { port, _process: process, _dir: dir }
    }
}

/// The shipped rules, evaluated every second.
fn copy_rules(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose/prometheus/rules");
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap().replace("interval: 15s", "interval: 1s");
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        fs::write(to.join(format!("{name}.rules.yml")), text).unwrap();
    }
}

/// A Prometheus of an [`Observed`] stack.
#[derive(Debug)]
pub(crate) struct Watcher {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Watcher {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
