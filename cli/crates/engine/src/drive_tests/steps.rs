//! What the steps of a journey do, against a simulated shop, with exact instants.

use std::{collections::BTreeMap, io, path::Path};

use super::*;
use saasbench_model::scenario::resolve::{Sources, resolve};

/// A service that responds by a rule after 10 ms, and records its requests.
struct Shop {
    clock: RunClock,
    /// Status, fields and body for a request.
    rule: fn(&str) -> (u16, &'static str, String),
    asked: Mutex<Vec<(Nanos, String)>>,
}

impl Transport for Arc<Shop> {
    type UserConnections = ();

    fn connect_user(&self, _in_turn: usize) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), SendError> {
        exchange.sent = self.clock.now();
        let request = String::from_utf8(exchange.request.bytes.clone()).unwrap();
        let (status, head, body) = (self.rule)(&request);
        self.asked.lock().unwrap().push((exchange.sent, request));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let response = &mut exchange.response;
        let now = self.clock.now();
        (response.first_byte, response.done, response.status, response.retry_after) =
            (now, now, status, None);
        response.head = if exchange.request.keep_head { head.into() } else { Vec::new() };
        response.body_bytes = body.len() as u64;
        response.body = if exchange.request.keep_body { body.into_bytes() } else { Vec::new() };
        Ok(())
    }
}

/// The outcome of a run against the shop.
struct Visit {
    begin: Nanos,
    samples: Vec<Sample>,
    asked: Vec<(Nanos, String)>,
    scenario: Arc<saasbench_model::scenario::Scenario>,
}

impl Visit {
    /// `METHOD path` of every request, with the milliseconds since the load started.
    fn walk(&self) -> Vec<(i64, String)> {
        let line = |request: &str| request.split(" HTTP/1.1").next().unwrap().to_owned();
        self.asked.iter().map(|(at, request)| ((*at - self.begin).0 / 1_000_000, line(request))).collect()
    }

    /// The header lines of a request.
    fn fields(&self, index: usize) -> Vec<&str> {
        self.asked[index].1.lines().skip(1).filter(|line| !line.is_empty()).collect()
    }

