//! Transports other than plain TCP (TLS, HTTP/2, Unix sockets): all claims hold over them as well.

use crate::support::{Ended, Report, Sandbox, TENANTS, Wired, change, short};

/// Every claim holds, including counters and limits, and requests were sent.
fn assert_good(ended: &Ended, report: &Report) {
    ended.assert_code(0);
    assert!(report.count("/total/requests") > 50, "{}", report.0["summary"]);
    for claim in ["counters", "limit"] {
        report.assert_all(claim, "", "pass");
    }
}

fn manifest(sandbox: &Sandbox) -> serde_json::Value {
    let text = std::fs::read_to_string(sandbox.only_run().join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn https_with_a_private_ca_uses_the_alpn_protocol() {
    for (alpn, by_http2) in [(&["h2", "http/1.1"][..], true), (&["http/1.1"], false)] {
        let sandbox = Sandbox::with(&short("2s"), TENANTS);
        let service = Wired::new(TENANTS);
        let port = service.over_tls(alpn, &sandbox.path().join("ca.pem"));
        let target = format!("https://localhost:{port}");
        let arguments = ["--target", &target, "--ca-file", "ca.pem", "--exclusive", "--fresh"];
        let (ended, report) = sandbox.report(&arguments);
        assert_good(&ended, &report);
        assert_eq!(ended.err.contains("(HTTP/2)"), by_http2, "{}", ended.err);
        let environment = &manifest(&sandbox)["environment"];
        assert_eq!(environment["http2"][0] == "a", by_http2, "{environment}");
        assert_eq!(environment["insecure"], serde_json::Value::Null);
    }
}

#[test]
fn insecure_tls_is_reported_everywhere() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let service = Wired::new(TENANTS);
    let port = service.over_tls(&[], &sandbox.path().join("ca.pem"));
    // Both the CA and the host name are wrong.
    let target = format!("https://127.0.0.1:{port}");
    let (ended, report) = sandbox.report(&["--target", &target, "--insecure", "--exclusive", "--fresh"]);
    assert_good(&ended, &report);
    ended.assert_says(&[
        "insecure: any certificate is accepted",
        "note: certificates were not verified (insecure)",
    ]);
    assert_eq!(manifest(&sandbox)["environment"]["insecure"], true);
    assert!(report.0["notes"][0].as_str().unwrap().contains("insecure"), "{}", report.0["notes"]);
}

#[test]
fn an_environments_tls_settings_take_precedence() {
    let text = short("1s") + "\n[http]\ninsecure = true\n";
    let sandbox = Sandbox::with(&text, TENANTS);
    let service = Wired::new(TENANTS);
    let port = service.over_tls(&[], &sandbox.path().join("ca.pem"));
    let place = |trust: &str| {
        format!(
            "[environment.here]\nreplicas = {{ a = \"https://localhost:{port}\" }}\nexclusive = true\nfresh = true\n{trust}"
        )
    };
    sandbox.write("saasbench.toml", &place("ca_file = \"ca.pem\"\n"));
    let (ended, report) = sandbox.report(&["--env", "here"]);
    assert_good(&ended, &report);
    assert!(!ended.err.contains("insecure"), "{}", ended.err);

    sandbox.write("saasbench.toml", &place("ca_file = \"ca.pem\"\ninsecure = true\n"));
    let ended = sandbox.run(&["run", "scenario.toml", "--env", "here"]);
    ended.assert_code(2);
    insta::assert_snapshot!(ended.err);
}

#[test]
fn tls_errors_come_with_a_hint() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let service = Wired::new(TENANTS);
    let port = service.over_tls(&[], &sandbox.path().join("ca.pem"));
    // Another certificate authority.
    Wired::new(TENANTS).over_tls(&[], &sandbox.path().join("other.pem"));
    let (right, wrong) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    sandbox.write("empty.pem", "");
    let table: [(&[&str], i32); 5] = [
        (&["--target", &right, "--ca-file", "other.pem"], 4),
        (&["--target", &wrong, "--ca-file", "ca.pem"], 4),
        (&["--target", &right, "--ca-file", "empty.pem"], 2),
        (&["--target", &right, "--ca-file", "nowhere.pem"], 2),
        (&["--insecure"], 2),
    ];
    let mut all = String::new();
    for (arguments, code) in table {
        let ended = sandbox.run(&[&["run", "scenario.toml"], arguments].concat());
        ended.assert_code(code);
        all += &ended.err;
    }
    insta::assert_snapshot!(all.replace(&port.to_string(), "PORT"));
}

#[test]
fn unix_sockets_are_loaded_and_scraped() {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let service = Wired::new(TENANTS);
    let socket = sandbox.path().join("api.sock");
    service.over_unix(&socket);
    let target = format!("unix:{}", socket.display());
    let (ended, report) = sandbox.report(&["--target", &target, "--exclusive", "--fresh"]);
    assert_good(&ended, &report);
}

#[test]
fn http2_by_prior_knowledge() {
    let scenario = short("1s") + "\n[http]\nversion = \"2\"\n";
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let service = Wired::new(TENANTS);
    let socket = sandbox.path().join("api.sock");
    service.over_unix(&socket);
    let target = format!("unix:{}", socket.display());
    let (ended, report) = sandbox.report(&["--target", &target, "--exclusive", "--fresh"]);
    assert_good(&ended, &report);
    ended.assert_says(&["(HTTP/2)"]);

    // The embedded replicas do not know it.
    let ended = sandbox.run(&["run", "scenario.toml"]);
    ended.assert_code(4);
    let port = ended.err.split_once("127.0.0.1:").unwrap().1.split_once(' ').unwrap().0;
    insta::assert_snapshot!(ended.err.replace(port, "PORT"));
}

#[test]
fn too_many_users_for_the_file_limit_are_reported_first() {
    let scenario = change(&short("1s"), "users    = 2", "users    = 5000");
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let limited = "ulimit -n 1024 && exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", limited, "sh", env!("CARGO_BIN_EXE_saasbench"), "run", "scenario.toml"]);
    let ended = sandbox.start_command(command.current_dir(sandbox.path())).end();
    ended.assert_code(2);
    insta::assert_snapshot!(ended.err);
}
