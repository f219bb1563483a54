//! Output during a run: JSON progress, verbosity, and the interactive terminal.

use std::{
    fs,
    io::Write as _,
    process::{ChildStdin, Command},
};

use rustix::process::{Pid, Signal, kill_process};
use saasbench_record::event::Event;
use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Process, Sandbox, TENANTS, assert_keeps_to_schema, short, wait_for, wait_for_some};

fn objects(err: &str) -> Vec<Value> {
    let parsed = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let objects: Vec<Value> = err.lines().map(parsed).collect();
    objects.iter().for_each(|object| assert_keeps_to_schema("progress", object));
    objects
}

fn of_type<'a>(objects: &'a [Value], kind: &'a str) -> impl DoubleEndedIterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["type"] == kind)
}

#[test]
fn json_progress_can_be_followed() {
    let sandbox = Sandbox::with(&short("3s"), TENANTS);
    let (ended, report) = sandbox.report(&["--progress", "json"]);
    ended.assert_nothing_failed();
    let objects = objects(&ended.err);
    assert!(objects.iter().all(|object| object["v"] == 1), "{objects:#?}");
    assert_eq!(objects[0]["type"], "begin");
    let phases: Vec<&str> =
        of_type(&objects, "phase").map(|phase| phase["phase"].as_str().unwrap()).collect();
    // There may or may not be a wait between load and settling.
    let phases: Vec<&str> = phases.into_iter().filter(|phase| *phase != "finishing").collect();
    assert_eq!(phases, ["preparing", "load", "settling", "judging"]);
    let progress: Vec<&Value> = of_type(&objects, "progress").collect();
    assert!(progress.len() >= 3, "{objects:#?}");

    // The intervals, all tenants and the report count the same requests.
    let total = &report.0["summary"]["total"];
    let last = &progress.last().unwrap()["total"];
    for key in ["requests", "statuses", "unknown", "not_sent", "dropped", "errors"] {
        assert_eq!(last[key], total[key], "{key}");
    }
    let requests = |value: &Value| value["requests"].as_u64().unwrap();
    let by_interval: u64 = progress.iter().map(|progress| requests(&progress["interval"])).sum();
    let tenants = progress.last().unwrap()["tenants"].as_array().unwrap();
    let by_tenant: u64 = tenants.iter().map(|tenant| requests(&tenant["total"])).sum();
    assert_eq!((by_interval, by_tenant), (requests(total), requests(total)));

    let end = objects.last().unwrap();
    assert_eq!((&end["type"], &end["outcome"]), (&"end".into(), &report.0["outcome"]));
    assert_eq!(end["exit"], Value::from(ended.code));
    assert_eq!(end["run"], report.0["run"]);
}

#[test]
fn failures_are_reported_as_json() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let arguments = ["run", "scenario.toml", "--progress", "json"];
    let ended = sandbox.run(&[&arguments[..], &["--target", "http://127.0.0.1:1"]].concat());
    ended.assert_code(4);
    let messages = objects(&ended.err);
    let [end] = messages.as_slice() else { panic!("{messages:#?}") };
    assert_eq!((&end["type"], &end["exit"]), (&"end".into(), &4.into()));
    assert!(end["error"].as_str().unwrap().contains("127.0.0.1:1") && end["hint"].is_string(), "{end:#}");
}

#[test]
fn verbosity_flags_control_the_output() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let verbose = sandbox.run(&["run", "scenario.toml", "-v", "--progress", "plain"]);
    verbose.assert_nothing_failed();
    for text in [
        " processors; ",
        "load 1: ",
        "replica a: http://127.0.0.1:",
        " s  getting ready",
        " s  load",
        " s  judging",
        "connections to a: ",
        "samples recorded: ",
    ] {
        assert!(verbose.err.contains(text), "no {text:?} in\n{}", verbose.err);
    }
    let each = sandbox.run(&["run", "scenario.toml", "-vv", "--progress", "plain"]);
    each.assert_nothing_failed();
    assert!(each.err.contains(" s  metrics of a: ") && each.err.contains(" bytes in "), "{}", each.err);
    let brief = sandbox.run(&["run", "scenario.toml", "--progress", "none"]);
    brief.assert_nothing_failed();
    assert!(brief.err.contains("recording into") && !brief.err.contains("judging"), "{}", brief.err);
    let both = sandbox.run(&["run", "scenario.toml", "-q", "-v"]);
    both.assert_code(2);
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_saasbench");
const TAKEN: &str = "\u{1b}[?1049h";

