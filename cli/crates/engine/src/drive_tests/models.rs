//! Load models under the engine: exact instants, equal for any number of workers.

use super::*;
use saasbench_model::{
    plan::arrivals::Arrivals,
    scenario::{Spacing, Stage},
};

/// A sent request: user (0 if any idle user takes it), iteration, tenant, and when it was due, from the
/// start.
type Planned = (u64, u64, usize, Nanos);

/// Runs a load with one, two and three workers, which must send the same requests; start steps have iteration
/// 0.
async fn planned(load: &str, delay: Duration) -> Vec<Planned> {
    let mut first = None;
    for workers in 1..=3 {
        let change = |service: &mut Service| service.delay = delay;
        let stop = CancellationToken::new();
        let (phase, samples) = run_with_workers(workers, load, 1, change, &stop).await;
        let is_open = load.contains("rate");
        let counted = samples.iter().filter(|sample| !is_open || sample.iteration > 0);
        let user = |sample: &Sample| if is_open { 0 } else { sample.user };
        let mut planned: Vec<Planned> =
            counted.map(|s| (user(s), s.iteration, s.tenant, s.intended - phase.start_ns)).collect();
        planned.sort_by_key(|&(user, iteration, _, due)| (due, user, iteration));
        assert_eq!(*first.get_or_insert(planned.clone()), planned, "{workers} workers");
    }
    first.unwrap()
}

/// When iterations were due, in seconds.
fn seconds(planned: &[Planned]) -> Vec<f64> {
    planned.iter().filter(|planned| planned.1 > 0).map(|planned| planned.3.as_secs_f64()).collect()
}

/// When the start steps and the iterations of one user (from 1) were due, in seconds.
fn of_user(planned: &[Planned], user: u64) -> (Vec<f64>, Vec<f64>) {
    let of_user: Vec<Planned> = planned.iter().copied().filter(|planned| planned.0 == user).collect();
    let (starts, iterations): (Vec<Planned>, Vec<Planned>) =
        of_user.into_iter().partition(|planned| planned.1 == 0);
    let due = |planned: Vec<Planned>| planned.iter().map(|planned| planned.3.as_secs_f64()).collect();
    (due(starts), due(iterations))
}

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn arrivals_follow_ramps_and_jumps() {
    let load = "[[load]]\nstages = [{ for = \"4s\", rate = \"2/s\" }, { for = \"1s\", rate = \"4/s\", jump = true }, { for = \"3s\", rate = \"0/s\", jump = true }, { for = \"1s\", rate = \"1/s\", jump = true }]";
    let planned = planned(load, AT_ONCE).await;
    assert_eq!(seconds(&planned), [0.0, 2.0, 2.828_427_125, 3.464_101_615, 4.0, 4.25, 4.5, 4.75, 8.0]);
    let iterations: Vec<u64> = planned.iter().map(|planned| planned.1).collect();
    assert_eq!(iterations, (1..=9).collect::<Vec<_>>());
    assert!(planned.iter().all(|&(_, iteration, tenant, _)| tenant == (iteration as usize - 1) % 2));
}

#[tokio::test(start_paused = true)]
async fn random_arrivals_come_when_the_plan_says() {
    let load = "[[load]]\narrivals = \"poisson\"\nrate = \"40/s\"\nmax_users = 100\nduration = \"5s\"";
    let stage = Stage { length: Nanos::from_secs(5), from: 40.0, to: 40.0 };
    let due: Vec<f64> = Arrivals::new(&[stage], Spacing::Poisson, 1, 0).map(Nanos::as_secs_f64).collect();
    assert_eq!(seconds(&planned(load, Duration::from_millis(20)).await), due);
    // A bound on the iterations selects the first of them.
    let bounded = planned(&format!("{load}\niterations = 50"), AT_ONCE).await;
    assert_eq!(seconds(&bounded), due[..50]);
}

