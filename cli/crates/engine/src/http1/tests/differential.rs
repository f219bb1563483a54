//! Compares with hyper's client: we accept the same responses with the same content, and reject the same.
//! Deliberate differences are listed in [`Difference`] with their reasons, and the table shows them.

use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::{
    cuts::{any_answer, any_damaged_answer},
    *,
};
use crate::http1::decoder::Malformed;

/// Status and body, or a rejection.
type Opinion = Result<(u16, Vec<u8>), String>;

/// The same for our client.
type Verdict = Result<(u16, Vec<u8>), EndedEarly>;

fn ours(bytes: &[u8], is_head: bool) -> Verdict {
    let request = Request { is_head, ..get() };
    decode(bytes, &[], &request).map(|(response, ..)| (response.status, response.body))
}

/// hyper's result for `bytes`, sent after its request was received and followed by the end of the connection.
async fn hypers(bytes: &[u8], is_head: bool) -> Opinion {
    let (near, mut far) = duplex(1 << 20);
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_headers(128)
        .handshake::<_, String>(TokioIo::new(near))
        .await
        .map_err(|error| format!("{error:?}"))?;
    let method = if is_head { "HEAD" } else { "GET" };
    let request = hyper::Request::builder().method(method).uri("/").body(String::new()).unwrap();
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
        Ok((status, body.to_bytes().to_vec()))
    };
    let server = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && far.read_buf(&mut request).await.unwrap() > 0 {}
        let _ = far.write_all(bytes).await;
        let _ = far.shutdown().await;
        std::future::pending::<()>().await;
    };
    let connection = async {
        let _ = connection.with_upgrades().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        opinion = exchange => opinion,
        () = server => unreachable!(),
        () = connection => unreachable!(),
    }
}

/// Deliberate differences from hyper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    /// 101: hyper hands the connection over to the upgraded protocol. Our requests never upgrade, so what
    /// follows is not a response.
    Upgrade,
    /// `chunked` twice, which a sender must not apply (RFC 9112, section 7.1): hyper takes the first.
    TransferEncoding,
    /// An empty element in the list of codings, which does not count (RFC 9110, section 5.6.1.2): hyper takes
    /// it for the last coding.
    EmptyCoding,
    /// A folded line, which a client must join (RFC 9112, section 5.2): hyper does so on request only.
    FoldedLine,
    /// A later minor version, which is to be read as 1.1 (RFC 9110, section 2.5): hyper rejects it.
    MinorVersion,
}

/// The deliberate difference that explains these two results for `bytes`, if any.
fn difference(bytes: &[u8], ours: &Verdict, theirs: &Opinion) -> Option<Difference> {
    let has = |part: &[u8]| memchr::memmem::find(bytes, part).is_some();
    match (ours, theirs) {
        (Err(EndedEarly::Malformed(Malformed::Upgrade)), Ok((101, _))) => Some(Difference::Upgrade),
        (Err(EndedEarly::Malformed(Malformed::TransferEncoding)), Ok(_)) => {
            Some(Difference::TransferEncoding)
        }
        (Ok(_), Ok(_)) if has(b"chunked,") => Some(Difference::EmptyCoding),
        (Ok(_), Err(_)) if has(b"\n ") || has(b"\n\t") => Some(Difference::FoldedLine),
        (Ok(_), Err(_)) if (b'2'..=b'9').any(|minor| has(&[b"HTTP/1.", &[minor][..]].concat())) => {
            Some(Difference::MinorVersion)
        }
        _ => None,
    }
}

fn agree(ours: &Verdict, theirs: &Opinion) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn assert_agreement(bytes: &[u8], is_head: bool) {
    let (ours, theirs) = (ours(bytes, is_head), block_on(hypers(bytes, is_head)));
    assert!(
        agree(&ours, &theirs) || difference(bytes, &ours, &theirs).is_some(),
        "{:?}\nours:   {ours:?}\nhyper's: {theirs:?}",
        String::from_utf8_lossy(bytes)
    );
}

/// Complete responses, and prefixes of some.
const HEADS: &[&str] = &[
    "",
    "H",
    "HTTP/1.1",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK\r\n",
    "SSH-2.0-x\r\n",
    "HTTP/1.1 200 OK\n\nhi",
    "HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    " HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\n\r\n",
    "HTTP/1.1 200OK\r\n\r\n",
    "HTTP/1.1 -20 OK\r\n\r\n",
    "HTTP/1.1 200 O\0K\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\n\nHTTP/1.1 200 OK\r\n\r\n",
    "\r\rHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 100 C\r\n\r\n",
    "HTTP/1.1 101 S\r\n\r\n",
    "HTTP/1.1 103 E\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhi",
    "HTTP/1.1 103 E\r\n\r\ngarbage",
    "HTTP/1.1 199 ?\r\ncontent-length: 2\r\n\r\nHTTP/1.1 204 OK\r\n\r\n",
];

