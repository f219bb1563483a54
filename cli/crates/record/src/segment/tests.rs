//! Segments round-trip, and damaged ones are reported.

use super::*;
use crate::{
    sample::{LimiterHeaders, RequestOutcome},
    testing::sample,
};
use saasbench_model::{
    scenario::testing::{SCENARIO, scenario},
    units::Nanos,
};

fn any_sample() -> impl proptest::strategy::Strategy<Value = Sample> {
    use proptest::prelude::*;
    let outcome =
        (0..RequestOutcome::KINDS.len(), 100u16..600).prop_map(|(kind, status)| match RequestOutcome::KINDS
            [kind]
        {
            RequestOutcome::Status(_) => RequestOutcome::Status(status),
            other => other,
        });
    let limiter =
        (any::<Option<u32>>(), any::<Option<u32>>(), proptest::option::of(0.0..1e10), any::<Option<u32>>());
    let text = || proptest::option::of(".{0,9}");
    let fields = (text(), text(), text());
    let repeats = (any::<u32>(), any::<Option<u32>>(), proptest::option::of(Just(0_usize)));
    let at = || -1_i64 << 40..1 << 59;
    let times = (at(), at(), proptest::option::of(0..1_i64 << 57), 0..1_i64 << 58);
    (times, outcome, 0usize..2, proptest::option::of(".{0,20}"), (limiter, fields), repeats).prop_map(
        |(
            (intended, sent, first, took),
            outcome,
            replica,
            failed_check,
            ((limit, remaining, reset, retry), (policy, state, unread)),
            (request, retry_of, canary),
        )| {
            Sample {
                intended: Nanos(intended),
                sent: Nanos(sent),
                first_byte: first.map(|after| Nanos(sent + after.min(took))),
                done: Nanos(sent + took),
                failed_check,
                limiter: LimiterHeaders {
                    limit: limit.map(u64::from),
                    remaining: remaining.map(u64::from),
                    reset,
                    retry_after: retry.map(u64::from),
                    policy: policy.map(Into::into),
                    state: state.map(Into::into),
                    unread: unread.map(Into::into),
                },
                request: request.into(),
                connection: request / 2,
                retry_of: retry_of.map(u64::from),
                canary,
                ..sample(0, replica, outcome)
            }
        },
    )
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn samples_round_trip(samples in proptest::collection::vec(any_sample(), 1..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000001.parquet");
        let (scenario, replicas) = (scenario(SCENARIO), ["a".to_owned(), "b".to_owned()]);
        let names = Names::new(&scenario, &replicas);
        write(&path, &samples, &names, Checksum::default()).unwrap();
        proptest::prop_assert_eq!(read(&path, &names).unwrap().0.iter().collect::<Vec<_>>(), samples);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]
    #[test]
    fn runs_and_changes_of_names_round_trip(
        runs in proptest::collection::vec((0usize..300, 0usize..2, 1usize..40), 1..400),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000001.parquet");
        let text = SCENARIO.replace("id = \"acme\"", "pattern = \"t-1..t-300\"");
        let (scenario, replicas) = (scenario(&text), ["a".to_owned(), "b".to_owned()]);
        let names = Names::new(&scenario, &replicas);
        let samples: Vec<Sample> = runs
            .iter()
            .flat_map(|&(tenant, replica, times)| {
                std::iter::repeat_n((tenant, replica, times.is_multiple_of(3)), times)
            })
            .zip(0..)
            .map(|((tenant, replica, rejected), millis)| {
                let mut sample = sample(millis, replica, RequestOutcome::Status(if rejected { 429 } else { 200 }));
                sample.tenant = tenant;
                sample.first_byte = (!rejected).then_some(sample.done);
                sample.canary = rejected.then_some(tenant);
                sample.failed_check = (millis % 7 == 0).then(|| format!("wrong by {}", millis % 50));
                sample
            })
            .collect();
        // A segment that was written can be filled again.
        let mut segment = Growing::default();
        for _ in 0..2 {
            for samples in samples.chunks(100) {
                segment.add(&samples.iter().collect());
            }
            segment.write(&path, &names).unwrap();
            proptest::prop_assert_eq!(&read(&path, &names).unwrap().0.iter().collect::<Vec<_>>(), &samples);
        }
    }
}

#[test]
fn every_kind_of_outcome_has_its_number_and_its_words() {
    for (number, outcome) in RequestOutcome::KINDS.into_iter().enumerate() {
        assert_eq!(outcome.kind(), number as u32);
        let (kind, status, cause) = outcome.to_words();
        assert_eq!(RequestOutcome::from_words(kind, status, cause), Some(outcome));
    }
}

/// A segment of a few samples with all kinds of columns, and the names to read it by.
fn written(test: impl FnOnce(&Path, Vec<u8>, &Names<'_>)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("000001.parquet");
    let (scenario, replicas) = (scenario(SCENARIO), ["a".to_owned(), "b".to_owned()]);
    let names = Names::new(&scenario, &replicas);
    let samples: Vec<Sample> = (0..40)
        .map(|millis| Sample {
            failed_check: (millis % 7 == 0).then(|| format!("wrong by {millis}")),
            retry_of: (millis % 3 == 0).then_some(millis as u64),
            canary: (millis % 5 == 0).then_some(0),
            limiter: LimiterHeaders {
                limit: Some(5),
                reset: Some(millis as f64),
                ..LimiterHeaders::default()
            },
            ..sample(millis, millis as usize % 2, RequestOutcome::Status(200))
        })
        .collect();
    write(&path, &samples, &names, Checksum::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    test(&path, bytes, &names);
}

#[test]
fn no_changed_segment_is_decoded() {
    written(|_, whole, names| {
        assert_eq!(read_bytes(whole.clone(), names).unwrap().0.len(), 40);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            let error = read_bytes(changed, names).unwrap_err();
            assert!(error.contains("its checksum"), "byte {at}: {error}");
            assert!(read_bytes(whole[..at].to_vec(), names).unwrap_err().contains("its checksum"));
        }
    });
}

#[test]
fn a_damaged_segment_is_reported() {
    written(|path, whole, names| {
        std::fs::write(path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(read(path, names), Err(SegmentError::Damaged { .. })));
        std::fs::write(path, &whole).unwrap();
        let others = ["other".to_owned()];
        let error = read(path, &Names::new(names.scenario, &others)).unwrap_err().to_string();
        assert!(error.ends_with("row 0: replica `a` is not in the manifest"), "{error}");
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
        let error = read(path, names).unwrap_err().to_string();
        assert!(error.ends_with("damaged segment: it is not a file of the size of a segment"), "{error}");
    });
}

/// The reader of Parquet panics on some of these; only what has its checksum gets there.
#[test]
fn what_cannot_be_decoded_ends_in_an_error() {
    written(|_, whole, names| {
        let mut errors = 0;
        for at in (4..whole.len() - 8).step_by(3) {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            let _ = seal::seal(&mut changed);
            errors += usize::from(read_bytes(changed, names).is_err());
        }
        assert!(errors > whole.len() / 20, "{errors}");
    });
}

#[test]
fn impossible_samples_are_refused() {
    let good = sample(5, 0, RequestOutcome::Status(200));
    let impossible = [
        Sample { done: Nanos(3), ..good.clone() },
        Sample { first_byte: Some(Nanos(3)), ..good.clone() },
        Sample { first_byte: Some(good.done + Nanos(1)), ..good.clone() },
        Sample { intended: Nanos(i64::MAX), ..good.clone() },
        Sample { sent: Nanos(i64::MIN + 1), ..good.clone() },
        Sample { done: Nanos(1 << 60), ..good.clone() },
        Sample { load: 7, ..good.clone() },
        Sample { user: 0, ..good.clone() },
        Sample { request: u64::MAX, ..good.clone() },
        Sample { iteration: 1 << 63, ..good },
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("000001.parquet");
    let (scenario, replicas) = (scenario(SCENARIO), ["a".to_owned(), "b".to_owned()]);
    let names = Names::new(&scenario, &replicas);
    let refused = impossible.map(|sample| {
        write(&path, &[sample], &names, Checksum::default()).unwrap();
        read(&path, &names).unwrap_err().to_string().split_once("segment: ").unwrap().1.to_owned()
    });
    insta::assert_snapshot!(refused.join("\n"));
}
