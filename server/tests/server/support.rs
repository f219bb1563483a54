//! Shared by the tests: replicas in this process, a private Redis, the real binary, and waiting for
//! conditions instead of sleeping.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenancy::{App, Store, Tenants};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Longer than anything in these tests takes on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A replica in this process. Stopped when dropped.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

/// Status, headers and body of a response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Replica {
    pub(crate) async fn start(app: App) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(tenancy::serve(listener, app, async {
            let _ = stopped.await;
        }));
        Self { address, client: client(), _stop: stop }
    }

    /// A replica with the built-in tenants.
    pub(crate) async fn of(store: &Store) -> Self {
        Self::start(App::new(Tenants::builtin(), store.clone())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let response = request.timeout(TIMEOUT).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Response { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send(self.client.post(self.url(path)).json(&body)).await
    }

    pub(crate) async fn session(&self, tenant: &str) -> String {
        let reply = self.post("/session", json!({ "tenant_id": tenant })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["session_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn chat(&self, tenant: &str, session: &str) -> Response {
        self.post("/chat", json!({ "tenant_id": tenant, "session_id": session, "message": "msg" })).await
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").await.text)
    }
}

/// No proxies, redirects or retries.
pub(crate) fn client() -> reqwest::Client {
    // Built with the whole workspace, reqwest has TLS enabled and needs a provider. Installing it twice is
    // harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.retry(reqwest::retry::never()).build().unwrap()
}

/// A scraped exposition: the value of each series by its text, such as `http_requests_total{handler="/",…}`.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) BTreeMap<String, f64>);

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
        Self(pairs.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect())
    }

    /// The value of a series; 0 if there is none.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// The sum over all series with this name and all these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = |series: &str| series.split('{').next() == Some(name);
        let matching = |series: &str| of_name(series) && labels.iter().all(|label| series.contains(label));
        self.0.iter().filter(|(series, _)| matching(series)).map(|(_, value)| value).sum()
    }
}

/// A private redis-server on a free port, without persistence. Killed when dropped.
pub(crate) struct Redis {
    port: u16,
    directory: TempDir,
    child: Option<Child>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let mut redis = Self { port, directory: tempfile::tempdir().unwrap(), child: None };
        redis.restart().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) async fn store(&self) -> Store {
        Store::connect_redis(&self.url()).await.unwrap()
    }

    /// Starts or restarts it on its port, empty.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(self.directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("redis-server is missing: run ci/test, which installs it");
        self.child = Some(child);
        wait_for("redis-server to respond", async || self.connection().await.is_ok()).await;
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    pub(crate) async fn connection(&self) -> ::redis::RedisResult<::redis::aio::MultiplexedConnection> {
        let client = ::redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        ::redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(connection)
    }

    /// The number of connections whose last command was PING, which is the server's first.
    pub(crate) async fn pinging(&self) -> usize {
        let mut connection = self.connection().await.unwrap();
        let list: String = ::redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await.unwrap();
        list.lines().filter(|client| client.contains("cmd=ping")).count()
    }

    /// Every key with its remaining time to live in milliseconds (-1: none).
    pub(crate) async fn keys(&self) -> BTreeMap<String, i64> {
        let mut connection = self.connection().await.unwrap();
        let keys: Vec<String> = ::redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        let mut lives = BTreeMap::new();
        for key in keys {
            let left = ::redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
            lives.insert(key, left);
        }
        lives
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running server program. Killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) banner: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Program {
    /// Starts it on a free port, and reads its address from the banner.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_command(server_command(&["--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// As [`start`](Self::start), with SIGHUP ignored (as under `nohup`) or at its default action, whatever
    /// these tests were started with.
    pub(crate) fn start_with_hangup(is_ignored: bool) -> Self {
        let option = if is_ignored { "--ignore-signal=HUP" } else { "--default-signal=HUP" };
        let mut command = Command::new("env");
        command.args([option, env!("CARGO_BIN_EXE_tenancy-server"), "--listen", "127.0.0.1:0"]);
        Self::start_command(configure(&mut command))
    }

    fn start_command(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut banner = String::new();
        stderr.read_line(&mut banner).unwrap();
        let address = banner.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("no address in {banner:?}")).to_owned();
        Self { child, address, banner, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns the exit code and what it wrote after the banner.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut written = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut written).unwrap();
        (self.child.wait().unwrap().code(), written)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server program, without the environment of the tests.
pub(crate) fn server_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenancy-server"));
    configure(&mut command).args(arguments);
    command
}

/// Pipes the output, and hides the environment of the tests from the server.
fn configure(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in ["TENANCY_LISTEN", "TENANCY_TENANTS", "RATE_LIMIT_STORAGE_URI"] {
        command.env_remove(variable);
    }
    command
}

/// A port that was free a moment ago, below the range that Linux uses for outgoing connections and port 0: no
/// other test takes it while a server is down.
pub(crate) fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let turn = COUNT.fetch_add(1, Ordering::Relaxed);
        let spread = (std::process::id() + turn).wrapping_mul(2_654_435_761) >> 16;
        let port = 29_000 + u16::try_from(spread % 3_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Polls until a condition is true; fails when that takes too long.
pub(crate) async fn wait_for<F: Future<Output = bool>>(what: &str, mut is_true: impl FnMut() -> F) {
    let started = Instant::now();
    while !is_true().await {
        assert!(started.elapsed() < TIMEOUT, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Tenants with these ids and limits.
pub(crate) fn tenants(lines: &[(&str, &str)]) -> Tenants {
    let mut text = String::new();
    for (id, limits) in lines {
        writeln!(text, r#"{{"id": "{id}", "limits": {limits}}}"#).unwrap();
    }
    Tenants::parse(&text, "test").unwrap()
}
