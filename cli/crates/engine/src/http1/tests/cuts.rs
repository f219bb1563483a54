//! However a response is split, the result is the same.

use proptest::{collection::vec, prelude::*};

use super::*;

/// A response of any framing, perhaps after informational ones, with bytes after it, or damaged.
pub(super) fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        Just("Server: nginx".to_owned()),
        Just("X-RateLimit-Limit: 8".to_owned()),
        Just("Retry-After: 7".to_owned()),
        Just("Connection: close".to_owned()),
        Just("Connection: keep-alive".to_owned()),
        Just("RateLimit: \"a\";r=1".to_owned()),
        "[A-Za-z-]{1,12}:[ \t]{0,2}[ -~]{0,20}",
    ];
    let informational =
        prop_oneof![Just(""), Just("HTTP/1.1 100 Continue\r\n\r\n"), Just("HTTP/1.1 103 H\r\na: b\r\n\r\n")];
    let status = prop_oneof![6 => Just(200u16), 1 => Just(204), 1 => Just(304), 2 => 200u16..600];
    let version = prop_oneof![5 => Just("1.1"), 1 => Just("1.0")];
    let body = vec(vec(any::<u8>(), 1..40), 0..5);
    let behind = prop_oneof![4 => Just(&b""[..]), 1 => Just(&b"HTTP/1.1 200"[..])];
    (informational, version, status, vec(field, 0..6), 0..3u8, body, behind).prop_map(
        |(informational, version, status, fields, framing, body, behind)| {
            let mut bytes = informational.as_bytes().to_vec();
            bytes.extend_from_slice(format!("HTTP/{version} {status} Reason\r\n").as_bytes());
            for field in fields {
                bytes.extend_from_slice(format!("{field}\r\n").as_bytes());
            }
            match framing {
                0 => {
                    let length: usize = body.iter().map(Vec::len).sum();
                    bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
                    bytes.extend(body.iter().flatten());
                }
                1 => {
                    bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                    for chunk in &body {
                        bytes.extend_from_slice(format!("{:x};e=1\r\n", chunk.len()).as_bytes());
                        bytes.extend_from_slice(chunk);
                        bytes.extend_from_slice(b"\r\n");
                    }
                    bytes.extend_from_slice(b"0\r\nX-Sum: 1\r\n\r\n");
                }
                _ => {
                    bytes.extend_from_slice(b"\r\n");
                    bytes.extend(body.iter().flatten());
                }
            }
            bytes.extend_from_slice(behind);
            bytes
        },
    )
}

/// A response with up to three bytes changed, and perhaps truncated.
pub(super) fn any_damaged_answer() -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (any_answer(), damage, proptest::option::of(any::<prop::sample::Index>())).prop_map(
        |(mut bytes, damage, end)| {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(end) = end {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

/// An outcome without what depends on the split: the instants, the order in which two errors are found, and
/// how much of what follows the response had been received.
fn essence(bytes: &[u8], cuts: &[usize], request: &Request) -> Result<(Response, bool), bool> {
    match decode(bytes, cuts, request) {
        Ok((response, keeps_alive, _)) => {
            Ok((Response { first_byte: Nanos::ZERO, done: Nanos::ZERO, ..response }, keeps_alive))
        }
        Err(end) => Err(end == EndedEarly::Truncated),
    }
}

fn assert_same(whole: &Result<(Response, bool), bool>, cut: &Result<(Response, bool), bool>) {
    assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_split_decodes_alike(
        bytes in any_damaged_answer(),
        is_head in prop::bool::weighted(0.2),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let request = Request { is_head, ..get() };
        let whole = essence(&bytes, &[], &request);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        assert_same(&whole, &essence(&bytes, &cuts, &request));
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_same(&whole, &essence(&bytes, &every, &request));
    }
}
