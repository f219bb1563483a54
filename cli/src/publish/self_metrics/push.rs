//! Pushes the generator's metrics by remote write during the run, and at its end. Failures never affect the
//! load: what could not be pushed is retried with the next push, reported once, and counted.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Shared, page, remote_write};
use crate::observe::{http_body, http_error::describe, prometheus::client::Credentials};
use saasbench_model::redact;

/// Timeout of a push.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that are kept for retries; beyond that the oldest is dropped.
const BACKLOG: usize = 60;
/// The longest time for pushing after the end.
const AT_END: Duration = Duration::from_secs(15);
/// Attempts to push the final values, and the pause between them.
const LAST_TRIES: usize = 3;
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The receiver of pushed metrics.
#[derive(Debug)]
pub struct Push {
    /// The client for it.
    pub http: reqwest::Client,
    /// The remote write URL: `http://127.0.0.1:9090/api/v1/write`.
    pub url: String,
    /// Its credentials.
    pub credentials: Credentials,
    /// The interval.
    pub every: Duration,
}

/// The handle of a pushing task.
#[derive(Debug)]
pub(super) struct Pushing {
    first: Option<oneshot::Receiver<Option<String>>>,
    end: CancellationToken,
    /// Cancelled when no time is left.
    over: CancellationToken,
    task: JoinHandle<Option<String>>,
}

/// The requests to send, and the results of earlier ones.
#[derive(Debug)]
struct Pusher {
    push: Push,
    shared: Arc<Shared>,
    backlog: VecDeque<Vec<u8>>,
    sent: u64,
    /// Requests that were given up.
    lost: u64,
    /// Pushes after which requests were left or lost.
    failed: u64,
    /// The reason of the last failure.
    reason: Option<String>,
}

impl Pushing {
    pub(super) fn start(push: Push, shared: Arc<Shared>) -> Self {
        let (reported, first) = oneshot::channel();
        let (end, over) = (CancellationToken::new(), CancellationToken::new());
        let pusher =
            Pusher { push, shared, backlog: VecDeque::new(), sent: 0, lost: 0, failed: 0, reason: None };
        let task = tokio::spawn(pusher.run(reported, end.clone(), over.clone()));
        Self { first: Some(first), end, over, task }
    }

    /// Why the first push failed, if it did.
    pub(super) async fn first(&mut self) -> Option<String> {
        self.first.take()?.await.ok()?
    }

    /// Pushes the final values; returns what could not be pushed in all. The time for this is limited, and
    /// more so beyond `graceful_stop`.
    pub(super) async fn finish(mut self, stop: &CancellationToken) -> Option<String> {
        self.end.cancel();
        tokio::select! {
            biased;
            reported = &mut self.task => return reported.ok()?,
            () = sleep(AT_END) => {}
            () = async { stop.cancelled().await; sleep(TIMEOUT).await } => {}
        }
        self.over.cancel();
        (&mut self.task).await.ok()?
    }
}

impl Drop for Pushing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pusher {
    async fn run(
        mut self,
        reported: oneshot::Sender<Option<String>>,
        end: CancellationToken,
        over: CancellationToken,
    ) -> Option<String> {
        tokio::select! {
            biased;
            () = over.cancelled() => {}
            () = self.push_until(&end, reported) => {}
        }
        // The last values remain for as long as if another push had followed; then the series end.
        let at = now_ms();
        self.gather(false, at);
        self.gather(true, at + i64::try_from(self.push.every.as_millis()).unwrap_or(i64::MAX / 2));
        tokio::select! {
            biased;
            () = over.cancelled() => {
                self.failed += 1;
                self.reason.get_or_insert_with(|| "there was more left at the end than time to push it".to_owned());
            }
            () = self.push_rest() => {}
        }
        self.lost += self.backlog.len() as u64;
        self.account()
    }

    /// Pushes during the run; the result of the first push is sent to `reported`.
    async fn push_until(&mut self, end: &CancellationToken, reported: oneshot::Sender<Option<String>>) {
        let mut ticks = interval(self.push.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reported = Some(reported);
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.gather(false, now_ms());
            self.flush().await;
            if let Some(reported) = reported.take() {
                let _ = reported.send(self.reason.clone());
            }
        }
    }

    /// Pushes what is left, in several attempts.
    async fn push_rest(&mut self) {
        for attempt in 1..=LAST_TRIES {
            self.flush().await;
            if self.backlog.is_empty() || attempt == LAST_TRIES {
                break;
            }
            sleep(LAST_PAUSE).await;
        }
    }

    /// What did not arrive, as text, if anything.
    fn account(&self) -> Option<String> {
        let reason = self.reason.as_ref().filter(|_| self.failed > 0)?;
        let url = redact::url(&self.push.url);
        let Self { sent, lost, failed, .. } = self;
        let became = if *lost == 0 {
            "all of it arrived later".to_owned()
        } else {
            format!("{lost} of {} requests never arrived", sent + lost)
        };
        Some(format!(
            "the run's own metrics could not always be pushed to {url}: {failed} times, and {became}; the last time: {reason}"
        ))
    }

    /// Appends the current values to the requests to send.
    fn gather(&mut self, ends: bool, at_ms: i64) {
        let Some(subject) = self.shared.subject.get() else { return };
        let samples = page::samples(subject, &self.shared.numbers());
        let more = [
            ("job", "saasbench"),
            ("run", subject.run.as_str()),
            ("scenario", subject.scenario.name.as_str()),
        ];
        self.backlog.extend(remote_write::bodies(&samples, &more, at_ms, ends));
        while self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
            self.lost += 1;
        }
    }

    /// Sends the requests in order, until one fails.
    async fn flush(&mut self) {
        let mut is_good = true;
        while let Some(body) = self.backlog.front() {
            match self.send(body.clone()).await {
                Ok(()) => self.sent += 1,
                Err(Rejection { reason, is_final }) => {
                    is_good = false;
                    self.reason = Some(reason);
                    if !is_final {
                        break;
                    }
                    self.lost += 1;
                }
            }
            self.backlog.pop_front();
        }
        self.failed += u64::from(!is_good);
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), Rejection> {
        let request = self.push.http.post(&self.push.url);
        let request = request
            .headers(self.push.credentials.headers.clone())
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .header("User-Agent", concat!("saasbench/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .body(body);
        let answer = request.send().await.map_err(|error| Rejection {
            reason: self.push.credentials.redacted(&describe(&error.without_url())),
            is_final: false,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let line = http_body::first_line(answer).await;
        let said: String = self.push.credentials.redacted(&line).chars().take(200).collect();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        // By the specification, 5xx and 429 are temporary, any other response is final.
        let is_final = !status.is_server_error() && status.as_u16() != 429;
        Err(Rejection { reason: format!("it responded {}{said}", status.as_u16()), is_final })
    }
}

/// Why a request was rejected, and whether it always will be.
struct Rejection {
    reason: String,
    is_final: bool,
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
