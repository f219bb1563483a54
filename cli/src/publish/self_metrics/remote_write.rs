//! Samples in the format of Prometheus's remote write 1.0: a protobuf message in one Snappy block
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>).

use prost::Message;

use super::page::Sample;

/// Maximum number of series per request, which stays below a limit of one megabyte.
const SERIES: usize = 5_000;
/// The value that ends a series: a special NaN, defined in Prometheus's `model/value`.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A write request; the tags are those of Prometheus's `prompb/remote.proto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
}

/// One series with its samples.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    /// Sorted by name, including `__name__`.
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Value>,
}

/// A label.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// A value at an instant.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

/// The bodies of the requests for these samples, all at one instant (in milliseconds since the epoch), with
/// additional labels `more`. With `ends`, the series end there instead.
pub(super) fn bodies(samples: &[Sample], more: &[(&str, &str)], at_ms: i64, ends: bool) -> Vec<Vec<u8>> {
    let series = |sample: &Sample| {
        let label = |(name, value): (&str, &str)| Label { name: name.to_owned(), value: value.to_owned() };
        let own = sample.labels.iter().map(|(name, value)| label((name, value)));
        let named = std::iter::once(label(("__name__", &sample.name)));
        // A label with an empty value is the same as none.
        let mut labels: Vec<Label> = named
            .chain(own)
            .chain(more.iter().copied().map(label))
            .filter(|label| !label.value.is_empty())
            .collect();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        // The sample's own labels come first, and take precedence.
        labels.dedup_by(|later, kept| later.name == kept.name);
        let value = if ends { f64::from_bits(STALE) } else { sample.value };
        TimeSeries { labels, samples: vec![Value { value, timestamp: at_ms }] }
    };
    samples
        .chunks(SERIES)
        .filter_map(|chunk| {
            let message = WriteRequest { timeseries: chunk.iter().map(series).collect() }.encode_to_vec();
            // Fails only for messages of 4 GiB and more.
            snap::raw::Encoder::new().compress_vec(&message).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &[u8]) -> WriteRequest {
        WriteRequest::decode(&*snap::raw::Decoder::new().decompress_vec(body).unwrap()).unwrap()
    }

    fn sample(name: &str, value: f64) -> Sample {
        let labels =
            vec![("tenant", "acme".to_owned()), ("journey", String::new()), ("scenario", "own".to_owned())];
        Sample { name: name.to_owned(), labels, value }
    }

    #[test]
    fn labels_are_sorted_and_messages_are_encoded_as_specified() {
        let more = [("run", "1"), ("job", "saasbench"), ("scenario", "other")];
        let [body] = &*bodies(&[sample("hits", 2.5)], &more, 1_500, false) else { panic!() };
        let request = decoded(body);
        let labels =
            request.timeseries[0].labels.iter().map(|label| format!("{}={}", label.name, label.value));
        assert_eq!(
            labels.collect::<Vec<_>>(),
            ["__name__=hits", "job=saasbench", "run=1", "scenario=own", "tenant=acme"]
        );
        assert_eq!(request.timeseries[0].samples, [Value { value: 2.5, timestamp: 1_500 }]);
        // Encoded by hand from the specification: field 1 of the request, fields 1 and 2 of the series, and
        // so on.
        let least = Sample { name: "a".to_owned(), labels: Vec::new(), value: 1.0 };
        let [body] = &*bodies(&[least], &[], 3, false) else { panic!() };
        let bytes = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let expected = [
            &[0x0a, 28, 0x0a, 13, 0x0a, 8][..],
            b"__name__",
            &[0x12, 1],
            b"a",
            &[0x12, 11, 0x09],
            &1.0_f64.to_le_bytes(),
            &[0x10, 3],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn many_series_take_several_requests_and_end_with_a_stale_nan() {
        let samples: Vec<Sample> = (0..SERIES + 1).map(|i| sample(&format!("m{i}"), 1.0)).collect();
        let bodies = bodies(&samples, &[], 0, true);
        let counts: Vec<usize> = bodies.iter().map(|body| decoded(body).timeseries.len()).collect();
        assert_eq!(counts, [SERIES, 1]);
        assert_eq!(decoded(&bodies[1]).timeseries[0].samples[0].value.to_bits(), STALE);
    }
}
