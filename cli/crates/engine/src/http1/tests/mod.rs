//! Tests of the HTTP/1.1 client: responses by table and by property, faults by a faulty server, and a
//! comparison with hyper.

mod cuts;
mod deadlines;
mod differential;
mod faults;
mod responses;
mod streams;

use super::decoder::{Decoder, EndedEarly};
use crate::exchange::{Request, Response};
use saasbench_model::units::Nanos;

/// Decodes `bytes`, split at `cuts` (rising positions) and followed by the end of the connection if needed:
/// the response, whether the connection persists, and how many bytes after the response are left.
fn decode(bytes: &[u8], cuts: &[usize], request: &Request) -> Result<(Response, bool, usize), EndedEarly> {
    let mut response = Response::default();
    let mut decoder = Decoder::new(request, Nanos::ZERO, &mut response);
    let (mut start, mut taken) = (0, 0);
    for (piece, end) in cuts.iter().copied().chain([bytes.len()]).enumerate() {
        let now = Nanos(piece as i64);
        if end > start {
            taken += decoder.decode(&bytes[taken..end], now, &mut response).map_err(EndedEarly::Malformed)?;
            start = end;
        }
        if decoder.is_done() {
            response.done = now;
            return Ok((response, decoder.keeps_alive(), bytes.len() - taken));
        }
    }
    decoder.finish(&bytes[taken..], Nanos::ZERO, &mut response)?;
    Ok((response, decoder.keeps_alive(), 0))
}

/// A request that needs head and body.
fn get() -> Request {
    Request { keep_head: true, keep_body: true, ..Request::default() }
}
