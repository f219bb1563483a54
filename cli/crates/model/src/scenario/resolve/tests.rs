//! What valid scenarios resolve to, and how invalid ones are reported: each kind of problem once, by one
//! change to a valid scenario.

use std::{fmt::Write as _, io, path::Path};

use super::*;
use crate::scenario::problem::Problems;

mod capacity;
mod good;
mod hostile;
mod judging;
mod loads;
mod metrics;
mod steps;

pub(super) const FLOOD: &str = include_str!("../../../../../../scenarios/flood.toml");

/// A small scenario that uses most features.
pub(super) const BASE: &str = r#"version = 1
timeout = "5s"

[[tenant]]
id = "acme"
[[tenant]]
id = "globex"

[[journey]]
name = "chat"
[[journey.start]]
post = "/session"
json = { tenant_id = "${tenant}" }
save = { sid = "/session_id" }
[[journey.step]]
post = "/chat"
headers = { X-Session-ID = "${sid}" }
json = { session_id = "${sid}", message = "msg-${n}" }
status = [200, 429]
[[journey.step]]
name = "read"
get = "/items/${sid}?full=1"

[[load]]
tenant = "acme"
journey = "chat"
rate = "200/s"
max_users = 50
duration = "25s"
[[load]]
journey = "chat"
users = 2
spawn_rate = "1/s"
think_time = "1s..3s"
after = "5s"
duration = "20s"
replica = 2

[[limit]]
route = "POST /chat"
per = "tenant"
algorithm = "fixed-window"
quota = { acme = "8/10s", globex = "4/10s" }

[[expect]]
that = "p99 < 50ms"
where = { tenant = "globex", journey = "chat", step = "read" }
"#;

/// Some files and one environment variable exist.
pub(super) fn read_file(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("tenants.jsonl") => {
            Ok("{\"id\": \"umbrella\", \"chat_per_10s\": 3}\n\n{\"id\": \"hooli\"}\n".to_owned())
        }
        Some("bad.jsonl") => {
            Ok("{\"id\": \"a\"}\n{\"id\": 3}\n{\"name\": \"b\"}\n{\"id\": \"c\",}\n[]\n".to_owned())
        }
        Some("ca.pem") => Ok("-----BEGIN CERTIFICATE-----".to_owned()),
        Some("empty.jsonl") => Ok("\n".to_owned()),
        Some("people.csv") => {
            Ok("name, email,full name\nAda,ada@example.org,Ada L.\n\"Bob, B\",bob@example.org,${env:TOKEN}\n"
                .to_owned())
        }
        Some("words.jsonl") => {
            Ok("{\"word\": \"a\", \"n\": 1}\n{\"n\": 2.5, \"word\": \"b\", \"more\": []}\n".to_owned())
        }
        Some("bad.csv") => Ok("a,b,a\n1,2\n1,2,3\n\n${env:TOKNE},${a},${\n".to_owned()),
        Some("worse.jsonl") => Ok("{\"a\": 1, \"b\": 2}\n[]\n{\"a\": null}\n".to_owned()),
        Some("empty.csv") => Ok("a,b\n".to_owned()),
        Some("large.csv") => Ok("a\n".repeat(9 << 20)),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "secret".to_owned())
}

pub(super) const SOURCES: Sources<'static> =
    Sources { read_file: &read_file, environment: Some(&environment) };

fn problems(text: &str) -> Problems {
    resolve(text, "base.toml", &SOURCES).unwrap_err()
}

/// Each change to the valid scenario must cause exactly one problem.
fn each(changes: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (from, to) in changes {
        assert!(BASE.contains(from), "{from} is not in the scenario");
        let problems = problems(&BASE.replacen(from, to, 1));
        let rendered = problems.render(false);
        assert_eq!(problems.iter().count(), 1, "{from} => {to}\n{rendered}");
        let one = rendered.split("\n\nerror: 1 problem in base.toml").next().unwrap_or_default();
        writeln!(out, "{one}\n").unwrap();
    }
    out
}

