//! Reads HDR interval logs, as other programs do; for tests.

use base64::Engine as _;
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, interval_log},
};

/// Tags and histograms of a log's intervals.
pub(crate) fn read(log: &[u8]) -> Vec<(String, Histogram<u64>)> {
    let mut deserializer = Deserializer::new();
    let intervals = interval_log::IntervalLogIterator::new(log).filter_map(|entry| match entry.unwrap() {
        interval_log::LogEntry::Interval(interval) => {
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
            let histogram = deserializer.deserialize(&mut &bytes[..]).unwrap();
            Some((interval.tag().unwrap().as_str().to_owned(), histogram))
        }
        _ => None,
    });
    intervals.collect()
}
