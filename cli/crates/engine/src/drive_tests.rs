//! The engine under a paused clock against a simulated service: hours pass at once, and every instant is
//! exact.

mod models;
mod pace;
mod retries;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use super::{
    canary::Canaries,
    exchange::{Exchange, Request, SendError, Transport},
    render::Origin,
    worker::Setup,
};
use crate::clock::RunClock;
use crate::drive;
use saasbench_model::{
    scenario::testing::scenario,
    units::{Nanos, Tolerance},
};
use saasbench_record::{
    manifest::LoadPhase,
    sample::{NoResponseReason, NotSentReason, RequestOutcome, Sample},
    writer::Sink,
};

mod steps;

/// A service that responds after `delay`: `/session` with an id, `/chat` with `status`.
#[derive(Debug)]
struct Service {
    clock: RunClock,
    delay: Duration,
    status: u16,
    sessions: AtomicU64,
    unreachable: bool,
    silent: bool,
    /// The connection of every so many-th chat is being closed, unless it is new.
    closes_every: Option<u64>,
    chats: AtomicU64,
    /// Limits chats, and states `Retry-After` in whole seconds.
    limited: Option<Mutex<Nanos>>,
}

impl Service {
    fn new(clock: RunClock) -> Self {
        let delay = Duration::from_millis(10);
        Self {
            clock,
            delay,
            status: 200,
            sessions: AtomicU64::new(0),
            unreachable: false,
            silent: false,
            closes_every: None,
            chats: AtomicU64::new(0),
            limited: None,
        }
    }

    /// The status of a chat, and the stated wait.
    fn chat(&self) -> (u16, Option<Nanos>) {
        let Some(limited) = &self.limited else { return (self.status, None) };
        let (mut free_at, now) = (limited.lock().unwrap(), self.clock.now());
        if now >= *free_at {
            *free_at = now + Nanos::from_millis(2500);
            return (200, None);
        }
        let left = (*free_at - now).as_secs_f64().ceil();
        (429, Some(Nanos::from_secs_f64(left)))
    }
}

/// A simulated service.
trait TestService: 'static {
    fn clock(&self) -> RunClock;

    /// Status, wait, body.
    async fn respond(&self, request: &Request) -> Result<(u16, Option<Nanos>, String), SendError>;
}

impl<S: TestService> Transport for Arc<S> {
    type UserConnections = ();

    fn connect_user(&self, _in_turn: usize) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), SendError> {
        exchange.sent = self.clock().now();
        let (status, retry_after, body) = self.respond(&exchange.request).await?;
        let response = &mut exchange.response;
        let now = self.clock().now();
        (response.first_byte, response.done) = (now, now);
        (response.status, response.retry_after) = (status, retry_after);
        response.body_bytes = body.len() as u64;
        response.body = body.into_bytes();
        Ok(())
    }
}

/// The path and the body of a request.
fn parts(request: &Request) -> (&str, &str) {
    let (head, body) = std::str::from_utf8(&request.bytes).unwrap().split_at(request.body_at);
    (head.split(' ').nth(1).unwrap(), body)
}

impl TestService for Service {
    fn clock(&self) -> RunClock {
        self.clock
    }

    async fn respond(&self, request: &Request) -> Result<(u16, Option<Nanos>, String), SendError> {
        if self.unreachable {
            return Err(SendError::NotSent(NotSentReason::ConnectFailed));
        }
        tokio::time::sleep(self.delay).await;
        if self.silent {
            return Err(SendError::NoResponse(NoResponseReason::Timeout));
        }
        let is_chat = parts(request).0 == "/chat";
        let number = self.chats.fetch_add(u64::from(is_chat), Ordering::Relaxed);
        let closes = self.closes_every.is_some_and(|every| number % every == 1);
        if is_chat && closes && !request.on_new_connection {
            return Err(SendError::NoResponse(NoResponseReason::ClosedIdle));
        }
        if parts(request).0 == "/session" {
            let number = self.sessions.fetch_add(1, Ordering::Relaxed);
            return Ok((200, None, format!("{{\"session_id\":\"s{number}\"}}")));
        }
        let (status, retry_after) = self.chat();
        Ok((status, retry_after, String::new()))
    }
}

const JOURNEY: &str = r#"
version = 1
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[journey]]
name = "chat"
[[journey.start]]
post = "/session"
json = { tenant_id = "${tenant}" }
save = { sid = "/session_id" }
[[journey.step]]
post = "/chat"
json = { session_id = "${sid}" }
"#;

