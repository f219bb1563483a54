//! The texts that users meet before anything runs: help, and what to do when the environment is not there.

use std::net::TcpListener;

use crate::support::{Ended, JOURNEY, Sandbox, TENANTS, change, free_port, short};

/// Both streams and the code, with what differs from run to run left out.
fn shown(ended: &Ended) -> String {
    let code = ended.code.map_or("none".to_owned(), |code| code.to_string());
    let out = if ended.out.is_empty() { String::new() } else { format!("---- out\n{}", ended.out) };
    let err = if ended.err.is_empty() { String::new() } else { format!("---- err\n{}", ended.err) };
    format!("exit code {code}\n{out}{err}")
}

/// Compares with the snapshot; ports and directories are left out.
macro_rules! assert_shown {
    ($ended:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.bind(|| insta::assert_snapshot!(shown(&$ended)));
    }};
}

#[test]
fn help() {
    let sandbox = Sandbox::new();
    let commands: [&[&str]; 12] = [
        &[],
        &["--help"],
        &["run", "--help"],
        &["verify", "--help"],
        &["validate", "--help"],
        &["serve", "--help"],
        &["faults", "--help"],
        &["faults"],
        &["metrics", "--help"],
        &["dashboards", "--help"],
        &["schema", "--help"],
        &["compare", "--help"],
    ];
    for arguments in commands {
        assert_shown!(sandbox.run(arguments));
    }
}

#[test]
fn help_for_newcomers() {
    let sandbox = Sandbox::new();
    for command in ["stress", "list", "show", "new", "completions", "man"] {
        assert_shown!(sandbox.run(&[command, "--help"]));
    }
}

#[test]
fn wrong_arguments() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    sandbox.write("open.toml", &format!("{JOURNEY}[[load]]\nrate = \"9/s\"\nduration = \"1s\"\n"));
    let commands: [&[&str]; 14] = [
        &["run"],
        &["run", "scenario.toml", "--targt", "http://127.0.0.1:1"],
        &["run", "scenario.toml", "--exclusive"],
        &["run", "scenario.toml", "--target", "http://127.0.0.1:1", "--env", "compose"],
        &["verify", "nowhere"],
        &["run", "scenario.toml", "--users", "0", "--rate", "fast", "-t", "25"],
        &["run", "scenario.toml", "--users", "9", "--rate", "20/s", "--warmup", "1s"],
        &["run", "open.toml", "--users", "9"],
        &["scenario.toml"],
        &["http://127.0.0.1:8005/"],
        &["strss"],
        &["run", "http://127.0.0.1:8005/"],
        &["show", "latest"],
        &["run", "scenario.toml", "--ui", "full"],
    ];
    for arguments in commands {
        let ended = sandbox.run(arguments);
        ended.assert_code(2);
        assert_shown!(ended);
    }
}

#[test]
fn nothing_listens() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let nobody = free_port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let somebody = format!("http://{}", listener.local_addr().unwrap());
    let commands: [(&[&str], String); 3] = [
        (&["--target"], format!("http://127.0.0.1:{nobody}")),
        (&["--target", &somebody, "--prometheus"], format!("http://127.0.0.1:{nobody}")),
        (&["--target", &somebody, "--redis"], format!("redis://:secret@127.0.0.1:{nobody}")),
    ];
    for (arguments, url) in &commands {
        let mut all = vec!["run", "scenario.toml"];
        all.extend(*arguments);
        all.push(url);
        let ended = sandbox.run(&all);
        ended.assert_code(4);
        assert!(ended.err.contains(&format!("127.0.0.1:{nobody}")), "which URL? {ended:?}");
        assert!(!ended.err.contains("secret"), "{ended:?}");
        assert_shown!(ended);
    }
    assert!(sandbox.runs().is_empty(), "nothing ran");
}

#[test]
fn wrong_addresses() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    for url in [
        "127.0.0.1:8005",
        "localhost:8005",
        "ftp://127.0.0.1",
        "http://127.0.0.1/?replica=1",
        "http://no such host",
    ] {
        let ended = sandbox.run(&["run", "scenario.toml", "--target", url]);
        ended.assert_code(2);
        assert_shown!(ended);
    }
}

