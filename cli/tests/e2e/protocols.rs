//! Addresses at which something else is spoken than what they say: it is recognised and named.

use crate::support::{Ended, Sandbox, nginx_http2, openssl};

/// What is said of three requests to this address.
fn said(url: &str, more: &[&str]) -> Ended {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&[&["stress", url, "-n", "3", "-c", "1"], more].concat());
    ended.assert_code(1);
    ended
}

#[test]
fn tls_where_plain_text_was_spoken() {
    let (_server, port, _dir) = openssl(&[]);
    let ended = said(&format!("http://127.0.0.1:{port}/"), &[]);
    assert!(
        ended.err.contains("replica a speaks TLS: its address has to begin with https://"),
        "{}",
        ended.err
    );
}

#[test]
fn a_client_certificate_that_is_required() {
    let (_server, port, _dir) = openssl(&["-Verify", "1", "-verify_return_error", "-CAfile", "cert.pem"]);
    let out = said(&format!("https://localhost:{port}/"), &["--insecure"]).out;
    assert!(out.contains("connection-lost: the server requires a client certificate"), "{out}");
}

#[test]
fn http2_alone() {
    let (_server, port, _dir) = nginx_http2("");
    let out = said(&format!("http://127.0.0.1:{port}/"), &[]).out;
    assert!(out.contains("malformed: this is HTTP/2; set `version = \"2\"` in [http]"), "{out}");
}
