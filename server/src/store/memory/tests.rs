//! Tests of the memory store on a paused clock, against the naive model.

use std::future::Future;

use proptest::prelude::*;

use super::*;
use crate::limiter::model::{Model, check, keyed_limits};

fn store() -> MemoryStore {
    MemoryStore::at(Duration::from_secs(1_700_000_000))
}

fn paused<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
}

#[tokio::test(start_paused = true)]
async fn a_session_expires_after_its_lifetime() {
    let store = store();
    store.create_session("s".to_owned(), Some(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_millis(59_999)).await;
    assert!(store.has_session("s") && store.decide("s", &[]).is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!store.has_session("s") && store.decide("s", &[]).is_none());
}

#[tokio::test(start_paused = true)]
async fn expired_entries_are_removed() {
    let store = store();
    let limits = keyed_limits(&[(1, 1, 0, 1), (2, 1, 1, 1), (3, 1, 2, 1), (4, 1, 3, 1), (5, 1, 4, 1)]);
    for index in 0..100_000 {
        store.create_session(index.to_string(), Some(Duration::from_secs(1)));
        let key = |keyed: &KeyedLimit| KeyedLimit { key: format!("{}:{index}", keyed.key), ..keyed.clone() };
        let limits: Vec<_> = limits.iter().map(key).collect();
        assert!(store.decide(&index.to_string(), &limits).unwrap().admitted());
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    let contents = store.lock();
    let stored = [contents.sessions.entries.len(), contents.limits.entries.len()];
    assert!(
        stored[0] <= MIN_SWEEP_SIZE && stored[1] <= MIN_SWEEP_SIZE,
        "few are alive, {stored:?} are stored"
    );
}

#[test]
fn a_rejection_by_one_limit_counts_in_no_other() {
    for (name, other) in (0..5).flat_map(|name| (0..5).map(move |other| (name, other))) {
        paused(async {
            let store = store();
            store.create_session("s".to_owned(), Some(Duration::from_secs(86_400)));
            let limits = keyed_limits(&[(3600, 1, name, 1), (7200, 5, other, 5)]);
            assert!(store.decide("s", &limits[..1]).unwrap().admitted());
            for _ in 0..3 {
                assert!(!store.decide("s", &limits).unwrap().admitted());
            }
            assert_eq!(store.lock().limits.entries.len(), 1);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn decisions_equal_those_of_the_naive_model(
        start in 0_u64..20_000_000_000,
        steps in prop::collection::vec(prop_oneof![Just(0), 0_u64..1_500_000_000, Just(500_000_000)], 1..120),
        short in (1_u32..4, 1_u32..6, 0_usize..5, 1_u32..9),
        long in prop::option::of((4_u32..9, 1_u32..12, 0_usize..5, 1_u32..15)),
    ) {
        paused(async {
            let limits = keyed_limits(&[Some(short), long].into_iter().flatten().collect::<Vec<_>>());
            let store = MemoryStore::at(Duration::from_secs(1_700_000_000) + Duration::from_nanos(start));
            store.create_session("s".to_owned(), Some(Duration::from_secs(86_400)));
            let mut models = Model::of(&limits);
            for step in steps {
                tokio::time::advance(Duration::from_nanos(step)).await;
                check(&mut models, &store.decide("s", &limits).unwrap())?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