#[tokio::test(start_paused = true)]
async fn users_follow_the_stages_and_run_their_start_steps_again() {
    let load = "[[load]]\nthink_time = \"1s\"\nstages = [{ for = \"4s\", users = 2 }, { for = \"4s\", users = 0 }, { for = \"3s\", users = 2, jump = true }]";
    let planned = planned(load, AT_ONCE).await;
    let by_seconds = |from: u64, to: u64| (from..to).map(|second| second as f64).collect::<Vec<_>>();
    // The first is present from 0 to 8, and again from then on; the second from 2 to 6, and from 8.
    assert_eq!(of_user(&planned, 1), (vec![0.0], by_seconds(0, 11)));
    assert_eq!(of_user(&planned, 2), (vec![2.0, 8.0], vec![2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 10.0]));
    assert_eq!(planned.iter().map(|planned| planned.0).max(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_leaves_completes_its_iteration() {
    let steps = "[[journey.step]]\nget = \"/second\"\n";
    let load = "[[load]]\nusers = 2\ngraceful_stop = \"0s\"\nstages = [{ for = \"5s\", users = 2 }, { for = \"10s\", users = 1, jump = true }]";
    let planned = planned(&format!("{steps}{load}"), Duration::from_secs(2)).await;
    // Its second step is due at 4 and done at 6; nothing follows. The other continues, and is stopped after
    // 15 s.
    assert_eq!(of_user(&planned, 2), (vec![0.0], vec![2.0, 4.0]));
    assert_eq!(of_user(&planned, 1), (vec![0.0], vec![2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]));
}

#[tokio::test(start_paused = true)]
async fn running_iterations_are_stopped_between_steps() {
    let steps = "[[journey.step]]\nget = \"/second\"\n[[journey.step]]\nget = \"/third\"\n";
    let delay = Duration::from_secs(1);
    let table: [(&str, &[f64], &[f64]); 4] = [
        ("", &[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0]),
        ("graceful_stop = \"2s\"", &[1.0, 2.0, 3.0], &[3.0, 4.0]),
        ("graceful_stop = \"1s\"", &[1.0, 2.0, 3.0], &[3.0]),
        ("graceful_stop = \"0s\"", &[1.0, 2.0], &[]),
    ];
    for (stop, of_closed, late_of_open) in table {
        let closed = format!("{steps}[[load]]\nusers = 1\nduration = \"2500ms\"\n{stop}");
        assert_eq!(of_user(&planned(&closed, delay).await, 1), (vec![0.0], of_closed.to_vec()), "{stop}");
        // Three arrivals; the last needs a user that has to start first, and continues from 3 s.
        let open = format!("{steps}[[load]]\nrate = \"1/s\"\nduration = \"2500ms\"\n{stop}");
        let mut due = seconds(&planned(&open, delay).await);
        due.retain(|due| *due >= 2.5);
        assert_eq!(due, late_of_open, "{stop}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pacing_runs_from_start_to_start() {
    let load = "[[load]]\nusers = 2\npacing = \"1s\"\nduration = \"5s\"";
    let quick = planned(load, Duration::from_millis(300)).await;
    for user in [1, 2] {
        assert_eq!(of_user(&quick, user), (vec![0.0], vec![0.3, 1.3, 2.3, 3.3, 4.3]));
    }
    // After an overrun the next iteration starts at once; there is no catching up.
    let slow = planned(load, Duration::from_millis(1500)).await;
    assert_eq!(of_user(&slow, 1), (vec![0.0], vec![1.5, 3.0, 4.5]));
}

#[tokio::test(start_paused = true)]
async fn random_pauses_do_not_depend_on_workers() {
    for pause in ["exp 500ms", "200ms..800ms"] {
        let load = format!(
            "[[load]]\nusers = 5\nspawn_rate = \"2/s\"\nthink_time = \"{pause}\"\nduration = \"20s\""
        );
        let planned = planned(&load, Duration::from_millis(10)).await;
        // Five users for 18 s on average, each half a second apart and a little more.
        assert!((100..260).contains(&planned.len()), "{pause}: {}", planned.len());
    }
}

#[tokio::test(start_paused = true)]
async fn each_user_has_its_share_of_the_iterations() {
    let planned = planned("[[load]]\nusers = 3\nthink_time = \"1s\"\niterations = 7", AT_ONCE).await;
    let mut numbers: Vec<(u64, u64)> =
        planned.iter().filter(|planned| planned.1 > 0).map(|planned| (planned.1, planned.0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [(1, 1), (2, 2), (3, 3), (4, 1), (5, 2), (6, 3), (7, 1)]);
}

#[tokio::test(start_paused = true)]
async fn iterations_end_a_load_even_if_no_user_can_start() {
    let load = "[[load]]\nusers = 3\niterations = 7";
    let (phase, samples) = run(load, 1, |service| service.unreachable = true).await;
    assert_eq!(samples.len(), 7);
    assert!(phase.to_ns - phase.start_ns < Nanos::from_secs(1));
}