/// Runs the loads of a scenario against the service, and returns its samples in the order of their ends.
async fn run(loads: &str, replicas: usize, service: impl FnOnce(&mut Service)) -> (LoadPhase, Vec<Sample>) {
    run_until(loads, replicas, service, &CancellationToken::new()).await
}

async fn run_until(
    loads: &str,
    replicas: usize,
    change: impl FnOnce(&mut Service),
    stop: &CancellationToken,
) -> (LoadPhase, Vec<Sample>) {
    run_with_workers(1, loads, replicas, change, stop).await
}

async fn run_with_workers(
    workers: usize,
    loads: &str,
    replicas: usize,
    change: impl FnOnce(&mut Service),
    stop: &CancellationToken,
) -> (LoadPhase, Vec<Sample>) {
    let clock = RunClock::start();
    let mut service = Service::new(clock);
    change(&mut service);
    let setup = setup(&format!("{JOURNEY}{loads}"), replicas, clock, None);
    let service = Arc::new(service);
    drive(setup, (0..workers).map(|_| Arc::clone(&service)).collect(), stop).await
}

/// Runs the loads with another journey.
async fn run_journey(journey: &str, loads: &str, change: impl FnOnce(&mut Service)) -> Vec<Sample> {
    let clock = RunClock::start();
    let mut service = Service::new(clock);
    change(&mut service);
    let setup = setup(&format!("{journey}{loads}"), 1, clock, None);
    drive(setup, vec![Arc::new(service)], &CancellationToken::new()).await.1
}

fn setup(text: &str, replicas: usize, clock: RunClock, canaries: Option<Canaries>) -> Setup {
    let origins = vec![Origin { authority: "h".to_owned(), prefix: String::new() }; replicas];
    let tolerance = Tolerance { offset: Nanos::from_millis(4), drift: 0.0 };
    Setup::new(
        Arc::new(scenario(text)),
        &origins,
        &Default::default(),
        clock,
        tolerance,
        canaries,
        Arc::default(),
    )
}

async fn drive<T: Transport>(
    setup: Setup,
    transports: Vec<T>,
    stop: &CancellationToken,
) -> (LoadPhase, Vec<Sample>) {
    let (sink, samples) = Sink::channel();
    let ending = drive::Ending { stop: stop.clone(), ..Default::default() };
    let driving = drive::drive(Arc::new(setup), transports, sink, &ending);
    let phase = LocalSet::new().run_until(driving).await;
    (phase, samples.iter().collect())
}

fn chats(samples: &[Sample]) -> Vec<&Sample> {
    samples.iter().filter(|sample| sample.iteration > 0).collect()
}

