//! Servers that end connections, as they may: after some requests, or when they lie idle.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
};

use crate::support::{Ended, Report, Sandbox, nginx_http2};

#[test]
fn streams_that_a_goaway_left_out_are_no_errors() {
    // It ends a connection with a GOAWAY after 50 requests.
    let (_nginx, port, _dir) = nginx_http2("keepalive_requests 50;");
    let sandbox = Sandbox::new();
    let url = format!("http://127.0.0.1:{port}/");
    let ended = sandbox.run(&["stress", &url, "--http2", "-c", "20", "-n", "2000", "--json", "report.json"]);
    ended.assert_code(0);
    let report = Report::parse(&fs::read_to_string(sandbox.path().join("report.json")).unwrap());
    assert_eq!(report.count("/total/statuses/200"), 2000, "{}", report.0["summary"]);
}

/// Responds to the first request on each connection, and closes it when the second arrives: as for a client, a
/// server that closes an idle connection just then.
fn closing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                if stream.read(&mut request).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                    let _ = stream.read(&mut request);
                }
            });
        }
    });
    url
}

fn thinking(method: &str, more: &str) -> (Ended, Report) {
    let scenario = format!(
        "version = 1\n[metrics]\nenabled = false\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"ask\"\n[[journey.step]]\n\
         {method} = \"/ask\"\n[[load]]\nusers = 4\nthink_time = \"600ms\"\nduration = \"3s\"\n{more}"
    );
    Sandbox::with(&scenario, "").report(&["--target", &closing()])
}

#[test]
fn an_idempotent_request_on_a_closing_connection_is_sent_once_more() {
    let (ended, report) = thinking("get", "");
    ended.assert_code(0);
    let (all, resent) = (report.count("/total/requests"), report.count("/total/resent"));
    assert_eq!(all, report.count("/total/statuses/200"));
    assert!(resent >= 4, "{}", report.0["summary"]);

    let (ended, _) = thinking("get", "[[expect]]\nthat = \"resent == 0\"\n");
    ended.assert_code(1);
    ended.assert_says(&["resent == 0"]);
}

#[test]
fn any_other_request_on_a_closing_connection_is_told_apart() {
    let (ended, report) = thinking("post", "");
    ended.assert_code(3);
    assert_eq!((report.count("/total/resent"), report.count("/total/errors")), (0, 0));
    assert!(report.count("/total/unknown") >= 4, "{}", report.0["summary"]);
    ended.assert_says(&["think for less long than the server keeps connections"]);
}
