//! Changes a segment of samples: no changed segment is decoded. Where the checksum is made to match again, as in
//! a file that something else has written, reading it ends in samples that can be written again or in an error,
//! never in a panic.
//!
//! An input is a list of changes of four bytes: the place, what is added to the byte there, and whether the rest
//! is cut off.

#![no_main]

use std::sync::{LazyLock, Once};

use libfuzzer_sys::fuzz_target;
use saasbench_model::scenario::{
    Scenario,
    testing::{SCENARIO, scenario},
};
use saasbench_record::{
    checksum::Checksum,
    sample::{LimiterHeaders, RequestOutcome, Sample},
    segment::{Names, read_bytes, reseal, write},
    testing::sample,
};

static MADE: LazyLock<(Scenario, Vec<String>, Vec<u8>)> = LazyLock::new(|| {
    let (scenario, replicas) = (scenario(SCENARIO), vec!["a".to_owned(), "b".to_owned()]);
    let samples: Vec<Sample> = (0..60)
        .map(|millis| Sample {
            failed_check: (millis % 7 == 0).then(|| format!("wrong by {millis}")),
            retry_of: (millis % 3 == 0).then_some(millis as u64),
            canary: (millis % 5 == 0).then_some(0),
            limiter: LimiterHeaders { limit: Some(5), reset: Some(millis as f64), ..LimiterHeaders::default() },
            ..sample(millis, millis as usize % 2, RequestOutcome::Status(200 + (millis % 3) as u16))
        })
        .collect();
    let path = std::env::temp_dir().join(format!("saasbench-fuzz-{}.parquet", std::process::id()));
    write(&path, &samples, &Names::new(&scenario, &replicas), Checksum::default()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(path);
    (scenario, replicas, bytes)
});

fuzz_target!(|data: &[u8]| {
    // The fuzzer aborts at any panic, but one within the library becomes an error; others still abort.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let (scenario, replicas, whole) = &*MADE;
    let names = Names::new(scenario, replicas);
    let mut changed = whole.clone();
    for change in data.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len().max(1);
        if let Some(byte) = changed.get_mut(at) {
            *byte = byte.wrapping_add(change[2]);
        }
        if change[3] == 0xff {
            changed.truncate(at);
        }
    }
    assert_eq!(read_bytes(changed.clone(), &names).is_ok(), changed == *whole, "a changed segment was decoded");
    assert!(read_bytes(data.to_vec(), &names).is_err());
    reseal(&mut changed);
    if let Ok((batch, _)) = read_bytes(changed, &names) {
        assert!(batch.iter().count() == batch.len());
    }
});
