//! Prometheus behind credentials, and with unexpected responses.

use crate::support::{CREDENTIALS, Guarded, Replica, Report, Sandbox, TENANTS, short};

#[test]
fn prometheus_behind_tls_password_and_prefix_is_a_source() {
    let replicas = [Replica::start("memory", TENANTS)];
    let expect = "[[expect]]\npromql = \"sum by (instance) (increase(http_requests_total{instance=~'${replicas}'}[$__run]))\"\nis = \"> 1\"\n\
                  [[expect]]\npromql = \"up{instance=~'${replicas}'}\"\nis = \"== 1\"\nat = \"every\"\n\
                  [[expect]]\npromql = \"nothing_of_that_name\"\nis = \"== 1\"\n[metrics]\ninterval = \"1s\"\n";
    let sandbox = Sandbox::with(&format!("{}\n{expect}", short("4s")), TENANTS);
    let prometheus = Guarded::start(&replicas, sandbox.path());
    let (user, password) = CREDENTIALS;
    let config = format!(
        "[environment.here]\nreplicas = {{ a = {:?} }}\nexclusive = true\nfresh = true\n\
         [environment.here.prometheus]\nurl = \"https://localhost:{}/prom\"\nca_file = \"ca.pem\"\n\
         certificate = \"client.pem\"\nkey = \"client.key\"\n",
        replicas[0].url(),
        prometheus.port
    );
    sandbox.write("saasbench.toml", &config);
    let stranger = sandbox.run(&["run", "scenario.toml", "--env", "here"]);
    stranger.assert_code(4);
    stranger.assert_says(&["it responded 401: it requires credentials", "give credentials: `basic`"]);

    sandbox.write("saasbench.toml", &format!("{config}basic = [{user:?}, \"${{env:PASSWORD}}\"]\n"));
    let nameless = sandbox.run(&["run", "scenario.toml", "--env", "here"]);
    nameless.assert_code(2);
    nameless.assert_says(&["not set among the environment variables: PASSWORD"]);

    let mut command = sandbox.command(&["run", "scenario.toml", "--env", "here"]);
    let ended = sandbox.start_command(command.env("PASSWORD", password)).end();
    // One of the queries has no result.
    ended.assert_code(3);
    let run = sandbox.only_run();
    let report = Report::parse(&std::fs::read_to_string(run.join("verdict.json")).unwrap());
    for claim in ["counters", "scrapes"] {
        report.assert_all(claim, "of a by scrape", "pass");
        report.assert_all(claim, "of a by Prometheus", "pass");
    }
    report.assert_all("promql", "increase", "pass");
    report.assert_all("promql", "at every scrape interval", "pass");
    report.assert_all("promql", "nothing_of_that_name", "inconclusive");
    for file in ["manifest.json", "verdict.json", "observations/prometheus.jsonl"] {
        let text = std::fs::read_to_string(run.join(file)).unwrap();
        assert!(!text.contains(password) && !text.contains("YmVuY2g6"), "{file} holds the password");
    }
}
