//! Users that wait for `Retry-After` and repeat what was rejected.

use super::*;

const LIMIT: &str = "\n[[limit]]\nroute = \"POST /chat\"\nalgorithm = \"fixed-window\"\nquota = \"1/2s\"\n";

/// A closed or open load of acme that obeys Retry-After.
fn patient(load: &str) -> String {
    format!("[[load]]\ntenant = \"acme\"\nretry = \"retry-after\"\n{load}{LIMIT}")
}

fn limited(service: &mut Service) {
    service.limited = Some(Mutex::new(Nanos::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_user_obeys_retry_after_and_records_what_it_repeats() {
    let (_, samples) = run(&patient("users = 1\nduration = \"20s\""), 2, limited).await;
    let chats = chats(&samples);
    let numbers: Vec<u64> = samples.iter().map(|sample| sample.request).collect();
    assert_eq!(numbers, (1..=samples.len() as u64).collect::<Vec<_>>(), "a user's requests are numbered");
    let statuses: Vec<RequestOutcome> = chats.iter().map(|sample| sample.outcome).collect();
    let expected = [200, 429, 200, 429, 200, 429].map(RequestOutcome::Status);
    assert_eq!(statuses[..6], expected);
    for pair in chats[..6].windows(2) {
        assert_ne!(pair[0].replica, pair[1].replica, "a request that is sent again goes to the next replica");
        if pair[0].outcome == RequestOutcome::Status(429) {
            // The service stated three seconds; the clocks may differ by 4 ms, and the limiter ticks in
            // milliseconds.
            assert_eq!(pair[1].intended, pair[0].done + Nanos::from_millis(3005));
            assert_eq!(pair[1].sent, pair[1].intended);
            assert_eq!((pair[1].retry_of, pair[1].iteration), (Some(pair[0].request), pair[0].iteration));
        } else {
            assert_eq!(pair[1].retry_of, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_outlast_the_load_ends_with_it() {
    let (phase, samples) = run(&patient("users = 1\nduration = \"2s\""), 1, limited).await;
    let chats = chats(&samples);
    let outcomes: Vec<RequestOutcome> = chats.iter().map(|sample| sample.outcome).collect();
    assert_eq!(
        outcomes,
        [200, 429].map(RequestOutcome::Status),
        "a patient user does not go on without a pause"
    );
    assert!(phase.to_ns <= phase.start_ns + Nanos::from_millis(2110), "{phase:?}");
}

#[tokio::test(start_paused = true)]
async fn without_retries_or_a_declared_limit_a_rejection_is_final() {
    for loads in [
        patient("users = 1\nduration = \"9s\"").replace("retry-after", "never"),
        patient("users = 1\nduration = \"9s\"").replace("quota", "rejected = 503\nquota"),
    ] {
        let (_, samples) = run(&loads, 1, limited).await;
        assert!(samples.iter().all(|sample| sample.retry_of.is_none()));
        assert!(samples.iter().any(|sample| sample.outcome == RequestOutcome::Status(429)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_loads_user_is_busy_while_it_waits() {
    let load = patient("rate = \"1/s\"\nmax_users = 2\nduration = \"10s\"");
    let (phase, samples) = run(&load, 1, limited).await;
    let chats = chats(&samples);
    let arrivals = chats.iter().filter(|sample| sample.retry_of.is_none());
    assert_eq!(arrivals.count(), 10);
    assert!(chats.iter().any(|sample| sample.outcome == RequestOutcome::Dropped && sample.request == 0));
    for retry in chats.iter().filter(|sample| sample.retry_of.is_some()) {
        let repeated: Vec<_> = chats
            .iter()
            .filter(|other| (other.user, Some(other.request)) == (retry.user, retry.retry_of))
            .collect();
        assert_eq!(repeated.len(), 1);
        assert_eq!(repeated[0].outcome, RequestOutcome::Status(429));
        assert_eq!(repeated[0].iteration, retry.iteration);
        assert!(retry.intended < phase.start_ns + Nanos::from_secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_waits_at_once() {
    let stop = CancellationToken::new();
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        later.cancel();
    });
    let load = patient("users = 1\nduration = \"1h\"");
    let (phase, samples) = run_until(&load, 1, limited, &stop).await;
    assert_eq!(samples.last().unwrap().outcome, RequestOutcome::Status(429));
    assert!(phase.to_ns <= Nanos::from_millis(1010), "{phase:?}");
}

/// The server closes every third connection just when a request is sent on it.
#[tokio::test(start_paused = true)]
async fn an_idempotent_request_that_met_a_closing_connection_is_sent_once_more() {
    let load = "[[load]]\ntenant = \"acme\"\nusers = 1\nthink_time = \"1s\"\nduration = \"10s\"\n";
    let closes = |service: &mut Service| service.closes_every = Some(3);
    let put = JOURNEY.replace("post = \"/chat\"", "put = \"/chat\"");
    let samples = run_journey(&put, load, closes).await;
    let resent = RequestOutcome::NoResponse(NoResponseReason::Resent);
    let firsts: Vec<&Sample> = samples.iter().filter(|sample| sample.outcome == resent).collect();
    assert!(firsts.len() >= 2, "{samples:?}");
    for first in firsts {
        let second = samples.iter().find(|sample| sample.retry_of == Some(first.request)).unwrap();
        assert_eq!(second.outcome, RequestOutcome::Status(200));
        assert_eq!((second.intended, second.iteration), (first.intended, first.iteration));
        assert_eq!((second.request, second.replica), (first.request + 1, first.replica));
        assert!(first.done <= second.sent && !first.is_error() && !second.is_error());
    }
    let samples = run_journey(JOURNEY, load, closes).await;
    let closed = RequestOutcome::NoResponse(NoResponseReason::ClosedIdle);
    assert!(samples.iter().any(|sample| sample.outcome == closed));
    assert!(samples.iter().all(|sample| sample.retry_of.is_none()), "POST is not idempotent");
}