    /// Names of the steps that one user ran, in order.
    fn steps_of(&self, user: u64) -> Vec<&str> {
        let own = self.samples.iter().filter(|sample| sample.user == user);
        own.map(|sample| self.scenario.steps[sample.step].name.as_str()).collect()
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("people.csv") => Ok("name,key\na,1\nb,${env:KEY}\nc,3\nd,4\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

async fn visit(workers: usize, text: &str, rule: fn(&str) -> (u16, &'static str, String)) -> Visit {
    let text = format!("version = 1\n[[tenant]]\nid = \"acme\"\n{text}");
    let sources = Sources { read_file: &read_file, environment: None };
    let scenario = Arc::new(resolve(&text, "shop.toml", &sources).unwrap_or_else(|found| panic!("{found}")));
    let clock = RunClock::start();
    let origins = [Origin { authority: "h".to_owned(), prefix: String::new() }];
    let secrets = BTreeMap::from([("KEY".to_owned(), "s3cret".to_owned())]);
    let tolerance = Tolerance { offset: Nanos::ZERO, drift: 0.0 };
    let setup = Setup::new(Arc::clone(&scenario), &origins, &secrets, clock, tolerance, None, Arc::default());
    let shop = Arc::new(Shop { clock, rule, asked: Mutex::default() });
    let transports = (0..workers).map(|_| Arc::clone(&shop)).collect();
    let (phase, mut samples) = drive(setup, transports, &CancellationToken::new()).await;
    samples.sort_by_key(|sample| (sample.sent, sample.user));
    let asked = shop.asked.lock().unwrap().clone();
    Visit { begin: phase.start_ns, samples, asked, scenario }
}

#[tokio::test(start_paused = true)]
async fn steps_run_in_turn_with_think_times() {
    let text = r#"
[[journey]]
name = "shop"
[[journey.step]]
get = "/a"
repeat = 2
think_time = "100ms"
save = { x = "/x" }
[[journey.step]]
get = "/b"
every = 2
save = { b = "/x" }
[[journey.step]]
get = "/c/${b}"
when = { saved = "b", is = "1" }
[[journey.step]]
get = "/d"
when = { absent = "b" }
[[load]]
users = 1
iterations = 3
duration = "10s"
"#;
    let visit = visit(1, text, |_| (200, "", "{\"x\": 1}".to_owned())).await;
    let first = [(0, "/a"), (110, "/a"), (220, "/d")];
    let second = [(230, "/a"), (340, "/a"), (450, "/b"), (460, "/c/1")];
    let third = [(470, "/a"), (580, "/a"), (690, "/c/1")];
    let expected = [&first[..], &second[..], &third[..]].concat();
    let expected: Vec<_> = expected.into_iter().map(|(at, path)| (at, format!("GET {path}"))).collect();
    assert_eq!(visit.walk(), expected);
    assert!(visit.samples.iter().all(|sample| sample.sent == sample.intended && !sample.is_error()));
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_end_of_the_load_ends_the_iteration() {
    let text = r#"
[[journey]]
name = "slow"
[[journey.step]]
get = "/a"
think_time = "1s"
[[journey.step]]
get = "/b"
[[load]]
users = 1
duration = "1500ms"
"#;
    let visit = visit(1, text, |_| (200, "", String::new())).await;
    let expected = [(0, "GET /a"), (1010, "GET /b"), (1020, "GET /a")];
    assert_eq!(visit.walk(), expected.map(|(at, line)| (at, line.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn weights_are_independent_of_workers() {
    let text = r#"
[[journey]]
name = "browse"
[[journey.step]]
name = "home"
get = "/"
weight = 3
[[journey.step]]
name = "item"
get = "/item"
weight = 1
[[load]]
users = 4
duration = "10s"
"#;
    let alone = visit(1, text, |_| (200, "", String::new())).await;
    // 4,000 requests, one in four expected; five standard deviations are 137.
    let items = alone.samples.iter().filter(|sample| sample.step == 1).count();
    assert_eq!(alone.samples.len(), 4000);
    assert!(items.abs_diff(1000) < 137, "{items}");
    let three = visit(3, text, |_| (200, "", String::new())).await;
    for user in 1..=4 {
        assert_eq!(alone.steps_of(user), three.steps_of(user), "user {user}");
    }
    assert_ne!(alone.steps_of(1), alone.steps_of(2));
}

const FED: &str = r#"
[[feeder]]
name = "people"
file = "people.csv"
order = "ORDER"
[[journey]]
name = "greet"
[[journey.start]]
get = "/start/${people.name}/${user}"
auth = { basic = ["${people.name}", "${people.key}"] }
[[journey.step]]
get = "/${n}/${people.name}/${user}"
[[load]]
users = 2
spawn_rate = "10/s"                       # one after the other: requests differ by their order
iterations = 6
duration = "10s"
"#;

#[tokio::test(start_paused = true)]
async fn data_is_fed_by_iteration_or_by_user() {
    let paths = async |workers, order| -> Vec<String> {
        let visit = visit(workers, &FED.replace("ORDER", order), |_| (200, "", String::new())).await;
        let mut paths: Vec<String> = visit.walk().into_iter().map(|(_, line)| line).collect();
        paths.sort();
        paths
    };
    for workers in [1, 2] {
        let rows: Vec<String> = paths(workers, "sequential").await;
        let rows: Vec<&str> =
            rows.iter().filter_map(|path| path.rsplit_once('/')).map(|(row, _)| row).collect();
        let expected = ["1/a", "2/b", "3/c", "4/d", "5/a", "6/b", "start/a", "start/b"];
        assert_eq!(rows, expected.map(|row| format!("GET /{row}")), "{workers} workers");
        let unique = paths(workers, "unique").await;
        assert_eq!(unique.len(), 8);
        assert!(unique.iter().all(|path| path.ends_with("/a/1") || path.ends_with("/b/2")), "{unique:?}");
    }
    let visit = visit(1, &FED.replace("ORDER", "unique"), |_| (200, "", String::new())).await;
    // `b:s3cret`: the secret in the cell was filled in.
    assert!(visit.fields(4).contains(&"authorization: Basic YjpzM2NyZXQ="), "{:?}", visit.fields(4));
}

#[tokio::test(start_paused = true)]
async fn cookies_headers_and_patterns_are_kept_until_a_check_fails() {
    let text = r#"
[[journey]]
name = "shop"
cookies = true
auth = { bearer = "${token}" }
[[journey.start]]
post = "/login"
form = { user = "a b", key = "${env:KEY}" }
save = { token = { header = "X-Token" }, csrf = { regex = 'csrf=(\w+)' } }
[[journey.step]]
get = "/ok"
query = { csrf = "${csrf}" }
[[journey.step]]
get = "/echo"
check = [{ header = "x-token", is = "t1" }, { json = "/key", not = "${env:KEY}" }]
[[load]]
users = 1
iterations = 2
duration = "10s"
"#;
    let visit = visit(1, text, |request| match request.split(' ').nth(1) {
        Some("/login") => {
            (200, "Set-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nx-token: t1\r\n", "csrf=xyz;".to_owned())
        }
        Some("/echo") => (200, "X-Token: t1\r\n", "{\"key\": \"s3cret\"}".to_owned()),
        _ => (200, "Set-Cookie: b=3\r\n", String::new()),
    })
    .await;
    let lines: Vec<String> = visit.walk().into_iter().map(|(_, line)| line).collect();
    let round = ["POST /login", "GET /ok?csrf=xyz", "GET /echo"];
    assert_eq!(lines[..6], [round, round].concat());
    let login = visit.fields(3);
    assert!(login.contains(&"content-type: application/x-www-form-urlencoded"), "{login:?}");
    assert!(login.contains(&"user=a%20b&key=s3cret"), "{login:?}");
    let has =
        |index: usize, start: &str| visit.fields(index).into_iter().find(|line| line.starts_with(start));
    assert_eq!((has(0, "cookie"), has(0, "authorization")), (None, None));
    assert_eq!(
        (has(1, "cookie"), has(1, "authorization")),
        (Some("cookie: a=1; b=2"), Some("authorization: Bearer t1"))
    );
    assert_eq!(has(2, "cookie"), Some("cookie: a=1; b=3"));
    // The check failed, so the user started again, without cookies.
    assert_eq!((has(3, "cookie"), has(3, "authorization")), (None, None));
    let failed: Vec<_> = visit.samples.iter().filter_map(|sample| sample.failed_check.as_deref()).collect();
    let said = "/key is \"${env:KEY}\", expected something but \"${env:KEY}\"";
    assert_eq!(failed, [said, said]);
}

#[tokio::test(start_paused = true)]
async fn checks_and_saves_leave_rejections_alone() {
    let text = r#"
[[journey]]
name = "polite"
[[journey.step]]
get = "/a"
status = [200, 429]
check = { contains = "welcome" }
[[journey.step]]
get = "/b"
status = 403
check = { contains = "welcome" }
[[load]]
users = 1
iterations = 1
duration = "10s"
"#;
    let visit = visit(1, text, |request| {
        let status = if request.starts_with("GET /a") { 429 } else { 403 };
        (status, "", "go away".to_owned())
    })
    .await;
    let failed: Vec<_> = visit.samples.iter().map(|sample| sample.failed_check.as_deref()).collect();
    assert_eq!(failed, [None, Some("the body is \"go away\", expected \"welcome\" in it")]);
}

#[tokio::test(start_paused = true)]
async fn journeys_are_mixed_by_weight_independently_of_workers() {
    let text = r#"
[[journey]]
name = "chat"
[[journey.start]]
get = "/start"
[[journey.step]]
name = "chat"
get = "/chat"
[[journey]]
name = "browse"
[[journey.step]]
name = "browse"
get = "/browse"
[[load]]
journey = { chat = 3, browse = 1 }
LOAD
"#;
    // Arrivals select their journey by iteration number, closed users by user number.
    let open = ("rate = \"100/s\"\nduration = \"20s\"", (|sample| sample.iteration) as fn(&Sample) -> u64);
    let closed = ("users = 2000\nduration = \"20ms\"", (|sample| sample.user) as fn(&Sample) -> u64);
    for (load, number) in [open, closed] {
        let text = text.replace("LOAD", load);
        let journeys = async |workers| {
            let visit = visit(workers, &text, |_| (200, "", String::new())).await;
            let iterations = visit.samples.iter().filter(|sample| sample.iteration > 0);
            iterations.map(|sample| (number(sample), sample.step)).collect::<BTreeMap<_, _>>()
        };
        let alone = journeys(1).await;
        // Of 2,000, one in four expected; five standard deviations are 97.
        let browsed = alone.values().filter(|step| **step == 2).count();
        assert_eq!(alone.len(), 2000);
        assert!(browsed.abs_diff(500) < 97, "{browsed}");
        assert_eq!(alone, journeys(3).await);
    }
}
