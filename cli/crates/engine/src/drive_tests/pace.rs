//! Loads that are paused, slowed down and sped up while they run.

use super::*;
use crate::rate_control::RateControl;

/// Changes of the pace: seconds after the load's start, and the change.
type Changes = Vec<(f64, fn(&RateControl, Nanos))>;

/// Runs a load with these changes of its pace.
async fn run_paced(workers: usize, loads: &str, changes: Changes) -> (LoadPhase, Vec<Sample>) {
    let clock = RunClock::start();
    let service = Arc::new(Service::new(clock));
    let rate_control = RateControl::default();
    let setup = setup(&format!("{JOURNEY}{loads}"), 1, clock, None).paced_by(rate_control.subscribe());
    let begin = clock.now();
    let changing = tokio::spawn(async move {
        for (seconds, change) in changes {
            let at = begin + Nanos::from_secs_f64(seconds);
            tokio::time::sleep_until(clock.instant(at)).await;
            change(&rate_control, at);
        }
        // The rate control exists to the end, as in a run.
        std::future::pending::<()>().await;
    });
    let ran =
        drive(setup, (0..workers).map(|_| Arc::clone(&service)).collect(), &CancellationToken::new()).await;
    changing.abort();
    ran
}

/// When the iterations were due, in milliseconds from the start, in order.
fn due(phase: LoadPhase, samples: &[Sample]) -> Vec<i64> {
    let mut due: Vec<i64> =
        chats(samples).iter().map(|sample| (sample.intended - phase.start_ns).0 / 1_000_000).collect();
    due.sort_unstable();
    due
}

/// `due` with everything from `from` on delayed by `by`; in milliseconds.
fn shifted(due: &[i64], from: i64, by: i64) -> Vec<i64> {
    due.iter().map(|due| if *due >= from { due + by } else { *due }).collect()
}

/// Fails unless both have the same length and differ by at most a few milliseconds: tokio's timers are up to
/// one late.
#[track_caller]
fn assert_near(found: &[i64], expected: &[i64]) {
    let near = found.iter().zip(expected).all(|(found, due)| (found - due).abs() <= 3);
    assert!(near && found.len() == expected.len(), "{found:?}\n{expected:?}");
}

const OPEN: &str = "[[load]]\ntenant = \"acme\"\nrate = \"10/s\"\nduration = \"2s\"";