/// Possible fields of a chunked response.
const FIELDS: &[&str] = &[
    "a b: c",
    "a : c",
    ": c",
    "a",
    "a\r\n: c",
    " a: c",
    "a: b\r\n c",
    "a: b\r\n\tc",
    "a: \0",
    "a: \x7f",
    "a: \x01",
    "a: b\rc",
    "a:b\nc:d",
    "a: \u{e9}",
    "\u{e9}: a",
    "a:",
    "a:\t b \t",
    "(a): b",
    "a\t: b",
    "content-length: 1",
    "content-length: 2",
    "content-length: 3",
    "content-length: 02",
    "content-length: +2",
    "content-length: -2",
    "content-length:",
    "content-length: ,",
    "content-length: 2,",
    "content-length: ,2",
    "content-length: 2,2",
    "content-length: 2 2",
    "content-length: 2\r\ncontent-length: 2",
    "content-length: 2\r\ncontent-length: 3",
    "content-length: 2\r\nContent-Length: x",
    "content-length: 0x2",
    "content-length: 2.0",
    "content-length: 18446744073709551615",
    "content-length: 18446744073709551614",
    "content-length: 18446744073709551613",
    "content-length: 18446744073709551616",
    "content-length: 99999999999999999999999",
    "content-length: \u{e9}",
    "transfer-encoding: chunked",
    "transfer-encoding: identity",
    "transfer-encoding: gzip",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, gzip",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "transfer-encoding: xchunked",
    "transfer-encoding: chunkedx",
    "transfer-encoding:",
    "transfer-encoding: chunked,",
    "transfer-encoding: , chunked",
    "transfer-encoding: \"chunked\"",
    "transfer-encoding: chunked;q=1",
    "transfer-encoding: chunked\r\ncontent-length: 2",
    "content-length: 2\r\ntransfer-encoding: chunked",
    "content-length: x\r\ntransfer-encoding: chunked",
    "connection: close",
    "connection: upgrade\r\nupgrade: x",
];

/// Possible content after a head that announces chunks.
const CHUNKS: &[&str] = &[
    "",
    "0",
    "0\r",
    "0\r\n",
    "0\r\n\r",
    "0\r\n\r\n",
    "0\r\n\n",
    "0\n\n",
    "0\n\r\n",
    "\r\n",
    "\r\n\r\n",
    " 0\r\n\r\n",
    "0 \r\n\r\n",
    "0\t\r\n\r\n",
    "0 0\r\n\r\n",
    "0 ;a\r\n\r\n",
    "0;\r\n\r\n",
    "0;a=\"\r\n\r\n",
    "0;a\nb\r\n\r\n",
    "0;\u{e9}\r\n\r\n",
    "0;a\rb\r\n\r\n",
    "0\r\r\n\r\n",
    "00000000000000000000\r\n\r\n",
    "0000000000000002\r\nhi\r\n0\r\n\r\n",
    "+2\r\nhi\r\n0\r\n\r\n",
    "-2\r\nhi\r\n0\r\n\r\n",
    "0x2\r\nhi\r\n0\r\n\r\n",
    "2h\r\nhi\r\n0\r\n\r\n",
    "g\r\n",
    "2\r\nhi\r\n0\r\n\r\n",
    "2\r\nhi\n0\r\n\r\n",
    "2\r\nhi0\r\n\r\n",
    "2\r\nhi!\r\n0\r\n\r\n",
    "2\r\nh",
    "2\r\nhi\r\n",
    "3\r\nhi\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhi",
    "fffffffffffffff0\r\nhi",
    "10000000000000000\r\nhi",
    "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n0\r\n\r\n",
    "a\r\n0123456789\r\n0\r\n\r\n",
    "0\r\na: b\r\n\r\n",
    "0\r\na\r\n\r\n",
    "0\r\na b: c\r\n\r\n",
    "0\r\na: b\r\n c\r\n\r\n",
    "0\r\n: c\r\n\r\n",
    "0\r\na: \0\r\n\r\n",
    "0\r\ncontent-length: 5\r\n\r\n",
    "0\r\na: b\r\n",
    "0\r\na: b\n\n",
    "0\r\na: b\n\r\n",
    "0\r\na: b\nc: d\r\n\r\n",
    "0\r\n\r\nmore",
];

#[test]
fn hostile_responses_are_handled_like_hyper() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let with = |field: &str| format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    let old = |field: &str| format!("HTTP/1.0 200 OK\r\n{field}\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    let bodiless = |field: &str| format!("HTTP/1.1 304 No\r\n{field}\r\n\r\n");
    let mut answers: Vec<String> = HEADS.iter().map(|head| (*head).to_owned()).collect();
    answers.extend(FIELDS.iter().flat_map(|field| [with(field), old(field), bodiless(field)]));
    answers.extend(CHUNKS.iter().map(|chunks| format!("{chunked}{chunks}")));
    let wrong: Vec<String> = answers
        .iter()
        .flat_map(|response| [(response, false), (response, true)])
        .filter_map(|(response, is_head)| {
            let bytes = response.as_bytes();
            let (ours, theirs) = (ours(bytes, is_head), block_on(hypers(bytes, is_head)));
            let explained = agree(&ours, &theirs) || difference(bytes, &ours, &theirs).is_some();
            (!explained).then(|| {
                format!("{response:?} (HEAD: {is_head})\n  ours:    {ours:?}\n  hyper's: {theirs:?}")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_deliberate_difference_is_real() {
    for (bytes, expected) in [
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", Difference::Upgrade),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            Difference::TransferEncoding,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked,\r\n\r\n0\r\n\r\n", Difference::EmptyCoding),
        ("HTTP/1.1 204 No\r\na: b\r\n c\r\n\r\n", Difference::FoldedLine),
        ("HTTP/1.2 204 No\r\n\r\n", Difference::MinorVersion),
    ] {
        let bytes = bytes.as_bytes();
        let (ours, theirs) = (ours(bytes, false), block_on(hypers(bytes, false)));
        assert_eq!(difference(bytes, &ours, &theirs), Some(expected), "{ours:?} {theirs:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn valid_responses_are_read_like_hyper(bytes in any_answer(), is_head in prop::bool::weighted(0.2)) {
        assert_agreement(&bytes, is_head);
    }

    #[test]
    fn damaged_responses_are_handled_like_hyper(bytes in any_damaged_answer(), is_head in prop::bool::weighted(0.2)) {
        assert_agreement(&bytes, is_head);
    }
}
