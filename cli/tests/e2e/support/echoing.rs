//! A service, and a Prometheus, that put given texts wherever their responses have room for one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;

/// A service on a port of its own, for the rest of the process.
#[derive(Debug)]
pub(crate) struct Echoing {
    port: u16,
}

impl Echoing {
    pub(crate) fn start(texts: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (texts, turn) = (Arc::new(texts), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (texts, turn) = (Arc::clone(&texts), Arc::clone(&turn));
                // A client that closes its connection ends its thread.
                std::thread::spawn(move || serve(&stream, &texts, &turn));
            }
        });
        Self { port }
    }

    /// `http://`, credentials if any, and the address.
    pub(crate) fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}127.0.0.1:{}", self.port)
    }
}

fn serve(stream: &TcpStream, texts: &[String], turn: &AtomicUsize) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut field = Vec::new();
            reader.read_until(b'\n', &mut field).ok().filter(|length| *length > 0)?;
            let field = String::from_utf8_lossy(&field).to_ascii_lowercase();
            if field.trim().is_empty() {
                break;
            }
            length =
                field.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let text = &texts[turn % texts.len()];
        let (status, body) = if path == "/metrics" {
            (200, exposition(texts))
        } else if path.starts_with("/api/v1/") {
            prometheus(&path, text, turn, stream.local_addr().ok()?.port())
        } else {
            (if turn % 5 == 4 { 429 } else { 200 }, json!({ "v": text }).to_string())
        };
        let field = text.replace(|c: char| c.is_control(), " ");
        let head = format!(
            "HTTP/1.1 {status} {field}\r\nContent-Length: {}\r\nx-echo: {field}\r\nRateLimit: {field}\r\n\
             RateLimit-Policy: {field}\r\n\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(body.as_bytes()).ok()?;
    }
}

/// Series with each of the texts as the value of a label, and in comments.
fn exposition(texts: &[String]) -> String {
    let escaped = |text: &String| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let help = escaped(&texts[0]);
    let mut page = format!("# HELP http_requests_total {help}\n# TYPE http_requests_total counter\n");
    for text in texts {
        let text = escaped(text);
        page += &format!("http_requests_total{{handler=\"/x/{text}\",method=\"GET\",status=\"200\"}} 7\n");
    }
    page
}

/// Every second response is an error.
fn prometheus(path: &str, text: &str, turn: usize, port: u16) -> (u16, String) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let of = |labels: serde_json::Value| json!([{ "metric": labels, "value": [now, "1"] }]);
    let result = if path.contains("vector") {
        of(json!({}))
    } else if path.contains("timestamp") {
        // The newest scrape of the service, so that nothing is waited for.
        let labels = json!({ "instance": format!("127.0.0.1:{port}") });
        json!([{ "metric": labels, "value": [now, (now + 60).to_string()] }])
    } else if turn.is_multiple_of(2) {
        of(json!({ "instance": text, text: "x" }))
    } else {
        return (400, json!({ "status": "error", "errorType": text, "error": text }).to_string());
    };
    let data = json!({ "resultType": "vector", "result": result });
    (200, json!({ "status": "success", "data": data, "warnings": [text], "infos": [text] }).to_string())
}