/// Snapshot of what the user is shown.
fn shown(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn not_a_scenario() {
    let mut out = String::new();
    for text in [
        "",
        "# nothing but a remark\n",
        "{\"version\": 1, \"load\": []}\n",
        "version: 1\nload:\n  - rate: 3\n",
        "<html>\n<body>\n",
        "version = 2\nscenario = \"of another time\"\n",
        "version = 1\n",
    ] {
        writeln!(out, "{}", problems(text)).unwrap();
    }
    let missing = Problems::unreadable("flod.toml", &io::Error::from(io::ErrorKind::NotFound));
    write!(out, "{missing}").unwrap();
    shown("not_a_scenario", &out);
}

#[test]
fn syntax() {
    shown(
        "syntax",
        &each(&[
            ("\"25s\"", "25s"),
            ("\"25s\"", ""),
            ("\"25s\"", "\"25s"),
            ("replica = 2", "replica = 2\nreplica = 3"),
            ("users = 2", "users = two"),
            ("version = 1", "version = \"1\""),
        ]),
    );
}

#[test]
fn a_syntax_error_hides_only_problems_after_it() {
    let text = BASE
        .replace("timeout", "timeuot")
        .replace("\"/session_id\" }", "\"/session_id\"")
        .replace("200/s", "0/s");
    shown("a_syntax_error_hides_only_problems_after_it", &problems(&text).render(false));
}

#[test]
fn keys_and_types() {
    shown(
        "keys_and_types",
        &each(&[
            ("version = 1", "# version = 1"),
            ("timeout =", "timeuot ="),
            ("duration = \"25s\"", "duration = \"25s\"\nduratoin = \"1s\""),
            ("name = \"read\"", "nmae = \"read\"\nname = \"read\""),
            ("step = \"read\"", "step = \"read\", tennant = \"globex\""),
            ("[[limit]]", "[metrics]\nport = 9090\n[[limit]]"),
            ("users = 2", "users = \"two\""),
            ("\"25s\"", "25"),
            ("\"200/s\"", "200"),
            ("[200, 429]", "true"),
            ("status = [200, 429]", "save = \"/id\""),
            ("status = [200, 429]", "save = { id = 1 }"),
            ("tenant = \"acme\"", "tenant = [\"acme\", 1]"),
            ("{ tenant = \"globex\", journey = \"chat\", step = \"read\" }", "\"globex\""),
            ("[[limit]]", "[limit]"),
            ("[[limit]]", "[metrics]\nenabled = \"no\"\n[[limit]]"),
            ("timeout = \"5s\"", "service = \"slow\""),
        ]),
    );
}

#[test]
fn the_header() {
    shown(
        "the_header",
        &each(&[
            ("version = 1", "version = 1\nname = \"a flood\""),
            ("version = 1", "version = 1\nname = \"\""),
            ("version = 1", "version = 1\nseed = -1"),
            ("version = 1", "version = 1\nwarmup = \"25s\""),
            ("\"5s\"", "\"0s\""),
            ("\"5s\"", "\"-5s\""),
            ("\"5s\"", "\"5 parsecs\""),
            ("\"5s\"", "\"5\""),
        ]),
    );
}

#[test]
fn tenants() {
    shown(
        "tenants",
        &each(&[
            ("id = \"globex\"", "id = \"acme\"\n[[tenant]]\nid = \"globex\""),
            ("id = \"globex\"", "id = \"globex\"\n[[tenant]]"),
            ("id = \"globex\"", "id = \"globex\"\npattern = \"t-1..t-9\""),
            ("id = \"globex\"", "id = \"\""),
            ("id = \"globex\"", "id = \"globex\"\n[[tenant]]\npattern = \"t-1000..t-0001\""),
            ("id = \"globex\"", "id = \"globex\"\n[[tenant]]\nfile = \"nowhere.jsonl\""),
            ("id = \"globex\"", "id = \"globex\"\n[[tenant]]\nfile = \"empty.jsonl\""),
            (
                "id = \"globex\"",
                "id = \"globex\"\n[[tenant]]\nid = \"hooli\"\n[[tenant]]\nfile = \"tenants.jsonl\"",
            ),
        ]),
    );
}

#[test]
fn bad_lines_of_a_tenant_file() {
    let text = BASE.replacen("id = \"globex\"", "id = \"globex\"\n[[tenant]]\nfile = \"bad.jsonl\"", 1);
    shown("bad_lines_of_a_tenant_file", &problems(&text).render(false));
}

#[test]
fn journeys() {
    shown(
        "journeys",
        &each(&[
            ("name = \"chat\"", ""),
            ("[[load]]", "[[journey]]\nname = \"chat\"\n[[journey.step]]\nget = \"/\"\n[[load]]"),
            ("[[load]]", "[[journey]]\nname = \"idle\"\n[[load]]"),
            ("get = \"/items/${sid}?full=1\"", ""),
            ("get = \"/items", "post = \"/items\"\nget = \"/items"),
            ("\"/chat\"", "\"chat\""),
            ("\"/chat\"", "\"https://localhost/chat\""),
            ("\"/items/${sid}?full=1\"", "\"/items/{sid}\""),
            ("\"/items/${sid}?full=1\"", "\"/items/a b\""),
            ("\"/items/${sid}?full=1\"", "\"/items#top\""),
            ("name = \"read\"", "name = \"read\"\nroute = \"GET /items/{sid}\""),
            ("name = \"read\"", "name = \"read\"\nhead = \"/\""),
            ("status = [200, 429]", "name = \"read\""),
            ("status = [200, 429]", "body = \"hello\""),
            ("[200, 429]", "[200, 99]"),
            ("[200, 429]", "\"200\""),
            ("[200, 429]", "\"6xx\""),
            ("[200, 429]", "[]"),
            ("status = [200, 429]", "cross_tenant = true"),
            ("status = [200, 429]", "status = [200, 403]\ncross_tenant = true"),
            ("status = [200, 429]", "status = 403\ncross_tenant = true\nsave = { id = \"/id\" }"),
            ("status = [200, 429]", "status = 403\ncross_tenant = \"yes\""),
            ("X-Session-ID", "\"X Session\""),
            ("X-Session-ID", "Content-Length"),
            ("{ X-Session-ID = \"${sid}\"", "{ X-Session-ID = \"a\", x-session-id = \"b\""),
            ("X-Session-ID = \"${sid}\"", "X-Session-ID = \"a\\nb\""),
            ("\"msg-${n}\"", "nan"),
        ]),
    );
}

#[test]
fn templates() {
    shown(
        "templates",
        &each(&[
            ("message = \"msg-${n}\"", "message = \"msg-${m}\""),
            ("message = \"msg-${n}\"", "message = \"${sit} ${sit}\""),
            ("message = \"msg-${n}\"", "message = \"msg-${n\""),
            ("message = \"msg-${n}\"", "message = \"msg-${n + 1}\""),
            ("message = \"msg-${n}\"", "\"${key}\" = 1"),
            ("\"${tenant}\" }", "\"${sid}\" }"),
            (
                "get = \"/items/${sid}?full=1\"",
                "get = \"/late\"\nheaders = { x = \"${late}\" }\n[[journey.step]]\nget = \"/\"\nsave = { late = \"/id\" }",
            ),
            ("headers = { X-Session-ID = \"${sid}\"", "headers = { Authorization = \"Bearer ${env:TOKNE}\""),
            ("save = { sid = \"/session_id\" }", "save = { sid = \"session_id\" }"),
            ("save = { sid = \"/session_id\" }", "save = { sid = \"/session~id\" }"),
            ("save = { sid = \"/session_id\" }", "save = { sid = \"/session_id\", tenant = \"/tenant\" }"),
        ]),
    );
}

#[test]
fn the_service() {
    let with = |table: &str| format!("{table}\n[[limit]]");
    let tables = [
        "[service]\ntimeout = \"0s\"",
        "[metrics]\nrequests = \"\"",
        "[metrics]\nrequests = \"http-requests\"",
        "[metrics]\ntenant_label = \"a:b\"",
        "[metrics]\npath = \"metrics\"",
        "[metrics]\nignore = [\"/metrics\", \"healthz\"]",
        "[metrics]\ninterval = \"0s\"",
        "[metrics]\npreset = \"spring\"",
        "[metrics]\nrequest_size = \"bytes in\"",
        "[metrics]\nresponse_size = 3",
        "[metrics]\nstatuses = \"classes\"",
        "[metrics]\nduration_unit = \"us\"",
        "[metrics]\nclient_overhead = \"25\"",
        "[metrics]\nscrape_within = \"0s\"",
        "[metrics]\nroutes = { \"POST /chats\" = \"chat\" }",
        "[metrics]\nroutes = { \"POST /chat\" = 1 }",
        "[metrics]\nroutes = \"chat\"",
        "[metrics]\ntenant_label = \"\"",
        "[metrics]\npreset = \"micrometer\"\ntenant_requests = \"hits\"\ntenant_label = \"\"",
        "[embedded]\nreplicas = 0",
        "[embedded]\nreplicas = 65",
        "[embedded]\ntenants = \"nowhere.jsonl\"",
    ]
    .map(with);
    let changes: Vec<(&str, &str)> = tables.iter().map(|table| ("[[limit]]", table.as_str())).collect();
    shown("the_service", &each(&changes));
}

#[test]
fn invalid_http_settings() {
    let with = |table: &str| format!("[http]\n{table}\n[[limit]]");
    let tables = [
        "version = \"3\"",
        "version = 2",
        "connect_timeout = \"0s\"",
        "connect_timeout = \"11s\"",
        "dns = \"always\"",
        "connections = \"fresh\"",
        "max_requests = 0",
        "max_age = \"0s\"",
        "connections = \"per-request\"\nmax_requests = 5",
        "connections = \"per-request\"\nmax_age = \"1m\"",
        "source_addresses = []",
        "source_addresses = [\"10.0.0.1\", \"10.0.0\"]",
        "source_addresses = \"10.0.0.0/40\"",
        "source_addresses = [\"fd00::/64\"]",
        "insecure = \"yes\"",
        "ca_file = \"nowhere.pem\"",
        "insecure = true\nca_file = \"ca.pem\"",
    ]
    .map(with);
    let changes: Vec<(&str, &str)> = tables.iter().map(|table| ("[[limit]]", table.as_str())).collect();
    shown("invalid_http_settings", &each(&changes));
}

#[test]
fn many_at_once() {
    let text = r#"version = 1
name = "fl ood"
seed = "seven"

[[tenant]]
id = "acme"

[[journey]]
name = "chat"
[[journey.step]]
post = "/chat"
json = { message = "msg-${m}" }
status = [200, 4290]

[[load]]
tenant = "acne"
duratoin = "25s"
rate = "0/s"
think_time = "1s..3s"

[[limit]]
route = "POST /chatt"
algorithm = "leaky-bucket"
quota = { globex = "8/10x" }

[[expect]]
that = "p99 > fast"
where = { step = "POST /chat", tenants = "acme" }
"#;
    shown("many_at_once", &problems(text).render(false));
}

#[test]
fn colours_are_escape_sequences() {
    let coloured = problems("version = 3").render(true);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    assert!(!problems("version = 3").render(false).contains('\u{1b}'));
}
