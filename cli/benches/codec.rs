//! Time to decode an HTTP/1.1 response: a small one from nginx, a chat response from `tenancy` with its
//! rate-limit headers, and the same with chunked encoding.
//!
//!     cargo bench -p saasbench --bench codec

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saasbench_engine::{
    exchange::{Request, Response},
    http1::decoder::Decoder,
};
use saasbench_model::units::Nanos;

const NGINX: &str = "HTTP/1.1 200 OK\r\n\
    Server: nginx/1.26.3\r\n\
    Date: Sat, 21 Nov 2026 07:34:35 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 117\r\n\
    Last-Modified: Sat, 21 Nov 2026 06:00:00 GMT\r\n\
    Connection: keep-alive\r\n\
    ETag: \"65a1b2c3-75\"\r\n\
    Accept-Ranges: bytes\r\n\
    \r\n\
    {\"id\":\"0123456789abcdef\",\"tenant\":\"acme\",\"state\":\"ready\",\"created\":\"2026-11-21T06:00:00Z\",\"items\":[1,2,3,4],\"n\":1234}";

const CHAT: &str = "HTTP/1.1 200 OK\r\n\
    x-ratelimit-limit: 8\r\n\
    x-ratelimit-remaining: 7\r\n\
    x-ratelimit-reset: 1795246485.985\r\n\
    ratelimit-policy: \"chat\";q=8;w=10\r\n\
    ratelimit: \"chat\";r=7;t=10\r\n\
    content-type: application/json\r\n\
    content-length: 149\r\n\
    date: Sat, 21 Nov 2026 07:34:35 GMT\r\n\
    \r\n\
    {\"tenant_id\":\"acme\",\"session_id\":\"Yh-EWuPAL5BbCBh8kxKmAmFjbWU\",\"reply\":\"Welcome to acme! We received: How are you today?\",\"model\":\"mock\",\"mock\":true}";

const CHUNKED: &str = "HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    transfer-encoding: chunked\r\n\
    date: Sat, 21 Nov 2026 07:34:35 GMT\r\n\
    \r\n\
    40\r\n\
    {\"tenant_id\":\"acme\",\"session_id\":\"Yh-EWuPAL5BbCBh8kxKmAmFjbWU\",\"\r\n\
    41\r\n\
    reply\":\"Welcome to acme! We received: How are you today?\",\"model\"\r\n\
    14\r\n\
    :\"mock\",\"mock\":true}\r\n\
    0\r\n\
    \r\n";

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, bytes, keep_body) in [
        ("nginx, 117 bytes", NGINX, false),
        ("chat with limiter fields", CHAT, false),
        ("chat with limiter fields, body kept", CHAT, true),
        ("chat in chunks, body kept", CHUNKED, true),
    ] {
        let request = Request { keep_body, ..Request::default() };
        let mut response = Response::default();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut decoder = Decoder::new(black_box(&request), Nanos::ZERO, &mut response);
                let taken = decoder.decode(black_box(bytes.as_bytes()), Nanos::ZERO, &mut response);
                assert!(taken == Ok(bytes.len()) && decoder.is_done());
                black_box(&response);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
