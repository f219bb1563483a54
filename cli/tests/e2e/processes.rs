//! Several processes behind one address, each with a registry of its own.

use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, runtime::Runtime};

use crate::support::{Replica, Sandbox, TENANTS};

/// Gives each connection to the next process in turn; it ends with the test.
struct Balancer {
    port: u16,
    _runtime: Runtime,
}

impl Balancer {
    fn before(replicas: &[Replica]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports: Vec<u16> = replicas.iter().map(|replica| replica.port).collect();
        runtime.spawn(async move {
            for port in ports.iter().cycle() {
                let (mut outside, _) = listener.accept().await.unwrap();
                let mut inside = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                outside.set_nodelay(true).unwrap();
                inside.set_nodelay(true).unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut outside, &mut inside).await });
            }
        });
        Self { port, _runtime: runtime }
    }
}

#[test]
fn several_processes_behind_a_balancer_are_noticed_and_accused_of_nothing() {
    let replicas: Vec<Replica> = (0..3).map(|_| Replica::start("memory", TENANTS)).collect();
    let balancer = Balancer::before(&replicas);
    let text = r#"version = 1
name = "balanced"
[[tenant]]
id = "acme"
[[journey]]
name = "ask"
[[journey.step]]
post = "/session"
json = { tenant_id = "${tenant}" }
[[load]]
users = 4
pacing = "20ms"
duration = "2s"
"#;
    let sandbox = Sandbox::with(text, "");
    let target = format!("http://127.0.0.1:{}", balancer.port);
    let (ended, report) = sandbox.report(&["--target", &target, "--exclusive", "--fresh"]);
    ended.assert_code(3);
    report.assert_all("counters", "", "inconclusive");
    ended.assert_says(&["at least 3 processes respond at this address, each with its own registry"]);
    assert!(!ended.out.contains("kept changing"), "{}", ended.out);
}
