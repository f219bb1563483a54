//! Messages of the command line before anything runs: help, invalid arguments, and environments that are not
//! available.

use std::net::TcpListener;

use crate::support::{Ended, JOURNEY, Sandbox, TENANTS, change, free_port, short};

/// Exit code and both streams.
fn shown(ended: &Ended) -> String {
    let code = ended.code.map_or("none".to_owned(), |code| code.to_string());
    let out = if ended.out.is_empty() { String::new() } else { format!("---- out\n{}", ended.out) };
    let err = if ended.err.is_empty() { String::new() } else { format!("---- err\n{}", ended.err) };
    format!("exit code {code}\n{out}{err}")
}

/// Compares with the named snapshot; ports are replaced.
macro_rules! assert_shown {
    ($name:expr, $ended:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.bind(|| insta::assert_snapshot!($name, shown(&$ended)));
    }};
}

#[test]
fn help() {
    let sandbox = Sandbox::new();
    assert_shown!("help_none", sandbox.run(&[]));
    assert_shown!("help_saasbench", sandbox.run(&["--help"]));
    assert_shown!("faults", sandbox.run(&["faults"]));
    let commands =
        ["run", "verify", "validate", "serve", "faults", "metrics", "dashboards", "schema", "compare"];
    for command in commands {
        assert_shown!(format!("help_{command}"), sandbox.run(&[command, "--help"]));
    }
}

#[test]
fn help_of_everyday_commands() {
    let sandbox = Sandbox::new();
    for command in ["stress", "list", "show", "new", "completions", "man"] {
        assert_shown!(format!("help_{command}"), sandbox.run(&[command, "--help"]));
    }
}

#[test]
fn invalid_arguments() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    sandbox.write("open.toml", &format!("{JOURNEY}[[load]]\nrate = \"9/s\"\nduration = \"1s\"\n"));
    let commands: [(&str, &[&str]); 14] = [
        ("run_without_a_scenario", &["run"]),
        ("unknown_flag", &["run", "scenario.toml", "--targt", "http://127.0.0.1:1"]),
        ("exclusive_without_a_target", &["run", "scenario.toml", "--exclusive"]),
        ("target_and_env", &["run", "scenario.toml", "--target", "http://127.0.0.1:1", "--env", "compose"]),
        ("verify_without_a_run", &["verify", "nowhere"]),
        ("invalid_override_values", &["run", "scenario.toml", "--users", "0", "--rate", "fast", "-t", "25"]),
        (
            "conflicting_overrides",
            &["run", "scenario.toml", "--users", "9", "--rate", "20/s", "--warmup", "1s"],
        ),
        ("users_for_an_open_load", &["run", "open.toml", "--users", "9"]),
        ("scenario_without_a_command", &["scenario.toml"]),
        ("url_without_a_command", &["http://127.0.0.1:8005/"]),
        ("misspelled_command", &["strss"]),
        ("url_as_a_scenario", &["run", "http://127.0.0.1:8005/"]),
        ("show_without_runs", &["show", "latest"]),
        ("full_view_without_a_terminal", &["run", "scenario.toml", "--ui", "full"]),
    ];
    for (name, arguments) in commands {
        let ended = sandbox.run(arguments);
        ended.assert_code(2);
        assert_shown!(name, ended);
    }
}

#[test]
fn connection_refused() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let closed = free_port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = format!("http://{}", listener.local_addr().unwrap());
    let commands: [(&str, &[&str], String); 3] = [
        ("refused_by_the_target", &["--target"], format!("http://127.0.0.1:{closed}")),
        ("refused_by_prometheus", &["--target", &open, "--prometheus"], format!("http://127.0.0.1:{closed}")),
        ("refused_by_redis", &["--target", &open, "--redis"], format!("redis://:secret@127.0.0.1:{closed}")),
    ];
    for (name, arguments, url) in &commands {
        let mut all = vec!["run", "scenario.toml"];
        all.extend(*arguments);
        all.push(url);
        let ended = sandbox.run(&all);
        ended.assert_code(4);
        assert!(ended.err.contains(&format!("127.0.0.1:{closed}")), "which URL? {ended:?}");
        assert!(!ended.err.contains("secret"), "{ended:?}");
        assert_shown!(*name, ended);
    }
    assert!(sandbox.runs().is_empty(), "nothing ran");
}

#[test]
fn invalid_addresses() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    for (name, url) in [
        ("url_without_a_scheme", "127.0.0.1:8005"),
        ("host_without_a_scheme", "localhost:8005"),
        ("url_with_another_scheme", "ftp://127.0.0.1"),
        ("url_with_a_query", "http://127.0.0.1/?replica=1"),
        ("url_with_blanks", "http://no such host"),
    ] {
        let ended = sandbox.run(&["run", "scenario.toml", "--target", url]);
        ended.assert_code(2);
        assert_shown!(name, ended);
    }
}

