//! Decodes any bytes as a response: nothing panics, and the result does not depend on how the bytes are
//! split.
//!
//! An input consists of a byte of flags, a byte with the number of pieces, the length of each piece, and the
//! response.

#![no_main]

use libfuzzer_sys::fuzz_target;
use saasbench_engine::{exchange::{Response, BODY_KEPT, Request}, http1::decoder::{Decoder, EndedEarly}};
use saasbench_model::units::Nanos;

/// The result, which must not depend on the pieces: a response and whether the connection stays open, or
/// whether it was truncated.
type Essence = Result<(Response, bool), bool>;

fn decode(bytes: &[u8], pieces: &mut dyn Iterator<Item = usize>, request: &Request) -> Essence {
    let mut response = Response::default();
    let mut decoder = Decoder::new(request, Nanos::ZERO, &mut response);
    let (mut end, mut taken) = (0, 0);
    while end < bytes.len() && !decoder.is_done() {
        end = pieces.next().map_or(bytes.len(), |piece| bytes.len().min(end + piece.max(1)));
        match decoder.decode(&bytes[taken..end], Nanos::ZERO, &mut response) {
            Ok(more) => taken += more,
            Err(_) => return Err(false),
        }
        assert!(taken <= end);
    }
    if !decoder.is_done() {
        decoder
            .finish(&bytes[taken..], Nanos::ZERO, &mut response)
            .map_err(|end| end == EndedEarly::Truncated)?;
    }
    assert!(decoder.is_done());
    check(&response, request);
    Ok((response, decoder.keeps_alive()))
}

/// Asserts what holds for every response.
fn check(response: &Response, request: &Request) {
    assert!((200..1000).contains(&response.status));
    if request.is_head || matches!(response.status, 204 | 304) {
        assert_eq!(response.body_bytes, 0);
    }
    let kept = if request.keep_body { response.body_bytes.min(BODY_KEPT as u64) } else { 0 };
    assert_eq!(response.body.len() as u64, kept);
    assert!(request.keep_head || response.head.is_empty());
    assert!(response.head.is_empty() || response.head.ends_with(b"\r\n"));
}

fn assert_same(one: &Essence, other: &Essence) {
    let ((one, keeps_alive), (other, still)) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(one), Err(other)) => return assert_eq!(one, other),
        _ => panic!("{one:?}\n{other:?}"),
    };
    assert_eq!((one.status, one.body_bytes, keeps_alive), (other.status, other.body_bytes, still));
    assert!(one.head == other.head && one.body == other.body);
    // Compared as text, where NaN equals NaN.
    let limiter = |response: &Response| format!("{:?} {:?}", response.limiter, response.retry_after);
    assert_eq!(limiter(one), limiter(other));
}

fuzz_target!(|data: &[u8]| {
    let Some(([flags, count], rest)) = data.split_first_chunk() else { return };
    let Some((pieces, bytes)) = rest.split_at_checked(usize::from(*count & 15)) else { return };
    let request = Request {
        is_head: flags & 1 > 0,
        keep_head: flags & 2 == 0,
        keep_body: flags & 4 == 0,
        ..Request::default()
    };
    let whole = decode(bytes, &mut std::iter::empty(), &request);
    let cut = decode(bytes, &mut pieces.iter().copied().map(usize::from), &request);
    assert_same(&whole, &cut);
    let byte_by_byte = decode(bytes, &mut std::iter::repeat(1), &request);
    assert_same(&whole, &byte_by_byte);
});