#[tokio::test(start_paused = true)]
async fn an_open_load_sends_every_arrival_when_it_is_due() {
    let load = "[[load]]\ntenant = \"acme\"\nrate = \"100/s\"\nduration = \"2s\"";
    let (phase, samples) = run(load, 2, |_| {}).await;
    let chats = chats(&samples);
    assert_eq!(chats.len(), 200);
    for (k, sample) in chats.iter().enumerate() {
        assert_eq!(sample.intended, phase.start_ns + Nanos::from_millis(10 * k as i64));
        assert_eq!(sample.sent, sample.intended, "an idle engine is never late");
        assert_eq!(sample.replica, k % 2);
        assert_eq!(sample.outcome, RequestOutcome::Status(200));
    }
    // Ten users were started before the load, and no more were needed.
    assert_eq!(samples.len() - chats.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_does_not_slow_an_open_load_down() {
    let load = "[[load]]\ntenant = \"acme\"\nrate = \"10/s\"\nduration = \"3s\"";
    let (phase, samples) = run(load, 1, |service| service.delay = Duration::from_secs(5)).await;
    let chats = chats(&samples);
    assert_eq!(chats.len(), 30);
    let mut intended: Vec<Nanos> = chats.iter().map(|sample| sample.intended - phase.start_ns).collect();
    intended.sort();
    assert_eq!(intended, (0..30).map(|k| Nanos::from_millis(100 * k)).collect::<Vec<_>>());
    // A user that had to run its start steps first was late, as its latency from intended shows.
    assert!(chats.iter().any(|sample| sample.latency_intended() >= Nanos::from_secs(10)));
    assert!(chats.iter().all(|sample| sample.latency_sent() == Nanos::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn arrivals_beyond_max_users_are_dropped_and_counted() {
    let load = "[[load]]\ntenant = \"acme\"\nrate = \"10/s\"\nmax_users = 2\nduration = \"2s\"";
    let (_, samples) = run(load, 1, |service| service.delay = Duration::from_secs(1)).await;
    let (dropped, answered): (Vec<&Sample>, Vec<&Sample>) =
        chats(&samples).into_iter().partition(|sample| sample.outcome == RequestOutcome::Dropped);
    // One user is ready and busy until 1 s; the other starts for the second arrival, which takes until 2.1 s.
    assert_eq!((dropped.len(), answered.len()), (17, 3));
}

#[tokio::test(start_paused = true)]
async fn tenants_share_an_open_load_and_both_replicas() {
    let load = "[[load]]\nrate = \"100/s\"\nduration = \"1s\"";
    let (_, samples) = run(load, 2, |_| {}).await;
    for tenant in 0..2 {
        for replica in 0..2 {
            let count = chats(&samples).iter().filter(|s| s.tenant == tenant && s.replica == replica).count();
            assert_eq!(count, 25, "tenant {tenant}, replica {replica}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn closed_users_are_spawned_start_once_and_pause() {
    let load = "[[load]]\nusers = 4\nspawn_rate = \"2/s\"\nthink_time = \"1s\"\nduration = \"10s\"";
    let (phase, samples) = run(load, 2, |_| {}).await;
    let starts: Vec<&Sample> = samples.iter().filter(|sample| sample.iteration == 0).collect();
    assert_eq!(starts.len(), 4);
    for (number, start) in starts.iter().enumerate() {
        assert_eq!(start.intended, phase.start_ns + Nanos::from_millis(500 * number as i64));
        let mut own: Vec<&&Sample> = Vec::new();
        let chats = chats(&samples);
        own.extend(chats.iter().filter(|sample| sample.user == start.user));
        assert_eq!(own[0].intended, start.done, "the first step is due when the user has started");
        for pair in own.windows(2) {
            assert_eq!(pair[1].intended, pair[0].done + Nanos::from_secs(1));
        }
        assert!(own.last().unwrap().intended < phase.start_ns + Nanos::from_secs(10));
    }
    assert!(samples.iter().all(|sample| sample.tenant == (sample.user as usize - 1) % 2));
}

#[tokio::test(start_paused = true)]
async fn iterations_bound_a_load() {
    let closed = "[[load]]\nusers = 3\niterations = 7\nreplica = 2";
    let (_, samples) = run(closed, 2, |_| {}).await;
    assert_eq!(chats(&samples).len(), 7);
    assert!(samples.iter().all(|sample| sample.replica == 1));
    let open = "[[load]]\nrate = \"10/s\"\nduration = \"5s\"\niterations = 7";
    assert_eq!(chats(&run(open, 2, |_| {}).await.1).len(), 7);
}

#[tokio::test(start_paused = true)]
async fn sticky_users_keep_to_one_replica() {
    let load = "[[load]]\nusers = 4\nthink_time = \"1s\"\nduration = \"5s\"\nreplica = \"sticky\"";
    let (_, samples) = run(load, 2, |_| {}).await;
    assert!(samples.iter().all(|sample| sample.replica == (sample.user as usize - 1) % 2));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_pauses() {
    let load = "[[load]]\nusers = 5\nthink_time = \"1s..3s\"\nduration = \"30s\"";
    let intended = |(phase, samples): (LoadPhase, Vec<Sample>)| {
        let mut all: Vec<(u64, Nanos)> =
            samples.iter().map(|s| (s.user, s.intended - phase.start_ns)).collect();
        all.sort();
        all
    };
    let first = intended(run(load, 2, |_| {}).await);
    assert_eq!(first, intended(run(load, 2, |_| {}).await));
}

#[tokio::test(start_paused = true)]
async fn a_user_starts_afresh_after_an_unexpected_response() {
    let load = "[[load]]\nusers = 1\nthink_time = \"1s\"\nduration = \"5s\"";
    let (_, samples) = run(load, 1, |service| service.status = 404).await;
    let starts = samples.iter().filter(|sample| sample.iteration == 0).count();
    assert_eq!(starts, chats(&samples).len());
    let check = chats(&samples)[0].failed_check.clone();
    assert_eq!(check.as_deref(), Some("status 404, expected 2xx"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_gets_no_requests_in_a_tight_loop() {
    let load = "[[load]]\nusers = 1\nduration = \"5s\"";
    let (_, samples) = run(load, 1, |service| service.unreachable = true).await;
    assert_eq!(samples.len(), 50);
    assert!(
        samples.iter().all(|sample| sample.outcome == RequestOutcome::NotSent(NotSentReason::ConnectFailed))
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_service_leaves_unknown_outcomes() {
    let load = "[[load]]\nusers = 1\nduration = \"1s\"";
    let (_, samples) = run(load, 1, |service| service.silent = true).await;
    assert!(!samples.is_empty());
    assert!(
        samples.iter().all(|sample| sample.outcome == RequestOutcome::NoResponse(NoResponseReason::Timeout)
            && sample.is_error())
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_load_and_awaits_what_is_in_flight() {
    let load = "[[load]]\nusers = 3\nthink_time = \"1s\"\nduration = \"1h\"\n[[load]]\nrate = \"10/s\"\nduration = \"1h\"";
    let stop = CancellationToken::new();
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        later.cancel();
    });
    let (phase, samples) =
        run_until(load, 1, |service| service.delay = Duration::from_millis(300), &stop).await;
    assert!(phase.to_ns <= Nanos::from_millis(20_600), "{phase:?}");
    assert!(samples.iter().all(|sample| matches!(sample.outcome, RequestOutcome::Status(200))));
    assert!(
        samples.iter().any(|sample| sample.sent < Nanos::from_secs(20) && sample.done > Nanos::from_secs(20))
    );
}

/// A service that responds to every chat with the message of the previous one, of any tenant.
#[derive(Debug)]
struct Forgetful {
    clock: RunClock,
    last: Mutex<String>,
}

impl TestService for Forgetful {
    fn clock(&self) -> RunClock {
        self.clock
    }

    async fn respond(&self, request: &Request) -> Result<(u16, Option<Nanos>, String), SendError> {
        assert!(request.keep_body, "every response is searched");
        let message = parts(request).1.chars().rev().collect();
        Ok((200, None, std::mem::replace(&mut *self.last.lock().unwrap(), message)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_another_tenant_receives_is_recorded() {
    let text = "version = 1\n[[tenant]]\npattern = \"t-1..t-3\"\n[[journey]]\nname = \"chat\"\n[[journey.step]]\npost = \"/chat\"\njson = { message = \"hello ${canary}\" }\n[[load]]\nrate = \"10/s\"\nduration = \"1s\"";
    let clock = RunClock::start();
    let setup = setup(text, 1, clock, Some(Canaries::draw()));
    let service = Arc::new(Forgetful { clock, last: Mutex::default() });
    let (_, samples) = drive(setup, vec![service], &CancellationToken::new()).await;
    let found: Vec<Option<usize>> = samples.iter().map(|sample| sample.canary).collect();
    assert_eq!(
        found,
        [None, Some(0), Some(1), Some(2), Some(0), Some(1), Some(2), Some(0), Some(1), Some(2)]
    );
}

#[tokio::test(start_paused = true)]
async fn more_workers_send_the_same_requests() {
    let loads = "[[load]]\nrate = \"50/s\"\nduration = \"2s\"\nmax_users = 50\n[[load]]\nusers = 5\nspawn_rate = \"4/s\"\nthink_time = \"200ms..1s\"\nduration = \"9s\"\n[[load]]\nusers = 2\niterations = 7";
    let mut of_one = None;
    for workers in 1..=4 {
        let (phase, samples) = run_with_workers(workers, loads, 2, |_| {}, &CancellationToken::new()).await;
        let mut requests: Vec<_> = chats(&samples)
            .into_iter()
            .map(|s| {
                // Which user takes an arrival, and the order of the users' numbers, may differ.
                let user = if s.load == 1 { s.user } else { 0 };
                let iteration = if s.load == 1 { 0 } else { s.iteration };
                let intended = if s.load == 2 { Nanos::ZERO } else { s.intended - phase.start_ns };
                (s.load, user, iteration, intended, if s.load == 0 { s.replica } else { 0 })
            })
            .collect();
        requests.sort();
        assert_eq!(requests.iter().filter(|(load, ..)| *load == 2).count(), 7);
        assert_eq!(*of_one.get_or_insert(requests.clone()), requests, "{workers} workers");
    }
}
