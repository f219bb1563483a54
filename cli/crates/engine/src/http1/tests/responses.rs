//! A table of responses, valid and invalid.

use std::fmt::Write as _;

use super::*;
use crate::{
    exchange::BODY_KEPT,
    http1::decoder::{CHUNK_LINE_LIMIT, HEAD_LIMIT, Malformed},
};

/// Formats a result: `200 "body"`, with peculiarities of the connection, or the error.
fn decoded(bytes: &[u8], request: &Request) -> String {
    match decode(bytes, &[], request) {
        Ok((response, keeps_alive, left)) => {
            let mut line = format!("{} {:?}", response.status, String::from_utf8_lossy(&response.body));
            if !keeps_alive {
                line += " close";
            }
            if left > 0 {
                let _ = write!(line, " +{left}");
            }
            line
        }
        Err(end) => format!("{end:?}"),
    }
}

#[test]
fn valid_responses_are_parsed() {
    let table: &[(&str, &str)] = &[
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", r#"200 "hi""#),
        ("HTTP/1.1 200 OK\r\nContent-Length:2\r\n\r\nhi", r#"200 "hi""#),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", r#"200 """#),
        ("HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", r#"200 """#),
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\nhi", r#"200 "hi""#),
        ("\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", r#"200 """#),
        ("HTTP/1.1 299 \u{e9}\r\ncontent-length: 0\r\n\r\n", r#"299 """#),
        ("HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n", r#"999 """#),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi!!", r#"200 "hi" +2"#),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi", r#"200 "hi""#),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nhi", r#"200 "hi""#),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", r#"200 "to the end" close"#),
        ("HTTP/1.1 200 OK\r\n\r\n", r#"200 "" close"#),
        ("HTTP/1.1 204 No\r\n\r\n", r#"204 """#),
        ("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", r#"204 """#),
        ("HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n", r#"304 """#),
        ("HTTP/1.1 304 No\r\ntransfer-encoding: chunked\r\n\r\n", r#"304 """#),
        ("HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n", r#"205 """#),
        // Chunks.
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", r#"200 "hi""#),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nh\r\n01\r\ni\r\n000\r\n\r\n",
            r#"200 "hi""#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nhi\r\n0;e\r\n\r\n",
            r#"200 "hi""#,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n", r#"200 "hi""#),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: y\r\nz: 1\r\n\r\n",
            r#"200 "hi""#,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP", r#"200 "" +4"#),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            r#"200 "hi" close"#,
        ),
        // The connection.
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", r#"200 "" close"#),
        ("HTTP/1.1 200 OK\r\nconnection: x , Close\r\ncontent-length: 0\r\n\r\n", r#"200 "" close"#),
        (
            "HTTP/1.1 200 OK\r\nconnection: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            r#"200 "" close"#,
        ),
        ("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", r#"200 """#),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", r#"200 "hi" close"#),
        ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nhi", r#"200 "hi""#),
        ("HTTP/1.0 200 OK\r\n\r\nhi", r#"200 "hi" close"#),
        // Informational responses.
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", r#"200 "hi""#),
        (
            "HTTP/1.1 103 Hints\r\nlink: x\r\ncontent-length: 7\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            r#"204 """#,
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(decoded(bytes.as_bytes(), &get()), *expected, "{bytes}");
    }
}

#[test]
fn rare_forms_that_the_standard_allows_are_parsed() {
    let many = |count: usize| "a: b\r\n".repeat(count);
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let table: Vec<(String, &str)> = vec![
        // Folded lines, also in fields that delimit the body.
        ("HTTP/1.1 200 OK\r\na: b\r\n c: folded\r\ncontent-length: 2\r\n\r\nhi".into(), r#"200 "hi""#),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\t2\r\n\r\nhi".into(), r#"200 "hi""#),
        ("HTTP/1.1 200 OK\ncontent-length:\n 2\n\nhi".into(), r#"200 "hi""#),
        // A body may look like a folded line.
        ("HTTP/1.1 200 OK\r\na:\r\n b\r\ncontent-length: 3\r\n\r\n hi".into(), r#"200 " hi""#),
        // A later minor version.
        ("HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nhi".into(), r#"200 "hi""#),
        // Transfer codings: only the last one delimits the body.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into(),
            r#"200 "hi""#,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .into(),
            r#"200 """#,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nhi".into(), r#"200 "hi" close"#),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nhi".into(), r#"200 "hi" close"#),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: , chunked,,\r\n\r\n0\r\n\r\n".into(), r#"200 """#),
        ("HTTP/1.1 200 OK\r\nconnection: ,,close\r\ncontent-length: 2\r\n\r\nhi".into(), r#"200 "hi" close"#),
        // Zeros before the size of a chunk.
        (format!("HTTP/1.1 200 OK\r\n{chunked}{0}2\r\nhi\r\n{0}0\r\n\r\n", "0".repeat(40)), r#"200 "hi""#),
        // As many fields as fit into a head, and into trailers.
        (format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nhi", many(10_000)), r#"200 "hi""#),
        (format!("HTTP/1.1 200 OK\r\n{chunked}0\r\n{}\r\n", many(10_000)), r#"200 """#),
    ];
    for (bytes, expected) in table {
        assert_eq!(decoded(bytes.as_bytes(), &get()), expected, "{}", &bytes[..bytes.len().min(200)]);
    }
    let folded = b"HTTP/1.1 204 No\r\nx-y: a\r\n  b\r\n\r\n";
    let (response, ..) = decode(folded, &[], &get()).unwrap();
    assert_eq!(String::from_utf8_lossy(&response.head), "x-y: a    b\r\n");
}

#[test]
fn a_response_to_head_has_no_body() {
    let head = Request { is_head: true, ..get() };
    for fields in ["content-length: 5\r\n", "transfer-encoding: chunked\r\n", ""] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        assert_eq!(decoded(bytes.as_bytes(), &head), r#"200 """#, "{fields}");
    }
}

#[test]
fn invalid_responses_are_distinguished_from_truncated_ones() {
    use httparse::Error;
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}");
    let with = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhi");
    let head = Malformed::Head;
    let malformed: Vec<(String, Malformed)> = vec![
        ("HTTP/2.0 200 OK\r\n\r\n".into(), head(Error::Version)),
        ("SSH-2.0-OpenSSH_9\r\n".into(), head(Error::Version)),
        ("HTTP/1.1 2x0 OK\r\n\r\n".into(), head(Error::Status)),
        ("HTTP/1.1 20 OK\r\n\r\n".into(), head(Error::Status)),
        ("HTTP/1.1 099 No\r\n\r\n".into(), Malformed::Status),
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n".into(), Malformed::Upgrade),
        (with("a b: c"), head(Error::HeaderName)),
        (with("a : c"), head(Error::HeaderName)),
        (with(": c"), head(Error::HeaderName)),
        ("HTTP/1.1 200 OK\r\n a: b\r\n\r\n".into(), head(Error::HeaderName)),
        ("HTTP/1.12 200 OK\r\n\r\n".into(), head(Error::Version)),
        (with("transfer-encoding: chunked, gzip, chunked"), Malformed::TransferEncoding),
        (with("content-length: ,"), Malformed::ContentLength),
        (with("content-length: 2,"), Malformed::ContentLength),
        (with("a: b\0"), head(Error::HeaderValue)),
        (with("content-length: 2\r\ncontent-length: 3"), Malformed::ContentLength),
        (with("content-length: 2, 3"), Malformed::ContentLength),
        (with("content-length: +2"), Malformed::ContentLength),
        (with("content-length: -2"), Malformed::ContentLength),
        (with("content-length: "), Malformed::ContentLength),
        (with("content-length: 0x2"), Malformed::ContentLength),
        (with("content-length: 18446744073709551616"), Malformed::ContentLength),
        (with("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), Malformed::TransferEncoding),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            Malformed::TransferEncoding,
        ),
        (chunked("\r\n"), Malformed::ChunkSize),
        (chunked(" 2\r\nhi\r\n"), Malformed::ChunkSize),
        (chunked("-2\r\nhi\r\n"), Malformed::ChunkSize),
        (chunked("0x2\r\nhi\r\n"), Malformed::ChunkSize),
        (chunked("2\nhi\r\n"), Malformed::ChunkSize),
        (chunked("10000000000000000\r\n"), Malformed::ChunkSize),
        (chunked("1\r\nhi\r\n"), Malformed::ChunkEnd),
        (chunked("2\r\nhi\n"), Malformed::ChunkEnd),
        (chunked("0\r\n\n"), Malformed::Trailers(Error::NewLine)),
        (chunked("0\r\na: b\n\r\n"), Malformed::Trailers(Error::NewLine)),
        (chunked("0;a\nb\r\n\r\n"), Malformed::ChunkSize),
        (chunked("0\r\nno trailer\r\n\r\n"), Malformed::Trailers(Error::HeaderName)),
    ];
    for (bytes, expected) in malformed {
        let decoded = decode(bytes.as_bytes(), &[], &get());
        assert_eq!(
            decoded.map(|(response, ..)| response.status),
            Err(EndedEarly::Malformed(expected)),
            "{bytes}"
        );
    }
    let truncated = [
        String::new(),
        "H".into(),
        "\r\n".into(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n".into(),
        "HTTP/1.1 100 Continue\r\n\r\n".into(),
        with("content-length: 3"),
        chunked(""),
        chunked("2"),
        chunked("2\r\nh"),
        chunked("2\r\nhi\r"),
        chunked("2\r\nhi\r\n0\r\n"),
        chunked("2\r\nhi\r\n0\r\nx: y\r\n"),
    ];
    for bytes in truncated {
        let decoded = decode(bytes.as_bytes(), &[], &get());
        assert_eq!(decoded.map(|(response, ..)| response.status), Err(EndedEarly::Truncated), "{bytes}");
    }
}

#[test]
fn length_limits_are_exact() {
    let head = |length: usize| {
        let frame = "HTTP/1.1 204 No\r\nx: \r\n\r\n";
        frame.replace("x: ", &format!("x: {}", "a".repeat(length - frame.len())))
    };
    assert_eq!(decoded(head(HEAD_LIMIT).as_bytes(), &Request::default()), r#"204 """#);
    assert_eq!(decoded(head(HEAD_LIMIT + 1).as_bytes(), &Request::default()), "Malformed(TooLong)");
    assert_eq!(decoded("HTTP/1.1 100 C\r\n\r\n".repeat(4_000).as_bytes(), &get()), "Malformed(TooLong)");
    assert_eq!(decoded("\n".repeat(HEAD_LIMIT).as_bytes(), &get()), "Malformed(TooLong)");
    let line = |length: usize| {
        let extension = "x".repeat(length - 4);
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0;{extension}\r\n\r\n")
    };
    assert_eq!(decoded(line(CHUNK_LINE_LIMIT).as_bytes(), &get()), r#"200 """#);
    assert_eq!(decoded(line(CHUNK_LINE_LIMIT + 1).as_bytes(), &get()), "Malformed(ChunkSize)");
}

#[test]
fn head_and_body_are_kept_if_requested() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Y:  z \r\nx-y:\r\n\r\nhi";
    let (response, ..) = decode(bytes, &[], &get()).unwrap();
    assert_eq!(String::from_utf8_lossy(&response.head), "Content-Length: 2\r\nX-Y: z\r\nx-y: \r\n");
    assert_eq!((&*response.body, response.body_bytes), (&b"hi"[..], 2));
    let (response, ..) = decode(bytes, &[], &Request::default()).unwrap();
    assert_eq!((&*response.head, &*response.body, response.body_bytes), (&b""[..], &b""[..], 2));
}

#[test]
fn the_start_of_a_long_body_is_kept() {
    let length = BODY_KEPT + 7;
    let mut bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    let (response, ..) = decode(&bytes, &[bytes.len() - 9, bytes.len() - 2], &get()).unwrap();
    assert_eq!((response.body.len(), response.body_bytes), (BODY_KEPT, length as u64));
}

#[test]
fn used_buffers_contain_nothing_of_the_previous_response() {
    let mut response = Response::default();
    let full = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nretry-after: 3\r\nratelimit: x\r\n\r\nhi";
    Decoder::new(&get(), Nanos::ZERO, &mut response).decode(full, Nanos::ZERO, &mut response).unwrap();
    assert_eq!(response.retry_after, Some(Nanos::from_secs(3)));
    Decoder::new(&get(), Nanos::ZERO, &mut response)
        .decode(b"HTTP/1.1 204 No\r\n\r\n", Nanos::ZERO, &mut response)
        .unwrap();
    assert_eq!((&*response.head, &*response.body, response.body_bytes), (&b""[..], &b""[..], 0));
    assert_eq!((response.limiter, response.retry_after), (Default::default(), None));
}

#[test]
fn the_first_byte_is_that_of_the_final_response() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    // Pieces 0, 1, 2, …: within the first head, at its end, within the second, after it.
    for (cuts, expected) in [
        (&[][..], (0, 0)),
        (&[5, 25], (2, 2)),
        (&[25, 30, 60], (1, 3)),
        (&[30], (0, 1)),
        (&[24, 25, 26], (2, 3)),
    ] {
        let (response, ..) = decode(bytes, cuts, &get()).unwrap();
        assert_eq!((response.first_byte.0, response.done.0), expected, "{cuts:?}");
    }
}
