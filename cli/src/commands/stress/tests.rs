//! Scenarios of command lines.

use std::fmt::Write as _;

use clap::Parser as _;

use super::*;
use crate::args::{Cli, Command};

fn parsed(words: &[&str]) -> Result<StressArgs, String> {
    let words = ["saasbench", "stress"].iter().chain(words);
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Stress(args) => Ok(args),
        _ => unreachable!(),
    }
}

fn scenario(words: &[&str]) -> String {
    let stress = asked(&parsed(words).unwrap(), &mut &b"from stdin"[..]).unwrap();
    let text = stress.scenario();
    understand(text.clone(), FILE, Path::new(""), Secrets::Unknown, false).unwrap();
    text
}

#[test]
fn a_plain_command_becomes_a_commented_scenario() {
    insta::assert_snapshot!(scenario(&["http://127.0.0.1:8005"]));
}

#[test]
fn every_flag_appears_in_the_scenario() {
    let words = "https://api.example.com/chat?room=1 -q 500 -c 80 -t 1m -n 3000 -m put -H X-Tenant:\u{20}acme -T text/plain \
                 -A */* -a me:${env:PASSWORD} --status 2xx,429 --timeout 1500ms --http2 --disable-keepalive -k --metrics micrometer";
    let mut words: Vec<&str> = words.split(' ').collect();
    words.retain(|word| !word.is_empty());
    let at = words.iter().position(|word| *word == "X-Tenant:").unwrap_or(words.len());
    words.splice(at..(at + 2).min(words.len()), ["X-Tenant: acme"]);
    words.extend([
        "-d",
        "two lines,\n\"quoted\" '${n}'",
        "--expect",
        "p99 < 50ms",
        "--expect",
        "ratio(429) < 5%",
    ]);
    insta::assert_snapshot!(scenario(&words));
}

#[test]
fn urls_share_the_requests() {
    let both = scenario(&[
        "http://a/x",
        "http://a/y",
        "http://a/x",
        "http://b/x",
        "http://b/y",
        "http://b/x",
        "-n",
        "9",
    ]);
    assert!(both.contains("weight = 2") && both.contains("weight = 1"), "{both}");
    assert!(both.contains("--target http://a --target http://b"), "{both}");
    let stress = asked(
        &parsed(&["http://a/x", "http://a/y?token=1", "-r", "10/s", "-u", "1"]).unwrap(),
        &mut &b""[..],
    )
    .unwrap();
    assert_eq!(stress.about(), "GET /x and /y at http://a, 1 user for 10 s");
}

#[test]
fn bodies_come_from_the_stated_source() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "in a file").unwrap();
    let (name, at) = (file.path().to_str().unwrap(), format!("@{}", file.path().display()));
    let table: [(&[&str], &str, &str); 6] = [
        (&["-d", "plain"], "plain", "post"),
        (&["-d", &at, "-X", "PATCH"], "in a file", "patch"),
        (&["-d", "-"], "from stdin", "post"),
        (&["-d", "@-"], "from stdin", "post"),
        (&["-D", name], "in a file", "post"),
        (&["--json-body", "{\"n\": ${n}}"], "{\"n\": ${n}}", "post"),
    ];
    for (words, body, method) in table {
        let words = [&["http://h/"], words].concat();
        let stress = asked(&parsed(&words).unwrap(), &mut &b"from stdin"[..]).unwrap();
        assert_eq!((stress.body.as_deref(), stress.method.as_str()), (Some(body), method), "{words:?}");
    }
}

#[test]
fn typed_secrets_are_reported() {
    let urls = ["http://h/?page=1&api_key=x", "http://h/?api_key=y&token=${env:T}"];
    let words = ["-H", "Authorization: Bearer x", "-H", "Cookie: ${env:C}", "-a", "${env:U}:x"];
    let words = [&urls[..], &words[..]].concat();
    let stress = asked(&parsed(&words).unwrap(), &mut &b""[..]).unwrap();
    assert_eq!(stress.basic, Some(("${env:U}".to_owned(), "x".to_owned())));
    assert_eq!(plain_secrets(&stress), ["the header authorization", "the password", "the query's api_key"]);
}

#[test]
fn invalid_flags_are_reported() {
    let table: [&[&str]; 19] = [
        &[],
        &["localhost:8005"],
        &["http://a/x", "http://b/y"],
        &["http://h/", "-t", "20"],
        &["http://h/", "-t", "20s", "-z", "10s"],
        &["http://h/", "-d", "30s"],
        &["http://h/", "-d30"],
        &["http://h/", "-z", "10"],
        &["http://h/", "-q", "0"],
        &["http://h/", "-c", "many"],
        &["http://h/", "--rate", "5/s", "--spawn-rate", "1/s"],
        &["http://h/", "-X", "BREW"],
        &["http://h/", "-H", "no colon"],
        &["http://h/", "-H", "A: 1", "-H", "a: 2"],
        &["http://h/", "-a", "me"],
        &["http://h/", "--status", "200,999"],
        &["http://h/", "--expect", "p99 < 50"],
        &["http://h/", "--json-body", "{"],
        &["http://h/", "-d", "@no/such/file"],
    ];
    let mut reported = String::new();
    for words in table {
        let _ = writeln!(reported, "$ saasbench stress {}", words.join(" "));
        let _ = match parsed(words) {
            Err(error) => writeln!(reported, "{error}"),
            Ok(args) => match asked(&args, &mut &b""[..]) {
                Err(failure) => {
                    writeln!(
                        reported,
                        "error: {}\nhelp: {}\n",
                        failure.message,
                        failure.hint.unwrap_or_default()
                    )
                }
                Ok(stress) => panic!("{words:?} means {stress:?}"),
            },
        };
    }
    insta::assert_snapshot!(reported);
}
