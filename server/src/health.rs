//! The health check of a container: requests `/readyz` from a running server, so that the image needs no HTTP
//! client.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than a healthy server takes.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The start of any response; the status follows.
const STATUS_LINE_START: &str = "HTTP/1.1 ";

/// Requests `/readyz` at `address`, which a server listens on; an unspecified one such as 0.0.0.0 is this
/// machine.
///
/// # Errors
/// When there is no response within two seconds, or the server is not ready.
pub(crate) fn check_ready(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // In one write: a server that responds to the first part and closes would make a second write fail.
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = [0; STATUS_LINE_START.len() + 3];
    stream.read_exact(&mut response)?;
    match String::from_utf8_lossy(&response).strip_prefix(STATUS_LINE_START) {
        Some("200") => Ok(()),
        Some(status) => Err(io::Error::other(format!("it responds with {status}"))),
        None => Err(io::Error::other("it does not speak HTTP/1.1")),
    }
}
