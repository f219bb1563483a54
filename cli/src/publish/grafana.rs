//! Annotations of a run in Grafana: its start, end and outcome, its events, and its failed claims.
//! `annotations` creates them, `Grafana` posts them (`POST /api/annotations`).

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::observe::{http_body, http_error::describe, prometheus::client::Credentials};
use saasbench_model::{redact, units::Nanos};
use saasbench_record::event::Event;
use saasbench_verify::{
    Report,
    verdict::{Outcome, Verdict},
};

/// Timeout of one annotation.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of all annotations of a run together.
const IN_ALL: Duration = Duration::from_secs(15);
/// Maximum number of failed claims that get an annotation each.
const CLAIMS: usize = 20;
/// Maximum number of events that do.
const EVENTS: usize = 100;

/// An annotation in the format of Grafana's API; times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// The instant, or the start of the span.
    pub time: i64,
    /// End of the span; `None` for an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_end: Option<i64>,
    /// Tags for searching.
    pub tags: Vec<String>,
    /// The displayed text, which Grafana interprets as HTML.
    pub text: String,
}

/// The annotations of a run with these events: the whole run first.
pub fn annotations(report: &Report, events: &[Event]) -> Vec<Annotation> {
    let name = report.run.rsplit('/').next().unwrap_or_default();
    let outcome = report.outcome.to_string();
    let base =
        ["saasbench".to_owned(), report.scenario.clone(), outcome.to_lowercase(), format!("run:{name}")];
    let unix = |at: Nanos| (Nanos(report.started_unix_ns) + at).0 / 1_000_000;
    let tagged =
        |tag: Option<&str>| base.iter().cloned().chain(tag.map(str::to_owned)).collect::<Vec<String>>();
    let (from, to) = report.load.map_or((Nanos::ZERO, Nanos::ZERO), |load| (load.start_ns, load.to_ns));
    let failed: Vec<&Verdict> =
        report.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail).collect();
    let claims = format!("{} of {} claims failed", failed.len(), report.verdicts.len());
    let left = events.len().saturating_sub(EVENTS);
    let left = if left == 0 { String::new() } else { format!("; {left} more events are in its record") };
    let whole = Annotation {
        time: unix(from),
        time_end: Some(unix(to)),
        tags: tagged(None),
        text: html(&format!("{}: {outcome}, {claims}{left}", report.scenario)),
    };
    let events = events.iter().take(EVENTS).map(|event| Annotation {
        time: unix(event.at()),
        time_end: None,
        tags: tagged(Some("event")),
        text: html(&event.to_string()),
    });
    let claims = failed.iter().take(CLAIMS).map(|verdict| Annotation {
        time: unix(to),
        time_end: None,
        tags: tagged(Some("claim")),
        text: html(&format!(
            "{} {} {}: {}",
            verdict.outcome, verdict.claim, verdict.subject, verdict.summary
        )),
    });
    std::iter::once(whole).chain(events).chain(claims).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A Grafana to annotate.
#[derive(Debug)]
pub struct Grafana {
    /// The client for it.
    pub http: reqwest::Client,
    /// The URL up to `/api`.
    pub url: String,
    /// Its token.
    pub credentials: Credentials,
}

impl Grafana {
    /// Posts all of them, within the timeout, and not beyond `stop`.
    ///
    /// # Errors
    /// Why one was rejected, and how many were not posted.
    pub async fn tell(&self, annotations: &[Annotation], stop: &CancellationToken) -> Result<(), String> {
        let mut reported = 0;
        let all = async {
            for annotation in annotations {
                self.tell_one(annotation).await?;
                reported += 1;
            }
            Ok(())
        };
        let came_to = tokio::select! {
            biased;
            came_to = all => came_to,
            () = stop.cancelled() => Err("it was interrupted".to_owned()),
            () = sleep(IN_ALL) => Err(format!("they were not taken within {} s", IN_ALL.as_secs())),
        };
        came_to.map_err(|reason: String| {
            let (left, url) = (annotations.len() - reported, redact::url(&self.url));
            format!("{left} of {} annotations did not reach Grafana at {url}: {reason}", annotations.len())
        })
    }

