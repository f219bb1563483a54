//! Asks a running server whether it is ready, as a container's health check does: its image needs no HTTP client for that.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than a healthy server ever takes.
const PATIENCE: Duration = Duration::from_secs(2);
/// The start of any answer: what follows is the status.
const START: &str = "HTTP/1.1 ";

/// Asks for `/readyz` at `address`, where a server was asked to listen; an unspecified one such as 0.0.0.0 is this machine.
///
/// # Errors
/// When nobody answers within two seconds, or the server is not ready.
pub(crate) fn ready(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: who answers after the first one and goes would break the rest.
    let question = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = [0; START.len() + 3];
    stream.read_exact(&mut answer)?;
    match String::from_utf8_lossy(&answer).strip_prefix(START) {
        Some("200") => Ok(()),
        Some(status) => Err(io::Error::other(format!("it answers {status}"))),
        None => Err(io::Error::other("it does not speak HTTP/1.1")),
    }
}
