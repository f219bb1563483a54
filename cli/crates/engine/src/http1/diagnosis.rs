//! Says what a server did instead of responding by HTTP/1.1, where that can be seen.

use std::io;

use rustls::{AlertDescription, Error};

use super::malformed::Malformed;
use saasbench_model::units::Nanos;

/// What is wrong with a response that begins with `bytes`, or goes on with them.
pub(super) fn of_malformed(why: Malformed, bytes: &[u8]) -> String {
    match bytes {
        // A record of TLS with an alert, which is how a server rejects a request in plain text.
        [0x15, 0x03, ..] => "malformed: this is TLS; the address has to begin with https://".to_owned(),
        // A SETTINGS frame of stream 0.
        [0, 0, _, 4, _, 0, 0, 0, 0, ..] => {
            "malformed: this is HTTP/2; set `version = \"2\"` in [http]".to_owned()
        }
        [b'S', b'S', b'H', b'-', ..] => "malformed: this is an SSH server".to_owned(),
        _ => format!("malformed: {why}"),
    }
}

/// Why the connection ended, where TLS says so.
pub(super) fn of_loss(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Some("connection-lost: the server requires a client certificate".to_owned())
        }
        other => Some(format!("connection-lost: {other}")),
    }
}

/// That the server closed a connection which had been idle for so long.
pub(crate) fn of_closed_idle(idle: Nanos) -> String {
    format!(
        "connection-closed-idle: after {:.1} s without a request; think for less long than the server keeps connections, or raise its keep-alive timeout",
        idle.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_recognised() {
        let head = Malformed::Head(httparse::Error::Version);
        let texts = [
            of_malformed(head, b"\x15\x03\x01\x00\x02\x02\x16"),
            of_malformed(head, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03"),
            of_malformed(head, b"SSH-2.0-OpenSSH_9.2\r\n"),
            of_malformed(head, b"220 mail.example.com ESMTP\r\n"),
            of_malformed(Malformed::ContentLength, b"HTTP/1.1 200 OK\r\n"),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r#"
        malformed: this is TLS; the address has to begin with https://
        malformed: this is HTTP/2; set `version = "2"` in [http]
        malformed: this is an SSH server
        malformed: the head is not HTTP/1: invalid HTTP version
        malformed: Content-Length is not one number
        "#);
        let lost = |error: Error| of_loss(&io::Error::new(io::ErrorKind::InvalidData, error));
        insta::assert_snapshot!(
            lost(Error::AlertReceived(AlertDescription::CertificateRequired)).unwrap(),
            @"connection-lost: the server requires a client certificate"
        );
        insta::assert_snapshot!(
            of_closed_idle(Nanos::from_millis(5_012)),
            @"connection-closed-idle: after 5.0 s without a request; think for less long than the server keeps connections, or raise its keep-alive timeout"
        );
        assert_eq!(of_loss(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
    }
}
