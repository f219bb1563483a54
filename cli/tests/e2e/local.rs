//! `saasbench up` and `--env local`: real services as local processes, cleaned up afterwards.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Running, Sandbox, TENANTS, get, short, wait_for, wait_for_some};

/// A sandbox with its own directory for temporary files.
struct Place(Sandbox);

impl Place {
    fn new() -> Self {
        let sandbox = Sandbox::with(&short("3s"), TENANTS);
        fs::create_dir(sandbox.path().join("tmp")).unwrap();
        fs::create_dir(sandbox.path().join("bin")).unwrap();
        Self(sandbox)
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.0.command(arguments);
        self.0.start_command(command.env("TMPDIR", self.temporary()))
    }

    /// Starts the program with `bin/` as its only PATH.
    fn run_with_bin(&self, arguments: &[&str]) -> Ended {
        self.start_with_bin(arguments).end()
    }

    fn start_with_bin(&self, arguments: &[&str]) -> Running {
        let mut command = self.0.command(arguments);
        command.env("TMPDIR", self.temporary()).env("PATH", self.0.path().join("bin"));
        self.0.start_command(&mut command)
    }

    /// Links programs of this machine into `bin/`.
    fn install(&self, programs: &[&str]) {
        for program in programs {
            let path = std::env::var_os("PATH").unwrap();
            let file = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.exists());
            let file = file.unwrap_or_else(|| panic!("no {program}: run ci/test, which installs it"));
            symlink(file, self.0.path().join("bin").join(program)).unwrap();
        }
    }

    fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    /// Directories of existing stacks.
    fn left(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// A running stack as printed for its user.
struct Stack {
    /// Name and address of each service.
    parts: Vec<(String, String)>,
    /// Process ids of its services, and of the process that removes the directory.
    pids: Vec<i32>,
}

impl Stack {
    fn of(running: &mut Running) -> Self {
        wait_for("the stack to be up", || {
            running.assert_lives();
            running.out().contains("Ctrl-C ends it")
        });
        let out = running.out();
        let rows = out.lines().filter(|line| line.contains("://127.0.0.1:") && line.ends_with(".log"));
        let parts = rows.map(|row| {
            let (name, rest) = row.split_once("  ").unwrap();
            (name.trim().to_owned(), rest.split_whitespace().next().unwrap().to_owned())
        });
        Self { parts: parts.collect(), pids: children(running.pid()) }
    }

    fn port(&self, part: &str) -> u16 {
        let (_, url) = self.parts.iter().find(|(name, _)| name == part).unwrap();
        url.trim_end_matches("/0").rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Panics unless all processes end and the ports become free.
    fn assert_gone(&self) {
        wait_for("every process to be gone", || self.pids.iter().all(|pid| !is_there(*pid)));
        for (name, _) in &self.parts {
            let port = self.port(name);
            wait_for("its port to be free", || TcpListener::bind(("127.0.0.1", port)).is_ok());
        }
    }

    /// The process of a service, by a part of its command line.
    fn pid(&self, text: &str) -> i32 {
        pid_of(&self.pids, text).unwrap_or_else(|| panic!("no process with {text:?}"))
    }
}

fn pid_of(pids: &[i32], text: &str) -> Option<i32> {
    pids.iter().copied().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(text)
    })
}

