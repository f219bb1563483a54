//! The report is well-formed: tags match, references resolve, nothing is loaded, and hostile text stays text.

use std::collections::BTreeSet;

use super::*;
use crate::timeline;
use saasbench_record::{
    sample::{RequestOutcome, Sample},
    testing::{TestRun, sample},
};
use saasbench_verify::testing::Judge as _;

/// The report of a synthetic run.
pub(super) fn page_of(made: &TestRun) -> String {
    made.judge();
    let run = RecordedRun::open(made.dir.path()).unwrap();
    let (mut report, timeline) = timeline::judge(&run, |_| {}).unwrap();
    report.run = "RUN".to_owned();
    render(&report, &run, &timeline)
}

fn samples() -> Vec<Sample> {
    let outcome = |i: i64| RequestOutcome::Status(if i % 3 == 0 { 429 } else { 200 });
    (0..90).map(|i| sample(i * 100, (i % 2) as usize, outcome(i))).collect()
}

const LIMIT: &str =
    "[[limit]]\nroute = \"POST /chat\"\nper = \"tenant\"\nalgorithm = \"fixed-window\"\nquota = \"8/10s\"\n";
const SILENT: &str = "[metrics]\nenabled = false\n";

fn bad() -> TestRun {
    TestRun::new(
        &format!("{LIMIT}{SILENT}[[expect]]\nthat = \"count(429) == 0\"\n[[expect]]\nthat = \"p99 < 1s\"\n"),
        &samples(),
    )
}

/// The tags of a document, in order: a name with its attributes, or `/name`.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, more) = rest.split_at(end);
        rest = &more[1..];
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut found = Vec::new();
        while let Some((key, after)) = attributes.trim_start().split_once("=\"") {
            let (value, left) = after.split_once('"').expect("a value ends");
            let key = key.rsplit(' ').next().unwrap();
            found.push((key.to_owned(), value.to_owned()));
            attributes = left;
        }
        // Content of a script or a style is not markup.
        for raw in ["script", "style"] {
            if name == raw {
                rest = &rest[rest.find(&format!("</{raw}>")).expect("it ends")..];
            }
        }
        tags.push((name.to_owned(), found));
    }
    tags
}