#[test]
fn invalid_environments() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let run = || sandbox.run(&["run", "scenario.toml", "--env", "staging"]);
    let missing = run();
    missing.assert_code(2);
    assert_shown!("environments_without_a_file", missing);
    let configs = [
        ("unknown_environment", "[environment.compose]\nreplicas = { a = \"http://127.0.0.1:1\" }\n"),
        ("environment_without_replicas", "[environment.staging]\nreplicas = {}\n"),
        (
            "environment_with_a_misspelled_key",
            "[environment.staging]\nreplica = { a = \"http://127.0.0.1:1\" }\n",
        ),
        (
            "instance_of_an_unknown_replica",
            "[environment.staging]\nreplicas = { a = \"http://127.0.0.1:1\" }\ninstances = { b = \"b:1\" }\n",
        ),
        ("environment_file_with_a_syntax_error", "[environment.staging\n"),
    ];
    for (name, config) in configs {
        sandbox.write("saasbench.toml", config);
        let ended = run();
        ended.assert_code(2);
        assert_shown!(name, ended);
    }
    let down = format!("[environment.staging]\nreplicas = {{ a = \"http://127.0.0.1:{}\" }}\n", free_port());
    sandbox.write("saasbench.toml", &down);
    let ended = run();
    ended.assert_code(4);
    assert_shown!("environment_that_refuses_connections", ended);
}

#[test]
fn scenarios_that_do_not_match_the_environment() {
    let third = change(&short("1s"), "users    = 2", "users    = 2\nreplica  = 3");
    let sandbox = Sandbox::with(&third, TENANTS);
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let urls = listeners.each_ref().map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    let beyond = sandbox.run(&["run", "scenario.toml", "--target", &urls[0], "--target", &urls[1]]);
    beyond.assert_code(2);
    assert_shown!("replica_beyond_the_targets", beyond);
    let beyond = sandbox.run(&["run", "scenario.toml"]);
    beyond.assert_code(2);
    assert_shown!("replica_beyond_the_embedded_ones", beyond);

    let sandbox = Sandbox::with(&short("1s"), r#"{"id": "acme", "limits": {"chat_per_2s": 5}}"#);
    let strangers = sandbox.run(&["run", "scenario.toml"]);
    strangers.assert_code(2);
    assert_shown!("tenant_unknown_to_the_service", strangers);
    sandbox.write("tenants.jsonl", "{\"id\": \"acme\"}\n{\"id\": \"globex\"");
    let broken = sandbox.run(&["run", "scenario.toml"]);
    broken.assert_code(2);
    assert_shown!("tenants_file_with_a_syntax_error", broken);
    sandbox.write("tenants.jsonl", "{\"id\": \"acme\"}\n{\"id\": \"globex\"}\n");
    let unlimited = sandbox.run(&["run", "scenario.toml"]);
    unlimited.assert_code(2);
    assert_shown!("tenants_without_limits", unlimited);

    sandbox.write("scenario.toml", &format!("{JOURNEY}[[load]]\nusers = 1\nduratoin = \"1s\"\n"));
    let wrong = sandbox.run(&["run", "scenario.toml"]);
    wrong.assert_code(2);
    assert_shown!("scenario_with_a_misspelled_key", wrong);
    let missing = sandbox.run(&["run", "no-such.toml"]);
    missing.assert_code(2);
    assert_shown!("scenario_that_does_not_exist", missing);
}

#[test]
fn metrics_command() {
    let sandbox = Sandbox::new();
    let good = "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{path=\"/chat\"} 3\n";
    sandbox.write("good.prom", good);
    sandbox.write(
        "bad.prom",
        "# TYPE hits counter\nhits{path=\"/u/1\"} 3\nhits{path=\"/u/2\"} 4\nhits{path=/u/3} 4\n",
    );
    let closed = format!("http://127.0.0.1:{}", free_port());
    let commands: [(&str, &[&str], i32); 5] = [
        ("metrics_valid", &["metrics", "good.prom"], 0),
        ("metrics_with_findings", &["metrics", "good.prom", "bad.prom"], 1),
        ("metrics_as_json", &["metrics", "bad.prom", "--json", "-"], 1),
        ("metrics_unreadable", &["metrics", "nowhere.prom", "good.prom", "http://[::1"], 2),
        ("metrics_refused", &["metrics", &closed], 4),
    ];
    for (name, arguments, code) in commands {
        let ended = sandbox.run(arguments);
        ended.assert_code(code);
        assert_shown!(name, ended);
    }
}
