//! Real connections to the test's listeners.

use std::{future::pending, io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};

use super::{
    dial::{DialError, Dialer},
    endpoint::Protocol,
    resolve::{Resolve, System},
    stream::Stream,
    testing::{Authority, Names, dialer, listen, reached, serve_tls},
    tls::{self, H2, HTTP11, Trust, config},
};
use saasbench_model::{
    scenario::http::{Dns, Http, Version},
    units::Nanos,
};

/// Sends a word each way.
async fn talk(client: &mut Stream, server: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut word = [0; 4];
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    server.write_all(b"pong").await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"pong");
}

/// A dialler to one plain URL.
async fn plain(url: &str, http: &Http) -> Result<Dialer, DialError> {
    dialer(url, http, Trust::None, System).await
}

#[tokio::test(flavor = "local")]
async fn tcp_over_both_families() {
    for (ip, host) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let (listener, address) = listen(ip).await;
        let dialer = plain(&format!("http://{host}:{}", address.port()), &Http::default()).await.unwrap();
        listener.accept().await.unwrap(); // the attempt
        let (client, accepted) = tokio::join!(dialer.dial(0), listener.accept());
        let (mut client, (mut server, _)) = (client.unwrap(), accepted.unwrap());
        talk(&mut client, &mut server).await;
        let Stream::Tcp(client) = client else { panic!("{client:?}") };
        assert!(client.nodelay().unwrap());
    }
}

#[tokio::test(flavor = "local")]
async fn unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let url = format!("unix:{}:/v1", path.display());
    let dialer = plain(&url, &Http::default()).await.unwrap();
    listener.accept().await.unwrap();
    let (mut client, (mut server, _)) = (dialer.dial(0).await.unwrap(), listener.accept().await.unwrap());
    talk(&mut client, &mut server).await;
    assert_eq!(dialer.endpoints().replicas()[0].target().prefix, "/v1");
}

#[tokio::test(flavor = "local")]
async fn tls_with_an_authority_of_ones_own() {
    let authority = Authority::new("ours");
    let (listener, address) = listen("127.0.0.1").await;
    let mut accepted = serve_tls(listener, authority.acceptor("service.test", &[HTTP11]));
    let url = format!("https://service.test:{}", address.port());
    let dialer = dialer(&url, &Http::default(), authority.trust(), Names::of(&[address])).await.unwrap();
    accepted.recv().await.unwrap();
    let mut client = dialer.dial(0).await.unwrap();
    let mut server = accepted.recv().await.unwrap();
    talk(&mut client, &mut server).await;
    assert_eq!(server.get_ref().1.server_name(), Some("service.test"));
    assert_eq!(client.alpn(), Some(HTTP11));
}

/// The protocol that ALPN agrees on, by what the scenario and the server offer.
#[tokio::test(flavor = "local")]
async fn alpn_chooses_once_for_the_run() {
    let authority = Authority::new("ours");
    let (both, old): (&[&[u8]], &[&[u8]]) = (&[H2, HTTP11], &[HTTP11]);
    let table = [
        (Version::Auto, both, Some(Protocol::Http2)),
        (Version::Auto, old, Some(Protocol::Http11)),
        (Version::Auto, &[], Some(Protocol::Http11)),
        (Version::Http11, both, Some(Protocol::Http11)),
        (Version::Http2, both, Some(Protocol::Http2)),
        (Version::Http2, old, None),
        (Version::Http2, &[], None),
    ];
    for (version, offered, expected) in table {
        let (listener, address) = listen("127.0.0.1").await;
        let _accepted = serve_tls(listener, authority.acceptor("127.0.0.1", offered));
        let http = Http { version, ..Http::default() };
        let dialer = dialer(&format!("https://{address}"), &http, authority.trust(), System).await;
        match (dialer, expected) {
            (Ok(dialer), Some(expected)) => {
                assert_eq!(dialer.endpoints().replicas()[0].protocol(), expected, "{version:?} {offered:?}");
                dialer.dial(0).await.unwrap();
            }
            (Err(error), None) => {
                assert_eq!(error.to_string(), "it does not speak HTTP/2");
                assert!(error.hint().is_some());
            }
            (other, _) => panic!("{version:?} {offered:?} gave {other:?}"),
        }
    }
}