/// The visible text of a document, a line per block.
pub(super) fn text(page: &str) -> String {
    let mut text = String::new();
    let body = &page[page.find("<body>").unwrap()..page.rfind("<script>").unwrap_or(page.len())];
    for part in body.split('<').skip(1) {
        let (tag, said) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default();
        if [
            "p",
            "h1",
            "h2",
            "h3",
            "li",
            "dt",
            "dd",
            "tr",
            "summary",
            "figcaption",
            "title",
            "desc",
            "text",
            "caption",
            "button",
            "td",
        ]
        .contains(&name)
        {
            text.push('\n');
        }
        text.push_str(said);
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines
        .join("\n")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
}

pub(super) fn assert_sound(page: &str) {
    let all = tags(page);
    let mut open: Vec<&str> = Vec::new();
    for (name, _) in &all {
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "of {open:?}"),
            None if name.starts_with('!') || ["meta", "br"].contains(&name.as_str()) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let attributes = || all.iter().flat_map(|(_, attributes)| attributes);
    let ids: Vec<&str> =
        attributes().filter(|(key, _)| key == "id").map(|(_, value)| value.as_str()).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for (key, value) in attributes() {
        match key.as_str() {
            "aria-labelledby" => value.split(' ').for_each(|id| assert!(unique.contains(id), "{id}")),
            "href" => assert!(value.strip_prefix('#').is_some_and(|id| unique.contains(id)), "{value}"),
            "src" | "srcset" | "action" | "xlink:href" => panic!("it loads {value}"),
            key if key.starts_with("on") => panic!("a script in {key}"),
            _ => {}
        }
    }
    for (url, _) in page.match_indices("url(") {
        assert!(page[url..].starts_with("url(#"), "{}", &page[url..url + 40]);
    }
    assert!(!page.contains("@import"));
}

#[test]
fn renders_a_run_that_passes() {
    let page = page_of(&TestRun::new(SILENT, &samples()));
    assert_sound(&page);
    insta::assert_snapshot!(text(&page));
}

#[test]
fn renders_a_run_that_fails() {
    let page = page_of(&bad());
    assert_sound(&page);
    insta::assert_snapshot!(text(&page));
}

#[test]
fn shows_client_vs_server() {
    let mut made = TestRun::new("", &samples());
    let labels = "handler=\"/chat\",method=\"POST\"";
    let of = |count: i64, rejected: i64| {
        format!(
            "http_requests_total{{{labels},status=\"200\"}} {count}\nhttp_requests_total{{{labels},status=\"429\"}} {rejected}\n"
        )
    };
    made.settled("a", &of(30, 15)).settled("b", &of(29, 15));
    let page = page_of(&made);
    assert_sound(&page);
    let (_, sides) = page.split_once("id=\"sides\"").unwrap();
    let (sides, _) = sides.split_once("</section>").unwrap();
    insta::assert_snapshot!(text(&format!("<body>{sides}<script>")));
}

#[test]
fn shows_at_most_three_failed_claims_before_the_charts() {
    let expected: String =
        (0..20).map(|most| format!("[[expect]]\nthat = \"count(429) == {most}\"\n")).collect();
    let page = page_of(&TestRun::new(&format!("{LIMIT}{SILENT}{expected}"), &samples()));
    assert_sound(&page);
    assert_eq!(page.matches("class=\"card ").count(), 2, "one of each kind");
    let said = text(&page);
    for words in [
        "Failed: a rate limit was not enforced as promised",
        "21 of 22 claims do not hold",
        "and 19 more that failed",
        "and 7 more under All claims",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let one =
        page_of(&TestRun::new(&format!("{SILENT}[[expect]]\nthat = \"count(429) == 0\"\n"), &samples()));
    let said = text(&one);
    for words in ["Failed: count(429) == 0 was expected, but 30\n", "claims does not hold"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn names_replicas_in_subjects() {
    let mut made = TestRun::new("", &samples());
    let page = "http_requests_total{handler=\"/chat\",method=\"POST\",status=\"200\"} 7\n";
    made.settled("a", page).settled("b", page);
    let said = text(&page_of(&made));
    assert!(said.contains("http_requests_total of replica a, from its scrapes"), "{said}");
}

#[test]
fn renders_a_run_that_was_killed_and_one_without_requests() {
    let mut made = bad();
    made.manifest.state = saasbench_record::manifest::State::Running;
    made.manifest.load = None;
    let page = page_of(&made);
    assert_sound(&page);
    assert!(text(&page).contains("the run was cut off"), "{}", text(&page));
    let empty = page_of(&TestRun::new("", &[]));
    assert_sound(&empty);
    assert!(empty.contains("No responses."));
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let text = saasbench_model::scenario::testing::SCENARIO
        .replace(
            "name = \"test\"",
            &format!("name = \"test\"\ndescription = {}", serde_json::Value::from(hostile)),
        )
        .replace("\"acme\"", &serde_json::Value::from("\u{202e}<b>acme</b>\"onload=x").to_string());
    let mut made = TestRun::of(format!("{text}{LIMIT}{SILENT}"), &samples());
    made.manifest.environment.name = hostile.to_owned();
    made.manifest.environment.faults = vec![hostile.to_owned()];
    made.manifest.events = vec![saasbench_record::event::Event::Aborted {
        at_ns: Nanos::from_secs(2),
        reason: hostile.to_owned(),
    }];
    let mut odd = samples();
    odd[5].failed_check = Some(hostile.to_owned());
    let page = page_of(&made);
    assert_sound(&page);
    assert!(!page.contains("<img") && !page.contains("<b>acme"), "escaped");
    assert_eq!(page.matches("<script>").count(), 1);
}