#[test]
fn environments_that_are_not_there() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let run = || sandbox.run(&["run", "scenario.toml", "--env", "staging"]);
    let missing = run();
    missing.assert_code(2);
    assert_shown!(missing);
    let configs = [
        "[environment.compose]\nreplicas = { a = \"http://127.0.0.1:1\" }\n",
        "[environment.staging]\nreplicas = {}\n",
        "[environment.staging]\nreplica = { a = \"http://127.0.0.1:1\" }\n",
        "[environment.staging]\nreplicas = { a = \"http://127.0.0.1:1\" }\ninstances = { b = \"b:1\" }\n",
        "[environment.staging\n",
    ];
    for config in configs {
        sandbox.write("saasbench.toml", config);
        let ended = run();
        ended.assert_code(2);
        assert_shown!(ended);
    }
    let down = format!("[environment.staging]\nreplicas = {{ a = \"http://127.0.0.1:{}\" }}\n", free_port());
    sandbox.write("saasbench.toml", &down);
    let ended = run();
    ended.assert_code(4);
    assert_shown!(ended);
}

#[test]
fn scenarios_that_do_not_fit_their_environment() {
    let third = change(&short("1s"), "users    = 2", "users    = 2\nreplica  = 3");
    let sandbox = Sandbox::with(&third, TENANTS);
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let urls = listeners.each_ref().map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    let beyond = sandbox.run(&["run", "scenario.toml", "--target", &urls[0], "--target", &urls[1]]);
    beyond.assert_code(2);
    assert_shown!(beyond);
    let beyond = sandbox.run(&["run", "scenario.toml"]);
    beyond.assert_code(2);
    assert_shown!(beyond);

    let sandbox = Sandbox::with(&short("1s"), r#"{"id": "acme", "limits": {"chat_per_2s": 5}}"#);
    let strangers = sandbox.run(&["run", "scenario.toml"]);
    strangers.assert_code(2);
    assert_shown!(strangers);
    sandbox.write("tenants.jsonl", "{\"id\": \"acme\"}\n{\"id\": \"globex\"");
    let broken = sandbox.run(&["run", "scenario.toml"]);
    broken.assert_code(2);
    assert_shown!(broken);
    sandbox.write("tenants.jsonl", "{\"id\": \"acme\"}\n{\"id\": \"globex\"}\n");
    let unlimited = sandbox.run(&["run", "scenario.toml"]);
    unlimited.assert_code(2);
    assert_shown!(unlimited);

    sandbox.write("scenario.toml", &format!("{JOURNEY}[[load]]\nusers = 1\nduratoin = \"1s\"\n"));
    let wrong = sandbox.run(&["run", "scenario.toml"]);
    wrong.assert_code(2);
    assert_shown!(wrong);
    let missing = sandbox.run(&["run", "no-such.toml"]);
    missing.assert_code(2);
    assert_shown!(missing);
}

#[test]
fn pages_of_metrics() {
    let sandbox = Sandbox::new();
    let good = "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{path=\"/chat\"} 3\n";
    sandbox.write("good.prom", good);
    sandbox.write(
        "bad.prom",
        "# TYPE hits counter\nhits{path=\"/u/1\"} 3\nhits{path=\"/u/2\"} 4\nhits{path=/u/3} 4\n",
    );
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let commands: [(&[&str], i32); 5] = [
        (&["metrics", "good.prom"], 0),
        (&["metrics", "good.prom", "bad.prom"], 1),
        (&["metrics", "bad.prom", "--json", "-"], 1),
        (&["metrics", "nowhere.prom", "good.prom", "http://[::1"], 2),
        (&["metrics", &nobody], 4),
    ];
    for (arguments, code) in commands {
        let ended = sandbox.run(arguments);
        ended.assert_code(code);
        assert_shown!(ended);
    }
}
