//! A run on Grafana's time axes: where it began and ended and what it came to, what happened meanwhile, and what failed.
//! `annotations` says what is told, `Grafana` tells it (`POST /api/annotations`).

use std::time::Duration;

use serde::Serialize;

use crate::{
    observe::{prometheus::client::Credentials, scrape::describe},
    record::manifest::Event,
    redact,
    units::Nanos,
    verify::{
        Report,
        verdict::{Outcome, Verdict},
    },
};

/// An annotation that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Failed claims that are told one by one.
const CLAIMS: usize = 20;

/// An annotation as Grafana's API wants it; times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// When, or from when on.
    pub time: i64,
    /// Until when; `None` for an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_end: Option<i64>,
    /// What it can be found by.
    pub tags: Vec<String>,
    /// What Grafana shows, which it takes for HTML.
    pub text: String,
}

/// All that is told of a run with these events: the whole of it first.
pub fn annotations(report: &Report, events: &[Event]) -> Vec<Annotation> {
    let name = report.run.rsplit('/').next().unwrap_or_default();
    let outcome = report.outcome.to_string();
    let base =
        ["saasbench".to_owned(), report.scenario.clone(), outcome.to_lowercase(), format!("run:{name}")];
    let unix = |at: Nanos| (Nanos(report.started_unix_ns) + at).0 / 1_000_000;
    let tagged =
        |tag: Option<&str>| base.iter().cloned().chain(tag.map(str::to_owned)).collect::<Vec<String>>();
    let (from, to) = report.load.map_or((Nanos::ZERO, Nanos::ZERO), |load| (load.begin_ns, load.to_ns));
    let failed: Vec<&Verdict> =
        report.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail).collect();
    let claims = format!("{} of {} claims failed", failed.len(), report.verdicts.len());
    let whole = Annotation {
        time: unix(from),
        time_end: Some(unix(to)),
        tags: tagged(None),
        text: html(&format!("{}: {outcome}, {claims}", report.scenario)),
    };
    let events = events.iter().map(|event| Annotation {
        time: unix(event.at_ns),
        time_end: None,
        tags: tagged(Some("event")),
        text: html(&event.text),
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

/// A Grafana that is told.
#[derive(Debug)]
pub struct Grafana {
    /// Asks it.
    pub http: reqwest::Client,
    /// What stands before `/api`.
    pub url: String,
    /// The token.
    pub credentials: Credentials,
}

impl Grafana {
    /// Tells it all of them, as far as it takes them.
    ///
    /// # Errors
    /// Why it did not take one, and how many it did not get.
    pub async fn tell(&self, annotations: &[Annotation]) -> Result<(), String> {
        for (told, annotation) in annotations.iter().enumerate() {
            self.tell_one(annotation).await.map_err(|reason| {
                let left = annotations.len() - told;
                format!(
                    "{left} of {} annotations did not reach Grafana at {}: {reason}",
                    annotations.len(),
                    redact::url(&self.url)
                )
            })?;
        }
        Ok(())
    }

    async fn tell_one(&self, annotation: &Annotation) -> Result<(), String> {
        let url = format!("{}/api/annotations", self.url.trim_end_matches('/'));
        let request = self.http.post(url).headers(self.credentials.headers.clone());
        let answer = request.timeout(PATIENCE).json(annotation).send().await;
        let blot = |text: &str| self.credentials.blotted(text).into_owned();
        let answer = answer.map_err(|error| blot(&describe(&error.without_url())))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        let why = match status.as_u16() {
            401 => ": the token is not good there",
            403 => ": the token may not write annotations",
            _ => "",
        };
        let said: String = blot(text.lines().next().unwrap_or_default()).chars().take(200).collect();
        let said = if said.is_empty() { said } else { format!(" ({said})") };
        Err(format!("it answered {}{why}{said}", status.as_u16()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::sample::{Outcome as SampleOutcome, Sample},
        verify::testing::{Made, sample},
    };
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A run that broke a promise.
    fn report() -> Report {
        let samples: Vec<Sample> = (0..40).map(|i| sample(i * 10, 0, SampleOutcome::Status(200))).collect();
        let made = Made::new("[[expect]]\nthat = \"p50 < 1ms\"\n", &samples);
        let mut report = made.judge();
        report.run = "runs/20261121T101500Z-test".to_owned();
        report
    }

    #[test]
    fn a_run_its_events_and_its_failures_are_told() {
        let events = [Event::new(Nanos::from_secs(3), "paused <by hand>")];
        let told = annotations(&report(), &events);
        insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
    }

    /// Answers one request after the other with `answers`; returns what was asked.
    async fn double(listener: tokio::net::TcpListener, answers: &[(u16, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            // Head and body come in pieces; the body ends with the annotation's closing brace.
            while !request.ends_with('}') {
                let mut piece = [0; 4096];
                let n = stream.read(&mut piece).await.unwrap();
                request.push_str(&String::from_utf8_lossy(&piece[..n]));
            }
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked.push(request);
        }
        asked
    }

    #[tokio::test]
    async fn grafana_is_asked_as_its_api_wants_it_and_what_it_refuses_is_told_without_the_token() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", "Bearer hush-hush".parse().unwrap());
        let secrets = vec![("hush-hush".to_owned(), "${env:GRAFANA_TOKEN}".to_owned())];
        let tls = crate::load::connect::tls::config(crate::load::connect::tls::Trust::Nobody).unwrap();
        let grafana = Grafana {
            http: crate::observe::http_client(&tls, None).unwrap(),
            url: format!("http://{}/grafana/", listener.local_addr().unwrap()),
            credentials: Credentials { headers, secrets },
        };
        let events = [Event::new(Nanos::from_secs(3), "paused")];
        let told: Vec<Annotation> = annotations(&report(), &events).into_iter().take(2).collect();
        let answers = [(200, "{\"id\":1}"), (403, "{\"message\":\"hush-hush may not\"}")];
        let (asked, came_to) = tokio::join!(double(listener, &answers), grafana.tell(&told));
        assert!(asked[0].starts_with("POST /grafana/api/annotations HTTP/1.1\r\n"), "{}", asked[0]);
        for header in ["authorization: Bearer hush-hush\r\n", "content-type: application/json\r\n"] {
            assert!(asked[0].contains(header), "{}", asked[0]);
        }
        let body = asked[0].split_once("\r\n\r\n").unwrap().1;
        assert_eq!(body, serde_json::to_string(&told[0]).unwrap());
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
        settings.bind(|| insta::assert_snapshot!(came_to.unwrap_err()));
    }
}