    async fn tell_one(&self, annotation: &Annotation) -> Result<(), String> {
        let url = format!("{}/api/annotations", self.url.trim_end_matches('/'));
        let request = self.http.post(url).headers(self.credentials.headers.clone());
        let answer = request.timeout(TIMEOUT).json(annotation).send().await;
        let redact = |text: &str| self.credentials.redacted(text);
        let answer = answer.map_err(|error| redact(&describe(&error.without_url())))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let line = http_body::first_line(answer).await;
        let why = match status.as_u16() {
            401 => ": the token is not good there",
            403 => ": the token may not write annotations",
            _ => "",
        };
        let said: String = redact(&line).chars().take(200).collect();
        let said = if said.is_empty() { said } else { format!(" ({said})") };
        Err(format!("it responded {}{why}{said}", status.as_u16()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{
        sample::{RequestOutcome, Sample},
        testing::{TestRun, sample},
    };
    use saasbench_verify::testing::Judge as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// The report of a run that broke a promise.
    fn report() -> Report {
        let samples: Vec<Sample> = (0..40).map(|i| sample(i * 10, 0, RequestOutcome::Status(200))).collect();
        let made = TestRun::new("[[expect]]\nthat = \"p50 < 1ms\"\n", &samples);
        let mut report = made.judge();
        report.run = "runs/20261121T101500Z-test".to_owned();
        report
    }

    fn aborted(reason: &str) -> Event {
        Event::Aborted { at_ns: Nanos::from_secs(3), reason: reason.to_owned() }
    }

    #[test]
    fn annotates_the_run_its_events_and_its_failures() {
        let events = [aborted("p99 <= 1s")];
        let reported = annotations(&report(), &events);
        insta::assert_snapshot!(serde_json::to_string_pretty(&reported).unwrap());
    }

    #[test]
    fn of_many_events_the_first_are_reported_and_the_rest_counted() {
        let events = vec![aborted("late"); EVENTS + 3];
        let reported = annotations(&report(), &events);
        assert_eq!(
            reported.iter().filter(|reported| reported.tags.contains(&"event".to_owned())).count(),
            EVENTS
        );
        insta::assert_snapshot!(reported[0].text, @"test: Fail, 1 of 22 claims failed; 3 more events are in its record");
    }

    fn grafana(listener: &tokio::net::TcpListener, credentials: Credentials) -> Grafana {
        let tls =
            saasbench_engine::connect::tls::config(saasbench_engine::connect::tls::Trust::None).unwrap();
        Grafana {
            http: crate::observe::http_client(&tls, None).unwrap(),
            url: format!("http://{}/grafana/", listener.local_addr().unwrap()),
            credentials,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_or_silent_grafana_times_out() {
        let mut reported = String::new();
        // It accepts each after 4 s, until the total timeout; Ctrl-C comes after 6 s, or never.
        for (ctrl_c, expected) in [(None, 15), (Some(Duration::from_secs(6)), 6)] {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let grafana =
                grafana(&listener, Credentials { headers: http::HeaderMap::new(), secrets: Vec::new() });
            let taking = tokio::spawn(async move {
                loop {
                    double(&listener, Duration::from_secs(4), &[(200, "{}")]).await;
                }
            });
            let events = vec![aborted("late"); 8];
            let annotations = annotations(&report(), &events);
            let (stop, began) = (CancellationToken::new(), tokio::time::Instant::now());
            let interrupt = async {
                if let Some(after) = ctrl_c {
                    sleep(after).await;
                    stop.cancel();
                }
            };
            let (came_to, ()) = tokio::join!(grafana.tell(&annotations, &stop), interrupt);
            assert_eq!(began.elapsed().as_secs(), expected);
            reported += &format!("{}\n", came_to.unwrap_err());
            taking.abort();
        }
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.bind(|| insta::assert_snapshot!(reported));
    }

    /// Responds to consecutive requests with `answers`, each after a delay; returns the requests.
    async fn double(
        listener: &tokio::net::TcpListener,
        takes: Duration,
        answers: &[(u16, &str)],
    ) -> Vec<String> {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            // Head and body arrive in pieces; the body ends with the annotation's closing brace.
            while !request.ends_with('}') {
                let mut piece = [0; 4096];
                let n = stream.read(&mut piece).await.unwrap();
                request.push_str(&String::from_utf8_lossy(&piece[..n]));
            }
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            sleep(takes).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked.push(request);
        }
        asked
    }

    #[tokio::test]
    async fn grafana_api_requests_and_errors_without_the_token() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", "Bearer hush-hush".parse().unwrap());
        let secrets = vec![("hush-hush".to_owned(), "${env:GRAFANA_TOKEN}".to_owned())];
        let grafana = grafana(&listener, Credentials { headers, secrets });
        let events = [aborted("late")];
        let reported: Vec<Annotation> = annotations(&report(), &events).into_iter().take(2).collect();
        let answers = [(200, "{\"id\":1}"), (403, "{\"message\":\"hush-hush may not\"}")];
        let stop = CancellationToken::new();
        let (asked, came_to) =
            tokio::join!(double(&listener, Duration::ZERO, &answers), grafana.tell(&reported, &stop));
        assert!(asked[0].starts_with("POST /grafana/api/annotations HTTP/1.1\r\n"), "{}", asked[0]);
        for header in ["authorization: Bearer hush-hush\r\n", "content-type: application/json\r\n"] {
            assert!(asked[0].contains(header), "{}", asked[0]);
        }
        let body = asked[0].split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, serde_json::to_string(&reported[0]).unwrap());
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.bind(|| insta::assert_snapshot!(came_to.unwrap_err()));
    }
}
