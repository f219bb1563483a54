//! Requests and responses in `h2`'s form: heads in the types of `http`, bodies in pieces.

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderName, HeaderValue, Method, Uri};

use crate::{
    exchange::{BODY_KEPT, Request, Response},
    limiter_fields::LimiterFields,
};
use saasbench_model::units::Nanos;

/// The most fields of a request.
const FIELDS: usize = 128;

/// Fields that HTTP/1.1 uses for the connection: HTTP/2 has none of them (RFC 9113, 8.2.2). `host` becomes
/// `:authority`.
const OF_CONNECTIONS: [&str; 6] =
    ["connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Converts the head of a request that was rendered for HTTP/1.1; `None` if it is invalid.
pub(super) fn request(request: &Request, scheme: &str) -> Option<http::Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let complete = parsed.parse(request.bytes.get(..request.body_at)?).ok()?.is_complete();
    let (Some(method), Some(path), true) = (parsed.method, parsed.path, complete) else { return None };
    let host = parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case("host"))?.value;
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build().ok()?;
    let mut head = http::Request::new(());
    *head.version_mut() = http::Version::HTTP_2;
    *head.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *head.uri_mut() = uri;
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if !OF_CONNECTIONS.contains(&name.as_str()) {
            head.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
    }
    Some(head)
}

/// Converts the head of a response whose first byte has arrived, and returns its body.
pub(super) fn read_head(
    received: http::Response<RecvStream>,
    request: &Request,
    zero_unix: Nanos,
    response: &mut Response,
) -> RecvStream {
    let (head, body) = received.into_parts();
    response.status = head.status.as_u16();
    response.head.clear();
    response.body.clear();
    response.body_bytes = 0;
    response.limiter = Default::default();
    let mut limiter = LimiterFields::default();
    for (name, value) in &head.headers {
        limiter.note(name.as_str().as_bytes(), value.as_bytes(), response);
        if request.keep_head {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                response.head.extend_from_slice(part);
            }
        }
    }
    limiter.finish(zero_unix, response);
    body
}

/// Reads the body of a response to its end, and keeps it if it is needed.
pub(super) async fn read_body(
    mut incoming: RecvStream,
    keep: bool,
    response: &mut Response,
) -> Result<(), h2::Error> {
    while let Some(piece) = incoming.data().await {
        let piece: Bytes = piece?;
        response.body_bytes += piece.len() as u64;
        if keep {
            let left = BODY_KEPT - response.body.len();
            response.body.extend_from_slice(piece.get(..left).unwrap_or(&piece));
        }
        incoming.flow_control().release_capacity(piece.len())?;
    }
    // The trailer section can still fail, and with it the response.
    incoming.trailers().await.map(|_| ())
}