/// A line for an error, and one for its hint; ports vary.
fn message(error: &DialError) -> String {
    format!("{error}\n  hint: {}\n", error.hint().unwrap_or("none"))
}

#[tokio::test(flavor = "local")]
async fn tls_errors_are_reported_with_a_hint() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let (listener, address) = listen("127.0.0.1").await;
    let _accepted = serve_tls(listener, authority.acceptor("service.test", &[]));
    let names = Names::of(&[address]);
    let (good, other) = (
        format!("https://service.test:{}", address.port()),
        format!("https://other.test:{}", address.port()),
    );
    let http = Http::default();
    let mut all = String::new();
    for (url, trust) in [(&good, stranger.trust()), (&other, authority.trust()), (&good, Trust::None)] {
        all += &message(&dialer(url, &http, trust, names).await.unwrap_err());
    }

    let (silent, address) = listen("127.0.0.1").await;
    tokio::task::spawn_local(async move {
        let (mut stream, _) = silent.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Closing with unread bytes would reset the connection, and lose what was sent.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    all +=
        &message(&dialer(&format!("https://{address}"), &http, authority.trust(), System).await.unwrap_err());
    insta::assert_snapshot!(all);

    // `insecure` accepts any certificate, and any name.
    for url in [&good, &other] {
        dialer(url, &http, Trust::AcceptAnyCertificate, names).await.unwrap().dial(0).await.unwrap();
    }
}

#[test]
fn invalid_ca_files_are_reported() {
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let unfinished = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let good = Authority::new("ours").pem;
    let texts = ["", "not PEM at all", garbled, unfinished, &format!("{good}{garbled}")];
    let shown: Vec<String> = texts
        .iter()
        .map(|pem| config(Trust::Roots { pem, file: "ca.pem" }).unwrap_err())
        .map(|error| format!("{error}\n  hint: {}", error.hint()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn invalid_client_certificates_are_reported() {
    let good = Authority::new("ours").pem;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let pairs = [("", &*key), (&*good, ""), (&*good, &*good), (&*good, &*key)];
    let messages = pairs.map(|(certificate, key)| {
        let identity = tls::Identity {
            certificate: (certificate.to_owned(), "client.pem".to_owned()),
            key: (key.to_owned(), "client.key".to_owned()),
        };
        let error = tls::config_of(Trust::None, Some(&identity)).unwrap_err();
        format!("{error}\n  hint: {}", error.hint())
    });
    insta::assert_snapshot!(messages.join("\n"));
}

#[tokio::test(flavor = "local")]
async fn connections_come_from_every_source_in_turn() {
    let (listener, address) = listen("127.0.0.1").await;
    let sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(|source| source.parse().unwrap()).to_vec();
    let http = Http { sources, ..Http::default() };
    let dialer = plain(&format!("http://{address}"), &http).await.unwrap();
    listener.accept().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..6 {
        let _client = dialer.dial(0).await.unwrap();
        seen.push(listener.accept().await.unwrap().1.ip().to_string());
    }
    assert_eq!(seen, ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
}

#[tokio::test(flavor = "local")]
async fn unusable_source_addresses_are_reported() {
    let (_listener, address) = listen("127.0.0.1").await;
    let url = format!("http://{address}");
    let mut all = String::new();
    // 192.0.2.0/24 is for documentation: no machine has it.
    for source in ["::1", "192.0.2.1"] {
        let http = Http { sources: vec![source.parse().unwrap()], ..Http::default() };
        all += &message(&plain(&url, &http).await.unwrap_err());
    }
    insta::assert_snapshot!(all.replace(&address.to_string(), "127.0.0.1:PORT"));
}

#[tokio::test(flavor = "local")]
async fn names_are_resolved_once_or_every_time() {
    for (dns, expected) in [(Dns::PerRun, 1), (Dns::PerConnection, 4)] {
        let (_listener, address) = listen("127.0.0.1").await;
        let names = Names::of(&[address]);
        let http = Http { dns, ..Http::default() };
        let dialer = dialer("http://service.test", &http, Trust::None, names).await.unwrap();
        for _ in 0..3 {
            dialer.dial(0).await.unwrap();
        }
        assert_eq!(names.asked.get(), expected, "{dns:?}");
    }
}

/// A port where nothing listens.
async fn closed_port() -> SocketAddr {
    listen("127.0.0.1").await.1
}

async fn accepted(listener: &TcpListener) -> bool {
    tokio::select! {
        biased;
        accepted = listener.accept() => accepted.is_ok(),
        () = tokio::task::yield_now() => false,
    }
}

#[tokio::test(flavor = "local")]
async fn a_run_keeps_the_first_address_that_accepts() {
    let ((_first, one), (_second, two)) = (listen("127.0.0.1").await, listen("127.0.0.1").await);
    let names = Names::of(&[closed_port().await, two, one]);
    let dialer = dialer("http://service.test", &Http::default(), Trust::None, names).await.unwrap();
    for _ in 0..3 {
        let Stream::Tcp(client) = dialer.dial(0).await.unwrap() else { panic!("not TCP") };
        assert_eq!(client.peer_addr().unwrap(), two);
    }
    assert_eq!(names.asked.get(), 1);
}

#[tokio::test(flavor = "local")]
async fn per_connection_all_addresses_are_used_in_turn_and_the_next_one_where_one_rejects() {
    let ((first, one), (second, two)) = (listen("127.0.0.1").await, listen("127.0.0.1").await);
    let names = Names::of(&[one, closed_port().await, two]);
    let http = Http { dns: Dns::PerConnection, ..Http::default() };
    let dialer = dialer("http://service.test", &http, Trust::None, names).await.unwrap();
    assert!(accepted(&first).await, "the attempt");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let Stream::Tcp(client) = dialer.dial(0).await.unwrap() else { panic!("not TCP") };
        let peer = client.peer_addr().unwrap();
        seen.push(if peer == one { 1 } else { 2 });
        let listener = if peer == one { &first } else { &second };
        listener.accept().await.unwrap();
    }
    assert_eq!(seen, [1, 2, 2, 1, 2, 2]);
}

#[tokio::test(flavor = "local")]
async fn refused_connections_and_unknown_hosts_are_reported() {
    let rejected = plain(&format!("http://{}", closed_port().await), &Http::default()).await.unwrap_err();
    let nowhere =
        dialer("http://service.test", &Http::default(), Trust::None, Names::of(&[])).await.unwrap_err();
    insta::assert_snapshot!(message(&rejected) + &message(&nowhere));
}

/// A name server that never responds.
struct Silent;

impl Resolve for Silent {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        pending().await
    }
}

#[tokio::test(flavor = "local")]
async fn connecting_has_a_timeout_of_its_own() {
    let (_listener, address) = listen("127.0.0.1").await;
    let names = Names::of(&[address]);
    let connect_timeout = Some(Nanos::from_millis(1500));
    let http = Http { dns: Dns::PerConnection, connect_timeout, ..Http::default() };
    let dialer =
        Dialer::new(reached(&["http://service.test"], &http, Trust::None, &names).await.unwrap(), Silent, 0);
    tokio::time::pause();
    let error = dialer.dial(0).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection in 1.5 s");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_handshake_that_hangs_is_ended_by_the_timeout() {
    let authority = Authority::new("ours");
    let (_listener, address) = listen("127.0.0.1").await;
    let error =
        dialer(&format!("https://{address}"), &Http::default(), authority.trust(), System).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection in 10 s");
}