/// Live children of a process.
fn children(parent: u32) -> Vec<i32> {
    let entries =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = entries.filter_map(|name| name.parse::<i32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// State and parent of a process.
fn stat(pid: i32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn is_there(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Compares the output with the named snapshot; ports and directories are replaced.
macro_rules! assert_shown {
    ($name:expr, $place:expr, $ended:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.add_filter(r"port \d+", "port PORT");
        settings.add_filter(r"saasbench-local-\w+", "saasbench-local-XXXXXX");
        settings.add_filter(&regex::escape($place.0.path().to_str().unwrap()), "SANDBOX");
        settings.bind(|| {
            insta::assert_snapshot!(
                $name,
                format!("exit code {:?}\n{}{}", $ended.code, $ended.out, $ended.err)
            )
        });
    }};
}

#[test]
fn help() {
    let place = Place::new();
    assert_shown!("help_up", place, place.start(&["up", "--help"]).end());
}

#[test]
fn up_starts_every_service_and_cleans_up_when_interrupted() {
    let place = Place::new();
    let mut running = place.start(&["up", "--scrape-interval", "1s", "--tenants", "tenants.jsonl"]);
    let stack = Stack::of(&mut running);
    let names: Vec<&str> = stack.parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["redis", "replica a", "replica b", "redis-exporter", "alertmanager", "prometheus"]);
    assert_eq!(stack.pids.len(), 7, "a process each, and the one that removes the directory");

    for replica in ["replica a", "replica b"] {
        assert!(get(stack.port(replica), "/readyz").is_some());
    }
    assert!(get(stack.port("redis-exporter"), "/metrics").unwrap().contains("redis_up 1"));
    assert!(get(stack.port("alertmanager"), "/-/ready").is_some());
    let prometheus = stack.port("prometheus");
    let json = |path: &str| -> Option<Value> { serde_json::from_str(&get(prometheus, path)?).ok() };
    wait_for("Prometheus to find every part up", || {
        let response = json("/api/v1/query?query=count%20by(job)(up%20==%201)").unwrap();
        let jobs = response["data"]["result"].as_array().unwrap();
        let count = |job: &str| {
            let found = jobs.iter().find(|series| series["metric"]["job"] == job);
            found.map(|series| series["value"][1].as_str().unwrap().to_owned())
        };
        let counts = ["api", "redis", "prometheus"].map(count);
        counts == ["2", "1", "1"].map(|n| Some(n.to_owned()))
    });
    wait_for("Prometheus to have the shipped rules", || {
        let response = json("/api/v1/query?query=count(prometheus_rule_group_rules)").unwrap();
        response["data"]["result"][0]["value"][1] == "6"
    });
    wait_for("Prometheus to know Alertmanager", || {
        let known = json("/api/v1/alertmanagers").unwrap();
        known["data"]["activeAlertmanagers"].as_array().unwrap().len() == 1
    });
    assert_eq!(place.left().len(), 1);

    running.signal(Signal::INT);
    let ended = running.end();
    ended.assert_code(0);
    stack.assert_gone();
    assert!(place.left().is_empty(), "{:?}", place.left());
    assert_shown!("up_interrupted", place, ended);
}

#[test]
fn the_printed_command_runs_a_scenario() {
    let place = Place::new();
    place.0.write("scenario.toml", &short("5s"));
    let mut running = place.start(&["up", "--scrape-interval", "1s", "--tenants", "tenants.jsonl"]);
    let stack = Stack::of(&mut running);
    let out = running.out();
    let command =
        out.lines().find_map(|line| line.trim().strip_prefix("saasbench run scenarios/flood.toml "));
    let arguments: Vec<&str> = command.unwrap().split(' ').collect();
    let (ended, report) = place.0.report(&arguments);
    ended.assert_code(0);
    report.assert_all("counters", "by Prometheus", "pass");
    let query = "/api/v1/query?query=max_over_time(up%7Bjob=%22saasbench%22%7D%5B1m%5D)";
    let response: Value = serde_json::from_str(&get(stack.port("prometheus"), query).unwrap()).unwrap();
    assert_eq!(response["data"]["result"][0]["value"][1], "1", "the run's own metrics were scraped");
    running.signal(Signal::INT);
    running.end().assert_code(0);
}

#[test]
fn every_signal_stops_all_services() {
    for signal in [Signal::TERM, Signal::HUP, Signal::KILL] {
        let place = Place::new();
        let mut running = place.start(&["up", "--replicas", "1"]);
        let stack = Stack::of(&mut running);
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, (signal != Signal::KILL).then_some(0), "{ended:?}");
        stack.assert_gone();
        assert!(place.left().is_empty(), "after {signal:?}: {:?}", place.left());
    }
}

#[test]
fn a_service_that_exits_is_reported_with_its_log() {
    let place = Place::new();
    let mut running = place.start(&["up", "--replicas", "1"]);
    let stack = Stack::of(&mut running);
    kill(stack.pid(" serve "));
    let ended = running.end();
    ended.assert_code(4);
    stack.assert_gone();
    assert_eq!(place.left().len(), 1, "the logs are wanted");
    assert!(place.left()[0].join("redis.log").exists());
    assert_shown!("service_exited", place, ended);
}

#[test]
fn reports_programs_that_are_missing_or_fail() {
    let place = Place::new();
    let commands = [
        ("up_without_programs", &["up"][..]),
        ("run_without_programs", &["run", "scenario.toml", "--env", "local"]),
    ];
    for (name, arguments) in commands {
        let ended = place.run_with_bin(arguments);
        ended.assert_code(4);
        assert_shown!(name, place, ended);
    }
    place.install(&["redis-server", "prometheus-redis-exporter", "prometheus"]);
    let ended = place.run_with_bin(&["up", "--webhook", "http://127.0.0.1:9/hook"]);
    ended.assert_code(4);
    assert_shown!("up_without_alertmanager", place, ended);

    let mut running = place.start_with_bin(&["up", "--replicas", "1"]);
    let stack = Stack::of(&mut running);
    running.signal(Signal::INT);
    running.end().assert_says(&["without: prometheus-alertmanager is not installed (on Debian and Ubuntu: "]);
    stack.assert_gone();
    assert!(place.left().is_empty());

    let prometheus = place.0.path().join("bin/prometheus");
    fs::remove_file(&prometheus).unwrap();
    fs::write(&prometheus, "#!/bin/sh\necho 'no space left on this disk' >&2\nexit 3\n").unwrap();
    fs::set_permissions(&prometheus, fs::Permissions::from_mode(0o755)).unwrap();
    let ended = place.run_with_bin(&["up", "--replicas", "1"]);
    ended.assert_code(4);
    assert_eq!(place.left().len(), 1, "the logs are kept");
    assert_shown!("up_with_a_failing_prometheus", place, ended);
}

#[test]
fn reports_options_that_are_not_possible() {
    let place = Place::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    place.0.write("broken.jsonl", "{\"id\": \"acme\"\n");
    place.0.write("saasbench.toml", "[environment.local]\nreplicas = { a = \"http://127.0.0.1:1\" }\n");
    let wrong: [(&str, &[&str], i32); 10] = [
        ("port_in_use", &["up", "--port-base", &port], 4),
        ("port_out_of_range", &["up", "--port-base", "65533"], 4),
        ("tenants_file_missing", &["up", "--tenants", "nowhere.jsonl"], 2),
        ("tenants_file_invalid", &["up", "--tenants", "broken.jsonl"], 2),
        ("data_directory_is_a_file", &["up", "--data", "scenario.toml"], 4),
        ("data_directory_not_empty", &["up", "--data", "."], 4),
        ("scrape_interval_too_short", &["up", "--scrape-interval", "10ms"], 2),
        ("webhook_invalid", &["up", "--webhook", "somewhere"], 2),
        ("local_in_environment_file", &["run", "scenario.toml", "--env", "local"], 2),
        ("fault_for_compose", &["run", "scenario.toml", "--env", "compose", "--fault", "limit-race"], 2),
    ];
    for (name, arguments, code) in wrong {
        let ended = place.start(arguments).end();
        ended.assert_code(code);
        assert_shown!(name, place, ended);
    }
    assert!(place.left().is_empty());
}

#[test]
fn a_given_data_directory_is_kept() {
    let place = Place::new();
    let hook = "http://127.0.0.1:9/?to=\"them\"";
    let mut running = place.start(&["up", "--replicas", "1", "--data", "kept", "--webhook", hook]);
    let stack = Stack::of(&mut running);
    running.signal(Signal::INT);
    let ended = running.end();
    ended.assert_code(0);
    ended.assert_says(&["/kept, which is kept"]);
    stack.assert_gone();
    for name in ["redis.log", "replica-a.log", "prometheus.log", "prometheus.yml", "prometheus/wal"] {
        assert!(place.0.path().join("kept").join(name).exists(), "{name}");
    }
    for (program, check, config) in [
        ("promtool", &["check", "config"][..], "prometheus.yml"),
        ("amtool", &["check-config"], "alertmanager.yml"),
    ] {
        let mut command = Command::new(program);
        let checked = command.args(check).arg(place.0.path().join("kept").join(config)).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    let text = fs::read_to_string(place.0.path().join("kept/alertmanager.yml")).unwrap();
    assert!(text.contains("to=\\\"them\\\""), "{text}");
}

#[test]
fn a_run_on_the_local_stack_passes_and_cleans_up() {
    let place = Place::new();
    let running = place.start(&["run", "scenario.toml", "--env", "local", "--json", "report.json"]);
    // Seven services; a program that only checks something may be a child for a moment, too.
    let pids = wait_for_some("the load to start on seven services", || {
        let children = (!place.0.runs().is_empty()).then(|| children(running.pid()))?;
        (children.len() == 7).then_some(children)
    });
    let ended = running.end();
    ended.assert_code(0);
    let report = report(&place);
    for source in ["by scrape", "by Prometheus"] {
        report.assert_all("counters", &format!("http_requests_total of a {source}"), "pass");
        report.assert_all("counters", &format!("tenant_requests_total of b {source}"), "pass");
    }
    report.assert_all("limit", "POST /chat", "pass");
    assert!(pids.iter().all(|pid| !is_there(*pid)));
    assert!(place.left().is_empty());

    let manifest = fs::read_to_string(place.0.only_run().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let environment = &manifest["environment"];
    assert_eq!(environment["name"], "local");
    assert!(environment["prometheus"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(environment["redis"].as_str().unwrap().starts_with("redis://127.0.0.1:"));
    for program in ["redis", "redis-exporter", "prometheus", "alertmanager"] {
        let version = environment["programs"][program].as_str().unwrap();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{program}: {version}");
    }
}

#[test]
fn a_fault_of_the_local_service_is_detected() {
    let place = Place::new();
    let arguments = ["run", "scenario.toml", "--env", "local", "--fault", "limit-per-replica"];
    let ended = place.start(&[&arguments[..], &["--json", "report.json"]].concat()).end();
    ended.assert_code(1);
    let report = report(&place);
    report.assert_all("limit", "POST /chat", "fail");
    report.assert_all("counters", "", "pass");
    assert!(place.left().is_empty());
}

#[test]
fn a_service_that_exits_during_a_run_is_reported() {
    let place = Place::new();
    let mut running = place.start(&["run", "scenario.toml", "--env", "local"]);
    running.wait_for_segments(1);
    kill(pid_of(&children(running.pid()), "-redis.addr").unwrap());
    let ended = running.end();
    ended.assert_code(5);
    ended.assert_says(&["error: redis-exporter has ended (signal: 9 (SIGKILL))"]);
    assert_eq!(place.left().len(), 1, "the logs are wanted");
}

fn report(place: &Place) -> crate::support::Report {
    let file: &Path = &place.0.path().join("report.json");
    crate::support::Report::parse(&fs::read_to_string(file).unwrap())
}