/// The program on its own terminal, created by `script`: its output and its keyboard.
struct Typed {
    process: Process,
    keys: ChildStdin,
    _dir: TempDir,
}

impl Typed {
    fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        Self::shell(sandbox, &format!("exec {PROGRAM} {arguments}"))
    }

    /// Runs a shell command on the terminal.
    fn shell(sandbox: &Sandbox, line: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("script");
        let line = format!("stty cols 80 rows 24; {line}");
        command.args(["-qfec", &line, "/dev/null"]).current_dir(sandbox.path());
        command.env("SHELL", "/bin/bash").env("TERM", "xterm");
        let (process, keys) = Process::start_typed("script", &mut command, dir.path());
        Self { process, keys, _dir: dir }
    }

    fn type_key(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).unwrap();
    }

    /// Waits until a text has been shown `count` times.
    fn wait_for(&mut self, times: usize, text: &str) {
        wait_for(&format!("{text:?}, {times} times"), || {
            self.process.assert_lives();
            self.process.out().matches(text).count() >= times
        });
    }
}

#[test]
fn keys_change_the_load_and_are_recorded() {
    let sandbox = Sandbox::with(&short("1m"), TENANTS);
    let mut typed = Typed::start(&sandbox, "run scenario.toml --ui full");
    typed.wait_for(1, TAKEN);
    let run = sandbox.only_run();
    let mut done = Vec::new();
    for (key, does) in [("p", "paused"), ("+", "at 110 % of the plan"), ("p", "resumed")] {
        typed.type_key(key);
        done.push(does);
        wait_for("what was done to be in the record", || {
            typed.process.assert_lives();
            let text = fs::read_to_string(run.join("manifest.json")).unwrap();
            let manifest: Value = serde_json::from_str(&text).unwrap();
            let events = manifest["events"].as_array().into_iter().flatten();
            let texts = events.map(|event| Event::deserialize(event).unwrap().to_string());
            texts.eq(done.iter().copied())
        });
    }
    typed.type_key("q");
    let status = wait_for_some("the run to end", || typed.process.ended());
    assert_eq!(status.code(), Some(130), "{}", typed.process.out());
    let shown = typed.process.out();
    let (_, after) = shown.rsplit_once("\u{1b}[?1049l").expect("the terminal was given back");
    assert!(after.contains("the load was changed by hand: paused at "), "{after}");
}

#[test]
fn a_resumed_job_redraws_its_display() {
    let sandbox = Sandbox::with(&short("1m"), TENANTS);
    let run = format!("{PROGRAM} run scenario.toml --ui full >report.txt");
    let mut typed = Typed::shell(&sandbox, &format!("set -m; {run}; bg; read -r; fg; echo ended with $?"));
    typed.wait_for(1, "load");
    typed.type_key("\u{1a}");
    typed.wait_for(1, "\u{1b}[?1049l");
    // In the background it continues and writes its next samples.
    typed.wait_for(1, " &");
    let samples = || fs::read_dir(sandbox.only_run().join("samples")).map_or(0, Iterator::count);
    let before = samples();
    wait_for("samples to be recorded in the background", || samples() > before);
    // No signal reports that it is in the foreground again.
    typed.type_key("\n");
    typed.wait_for(2, TAKEN);
    typed.type_key("q");
    wait_for_some("the job to end", || typed.process.ended());
    assert!(typed.process.out().contains("ended with 130"), "{}", typed.process.out());
    let report = fs::read_to_string(sandbox.path().join("report.txt")).unwrap();
    assert!(report.contains("expect") && !report.contains('\u{1b}'), "{report:?}");
}

/// A process that outlives its terminal, but not its test.
struct Orphan(Pid);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[test]
fn a_closed_terminal_does_not_busy_loop() {
    // Longer than any deadline, so that the run does not end before the reading does.
    let sandbox = Sandbox::with(&short("10m"), TENANTS);
    let mut typed = Typed::shell(
        &sandbox,
        &format!("trap '' HUP; echo $$ >pid; exec {PROGRAM} run scenario.toml --ui full"),
    );
    typed.wait_for(1, TAKEN);
    let pid: i32 = fs::read_to_string(sandbox.path().join("pid")).unwrap().trim().parse().unwrap();
    let _orphan = Orphan(Pid::from_raw(pid).unwrap());
    let threads = || -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
    };
    wait_for("keys to be read", || threads().contains(&"keys\n".to_owned()));
    typed.process.kill();
    wait_for("the key reader to end", || !threads().contains(&"keys\n".to_owned()));
    assert!(!threads().is_empty(), "it goes on without its terminal");
}
