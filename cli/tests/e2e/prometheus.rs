//! Prometheus as it is in the world: behind credentials, and answering otherwise than it should.

use crate::support::{CREDENTIALS, Guarded, Replica, Sandbox, TENANTS, short};

#[test]
fn behind_a_certificate_a_password_and_a_prefix_it_is_a_witness_like_any_other() {
    let replicas = [Replica::start("memory", TENANTS)];
    let sandbox = Sandbox::with(&short("3s"), TENANTS);
    let prometheus = Guarded::start(&replicas, sandbox.path());
    let (user, password) = CREDENTIALS;
    let config = format!(
        "[environment.here]\nreplicas = {{ a = {:?} }}\nexclusive = true\nfresh = true\n\
         [environment.here.prometheus]\nurl = \"https://localhost:{}/prom\"\nroots = \"ca.pem\"\n\
         certificate = \"client.pem\"\nkey = \"client.key\"\n",
        replicas[0].url(),
        prometheus.port
    );
    sandbox.write("saasbench.toml", &config);
    let stranger = sandbox.run(&["run", "scenario.toml", "--env", "here"]);
    stranger.assert_code(4);
    stranger.assert_says(&["it answered 401: it wants to know who asks", "say who asks: `basic`"]);

    sandbox.write("saasbench.toml", &format!("{config}basic = [{user:?}, \"${{env:PASSWORD}}\"]\n"));
    let nameless = sandbox.run(&["run", "scenario.toml", "--env", "here"]);
    nameless.assert_code(2);
    nameless.assert_says(&["not set among the environment variables: PASSWORD"]);

    let mut command = sandbox.command(&["run", "scenario.toml", "--env", "here"]);
    let ended = sandbox.start_command(command.env("PASSWORD", password)).end();
    ended.assert_code(0);
    let run = sandbox.only_run();
    let verdict = std::fs::read_to_string(run.join("verdict.json")).unwrap();
    assert!(verdict.contains("http_requests_total of a by Prometheus"), "{verdict}");
    for file in ["manifest.json", "verdict.json", "observations/prometheus.jsonl"] {
        let text = std::fs::read_to_string(run.join(file)).unwrap();
        assert!(!text.contains(password) && !text.contains("YmVuY2g6"), "{file} holds the password");
    }
}