#[tokio::test(start_paused = true)]
async fn a_pause_delays_the_rest_of_an_open_load() {
    let changes: Changes = vec![(1.05, RateControl::pause), (4.05, RateControl::pause)];
    for workers in [1, 3] {
        let (phase, samples) = run_paced(workers, OPEN, changes.clone()).await;
        let expected: Vec<i64> = (0..20).map(|k| 100 * k + if k > 10 { 3000 } else { 0 }).collect();
        // The start steps take 10 ms before the load starts, and tokio's timers are up to a millisecond late.
        let near = due(phase, &samples).iter().zip(&expected).all(|(found, due)| (found - due).abs() <= 15);
        assert!(near && samples.iter().all(|sample| sample.latency_intended() < Nanos::from_millis(25)));
        assert_eq!(due(phase, &samples).len(), 20);
        let mut numbers: Vec<u64> = chats(&samples).iter().map(|sample| sample.iteration).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_load_changes_its_rate_but_not_its_duration() {
    let faster: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, 10);
    let slower: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, -15);
    for workers in [1, 2] {
        let (phase, samples) = run_paced(workers, OPEN, vec![(0.5, faster), (1.5, slower)]).await;
        let due = due(phase, &samples);
        let count = |from, to| due.iter().filter(|due| (from..to).contains(*due)).count();
        // 10/s, then 20/s, then 5/s.
        assert!((4..=6).contains(&count(0, 490)), "{due:?}");
        assert!((18..=22).contains(&count(490, 1490)), "{due:?}");
        assert!((2..=3).contains(&count(1490, 2000)), "{due:?}");
        assert_eq!(count(0, 2000), due.len());
        let mut numbers: Vec<u64> = chats(&samples).iter().map(|sample| sample.iteration).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=due.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_load_that_was_nearly_stopped_continues_when_it_is_sped_up() {
    let slower: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, -9);
    let faster: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, 9);
    for workers in [1, 3] {
        let (phase, samples) = run_paced(workers, OPEN, vec![(0.56, slower), (1.51, faster)]).await;
        // The start steps take 10 ms: by 0.55 s of the load 5.5 arrivals are due, one more at a tenth of the
        // rate by 1.05 s. At that rate the next one would be due after the end; by 1.5 s 6.45 are.
        let expected = [0, 100, 200, 300, 400, 500, 1050, 1555, 1655, 1755, 1855, 1955];
        assert_near(&due(phase, &samples), &expected);
        let numbers: std::collections::BTreeSet<u64> = chats(&samples).iter().map(|s| s.iteration).collect();
        assert_eq!(numbers, (1..=12).collect());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_load_ends_by_the_plan_for_any_number_of_workers() {
    let slower: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, -9);
    for (workers, changes) in [(1, vec![]), (3, vec![]), (3, vec![(0.5, slower)])] {
        let (phase, _) = run_paced(workers, OPEN, changes).await;
        let lasted = (phase.to_ns - phase.start_ns).as_millis_f64();
        assert!((2000.0..2003.0).contains(&lasted), "{lasted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_before_the_load_counts_from_its_start() {
    let late: fn(&RateControl, Nanos) = RateControl::pause;
    // The start steps take 10 ms before the load starts.
    for (changes, expected) in
        [(vec![(0.001, late), (0.005, late)], 0), (vec![(0.001, late), (1.01, late)], 1000)]
    {
        let (phase, samples) = run_paced(1, OPEN, changes).await;
        let planned: Vec<i64> = (0..20).map(|k| 100 * k).collect();
        assert_near(&due(phase, &samples), &shifted(&planned, 0, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_keeps_the_distances_between_closed_users() {
    for spacing in ["pacing = \"1s\"", "think_time = \"1s\"", "think_time = \"500ms..2s\""] {
        let load = format!("[[load]]\nusers = 4\nspawn_rate = \"4/s\"\n{spacing}\nduration = \"6s\"");
        let (phase, samples) = run_paced(1, &load, vec![]).await;
        let planned = due(phase, &samples);
        for (from, to) in [(2.105, 7.105), (0.4, 3.4)] {
            let (phase, samples) =
                run_paced(1, &load, vec![(from, RateControl::pause), (to, RateControl::pause)]).await;
            let from = (from * 1e3) as i64;
            assert_near(&due(phase, &samples), &shifted(&planned, from, ((to * 1e3) as i64) - from));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn closed_users_wait_during_a_pause_and_continue_after_it() {
    let load = "[[load]]\nusers = 4\nthink_time = \"100ms\"\nduration = \"2s\"";
    let (phase, samples) =
        run_paced(2, load, vec![(1.0, RateControl::pause), (6.0, RateControl::pause)]).await;
    let due = due(phase, &samples);
    assert!(!due.iter().any(|due| (1_020..5_990).contains(due)), "{due:?}");
    let after = due.iter().filter(|due| **due >= 5_990).count();
    assert!(after >= 4 * 7 && *due.last().unwrap() < 7_020, "{due:?}");
    // No latency includes the pause.
    assert!(samples.iter().all(|sample| sample.latency_intended() < Nanos::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn a_lower_factor_keeps_the_first_closed_users_active() {
    let load = "[[load]]\nusers = 4\nthink_time = \"100ms\"\nduration = \"3s\"";
    let half: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, -5);
    let all: fn(&RateControl, Nanos) = |rate_control, at| rate_control.step(at, 5);
    let (phase, samples) = run_paced(1, load, vec![(1.0, half), (2.0, all)]).await;
    let users = |from: i64, to: i64| {
        let span = phase.start_ns + Nanos::from_millis(from)..phase.start_ns + Nanos::from_millis(to);
        let users: std::collections::BTreeSet<u64> = chats(&samples)
            .iter()
            .filter(|sample| span.contains(&sample.intended))
            .map(|sample| sample.user)
            .collect();
        users.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(users(0, 990), [1, 2, 3, 4]);
    assert_eq!(users(1_020, 1_980), [1, 2]);
    assert_eq!(users(1_990, 3_000), [1, 2, 3, 4]);
}
