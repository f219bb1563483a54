//! Credentials of an environment: where they are filled in, and that no message contains one.

use super::*;
use crate::environment::config::find;

fn variables(name: &str) -> Option<String> {
    let known = [("PASSWORD", "pa:ss wörd"), ("TOKEN", "abc123"), ("EMPTY", ""), ("LINES", "a\nb")];
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

/// Parses the keys of `[environment.x.prometheus]`.
fn access(keys: &str) -> Result<Access, EnvironmentError> {
    let text =
        format!("[environment.x]\nreplicas = {{ a = \"http://h\" }}\n[environment.x.prometheus]\n{keys}");
    let config = find(&text, "saasbench.toml", "x")?.prometheus.unwrap();
    Access::new(config, "environment `x`", &variables)
}

fn header<'a>(access: &'a Access, name: &str) -> &'a [u8] {
    access.credentials.headers[name].as_bytes()
}

#[test]
fn credentials_are_filled_in_and_known_as_secrets() {
    let basic = access("url = \"http://h/p\"\nbasic = [\"me\", \"${env:PASSWORD}\"]").unwrap();
    let encoded = BASE64_STANDARD.encode("me:pa:ss wörd");
    assert_eq!(header(&basic, "authorization"), format!("Basic {encoded}").as_bytes());
    let hidden: Vec<&str> = basic.credentials.secrets.iter().map(|(secret, _)| secret.as_str()).collect();
    assert_eq!(hidden, ["pa:ss wörd", encoded.as_str()]);

    let bearer = access(
        "url = \"https://h\"\nbearer = \"${env:TOKEN}\"\ntimeout = \"30s\"\ninsecure = true\nheaders = { X-Scope-OrgID = \"acme|globex\" }",
    )
    .unwrap();
    assert_eq!(header(&bearer, "authorization"), b"Bearer abc123");
    assert_eq!(header(&bearer, "x-scope-orgid"), b"acme|globex");
    assert_eq!(bearer.timeout, Duration::from_secs(30));
    assert!(!format!("{bearer:?} {basic:?}").contains("abc123"));
}

#[test]
fn names_are_not_secrets() {
    let keys = "url = \"http://h\"\nheaders = { X-Scope-OrgID = \"${env:TOKEN}\" }";
    assert_eq!(access(keys).unwrap().credentials.secrets, []);
    let basic = access("url = \"http://h\"\nbasic = [\"${env:TOKEN}\", \"${env:PASSWORD}\"]").unwrap();
    assert!(basic.credentials.secrets.iter().all(|(secret, _)| secret != "abc123"));
    let keys = "url = \"http://h\"\nheaders = { X-Api-Key = \"${env:TOKEN}\" }";
    assert_eq!(access(keys).unwrap().credentials.secrets[0].0, "abc123");
}

#[test]
fn a_text_is_its_url_and_arguments_are_headers() {
    let text = "[environment.x]\nreplicas = { a = \"http://h\" }\nprometheus = \"http://p:9090\"";
    let config = find(text, "saasbench.toml", "x").unwrap().prometheus.unwrap();
    assert_eq!(config.url, "http://p:9090");
    let headers = ["Authorization: Bearer ${env:TOKEN}".to_owned(), "X-Time:12:00".to_owned()];
    let config = PrometheusConfig::of_arguments("http://p", &headers).unwrap();
    let access = Access::new(config, "--prometheus", &variables).unwrap();
    assert_eq!(header(&access, "authorization"), b"Bearer abc123");
    assert_eq!(header(&access, "x-time"), b"12:00");
}

#[test]
fn all_mistakes_are_reported_without_secrets() {
    let mut all = String::new();
    for keys in [
        "",
        "url = \"h:9090\"",
        "url = \"http://h/?a=b\"\ntoken = \"x\"",
        "url = \"http://h/api/v1/query?query=up\"",
        "url = \"http://h\"\nbasic = [\"me\", \"hunter2\"]\nbearer = \"hunter2\"",
        "url = \"http://me:hunter2@h\"\nbearer = \"${env:TOKEN}\"",
        "url = \"http://h\"\nheaders = { Authorization = \"Bearer hunter2\", \"no name\" = \"x\" }",
        "url = \"http://h\"\nheaders = { X-Auth-Key = \"hunter2\" }",
        "url = \"http://h\"\nbearer = \"hunter2${env:TOKEN}\"",
        "url = \"http://h\"\nbasic = [\"${env:NOBODY}\", \"${env:EMPTY}\"]\nheaders = { A = \"${env:NOBODY}\" }",
        "url = \"http://h\"\nbearer = \"${env:LINES}\"",
        "url = \"http://h\"\nheaders = { A = \"${tenant}\", B = \"${env:TOKEN\" }",
        "url = \"http://h\"\ninsecure = true\nca_file = \"nowhere.pem\"\ncertificate = \"nowhere.pem\"",
        "url = \"http://h\"\ntimeout = \"soon\"",
    ] {
        let error = access(keys).unwrap_err();
        all += &format!("{error}\n  hint: {}\n\n", error.hint().unwrap());
    }
    let error = PrometheusConfig::of_arguments("http://h", &["Bearer hunter2".to_owned()]).unwrap_err();
    all += &format!("{error}\n  hint: {}\n", error.hint().unwrap());
    assert!(!all.contains("hunter2"), "{all}");
    insta::assert_snapshot!(all);
}
