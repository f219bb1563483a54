//! Reads the body of a response up to a bound, so that a server that never ends one costs no memory.

use super::http_error::describe;

/// Bytes of the body of an error that are read, to quote its first line.
pub const OF_AN_ERROR: u64 = 64 << 10;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the bound, in bytes.
    #[error("its body is longer than {}, the `body_size_limit`", shown(*.0))]
    TooLong(u64),
    /// The connection broke, or the time is up.
    #[error("{}", describe(.0))]
    Broken(reqwest::Error),
}

/// The body of `response`, of at most `limit` bytes.
///
/// # Errors
/// See [`BodyError`]; what is announced as too long is not read at all.
pub async fn read(mut response: reqwest::Response, limit: u64) -> Result<Vec<u8>, BodyError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(BodyError::TooLong(limit));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| BodyError::Broken(error.without_url()))? {
        if (body.len() + piece.len()) as u64 > limit {
            return Err(BodyError::TooLong(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The first line of the body of an error, as far as it was sent; empty if there is none.
pub async fn first_line(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() as u64 >= OF_AN_ERROR || body.contains(&b'\n') {
            break;
        }
    }
    into_text(body).lines().next().unwrap_or_default().to_owned()
}

/// A body as text; what is not UTF-8 is replaced.
pub fn into_text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A number of bytes, in MiB where it is a whole number of them.
fn shown(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::observe::http_client;
    use saasbench_engine::connect::tls;

    /// The response of a server that sends `head`, and then `piece` until nobody reads any more.
    async fn endless(head: &'static str, piece: &'static [u8]) -> reqwest::Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(piece).await.is_ok() {}
        });
        let http = http_client(&tls::config(tls::Trust::None).unwrap(), None).unwrap();
        http.get(url).send().await.unwrap()
    }

    #[tokio::test]
    async fn an_endless_body_is_read_up_to_the_bound() {
        for head in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9000000000000000000\r\n\r\n"]
        {
            let error = read(endless(head, b"up 1\n").await, 1 << 20).await.unwrap_err();
            assert_eq!(error.to_string(), "its body is longer than 1 MiB, the `body_size_limit`", "{head}");
        }
        let error = read(endless("HTTP/1.1 200 OK\r\n\r\n", b"up 1\n").await, 1000).await.unwrap_err();
        assert_eq!(error.to_string(), "its body is longer than 1000 bytes, the `body_size_limit`");
        let whole = endless("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", b"up 1\n").await;
        assert_eq!(read(whole, 5).await.unwrap(), b"up 1\n");
    }

    #[tokio::test]
    async fn of_an_error_the_first_line_is_read() {
        let endless_line = first_line(endless("HTTP/1.1 500 No\r\n\r\n", b"no").await).await;
        assert!(endless_line.starts_with("nono") && endless_line.len() < 1 << 20, "{}", endless_line.len());
        assert_eq!(first_line(endless("HTTP/1.1 500 No\r\n\r\n", b"why\nwhere\n").await).await, "why");
    }
}
