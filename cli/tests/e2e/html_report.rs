//! The HTML report of recorded runs in a headless Chromium at three widths: nothing is loaded, no
//! errors are logged, nothing overflows.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{Copied, Process, Sandbox, copy, fixture, free_port, wait_for};

/// Script added to each copy, which posts its measurements to the enclosing document.
const PROBE: &str = r#"<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(one =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, pre, svg, .skip"));
  const verdict = document.querySelector("h1").getBoundingClientRect();
  const button = document.querySelector("button[data-series]");
  if (button) button.click();
  const chart = document.querySelector("figure[data-chart] svg[role]");
  chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  parent.postMessage({
    width: innerWidth, over: document.documentElement.scrollWidth - innerWidth, wide: wide.map(one => one.outerHTML.slice(0, 80)),
    title: document.title, verdict: verdict.bottom, pictures: ["throughput", "latency", "distribution"].map(id => document.getElementById(id)?.getBoundingClientRect().bottom), charts: document.querySelectorAll("figure.chart svg[role]").length,
    pressed: button && button.getAttribute("aria-pressed"), tip: document.getElementById("tip").textContent,
    broken: [...document.querySelectorAll(".card h3")].map(one => one.textContent),
    cards: [...document.querySelectorAll(".card")].map(card => [...card.querySelectorAll(".lead, .cause, .sides, .note")].map(part => [part.className, part.getBoundingClientRect().height > 0])),
    sections: [...document.querySelectorAll("section > h2")].map(one => one.textContent),
  }, "*");
});</script></body>"#;

const WIDTHS: [u32; 3] = [1440, 768, 390];
/// Tolerance in pixels, because fonts differ.
const ROOM: f64 = 250.0;

/// How Chromium rendered a document.
struct Rendered {
    /// Measurements at each width.
    measured: Vec<Value>,
    /// Lines of the console.
    complaints: Vec<String>,
    /// Network requests of the document; Chromium's own have no origin.
    asked: Vec<String>,
}

fn render(page: &str) -> Rendered {
    let dir = tempfile::tempdir().unwrap();
    let frames: String = WIDTHS
        .iter()
        .map(|width| format!("<iframe width={width} height=900 src=page.html></iframe>"))
        .collect();
    let around = format!(
        "<!doctype html><body>{frames}<pre></pre><script>const all = []; addEventListener('message', event => {{ \
         all.push(event.data); document.querySelector('pre').textContent = 'MEASURED' + JSON.stringify(all) + 'END'; }});</script>"
    );
    fs::write(dir.path().join("page.html"), page.replace("</body>", PROBE)).unwrap();
    fs::write(dir.path().join("around.html"), around).unwrap();
    let mut command = Command::new("chromium");
    command.args([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]);
    command.args(["--disable-component-update", "--disable-sync", "--disable-extensions", "--dump-dom"]);
    command.args(["--disable-features=NetworkTimeServiceQuerying", "--host-resolver-rules=MAP * ~NOTFOUND"]);
    command.args(["--enable-logging=stderr", "--window-size=1500,1000", "--virtual-time-budget=4000"]);
    command.arg(format!("--user-data-dir={}", dir.path().join("profile").display()));
    command.arg(format!("--log-net-log={}", dir.path().join("net.json").display()));
    command.arg(format!("file://{}", dir.path().join("around.html").display()));
    let mut chromium = Process::start("chromium", &mut command, dir.path());
    wait_for("chromium", || chromium.ended().is_some());
    let (out, err) = (chromium.out(), chromium.err());
    let lines = |text: &str, is: &dyn Fn(&str) -> bool| {
        text.lines().filter(|line| is(line)).map(str::to_owned).collect()
    };
    let net = fs::read_to_string(dir.path().join("net.json")).unwrap();
    let asks = |line: &str| line.contains("\"initiator\":") && line.contains("\"url\":\"http");
    let asked = lines(&net, &|line| asks(line) && !line.contains("\"initiator\":\"not an origin\""));
    let complaints = lines(&err, &|line| line.contains("CONSOLE"));
    let measured = out.split_once("MEASURED").and_then(|(_, rest)| rest.split_once("END"));
    let (measured, _) = measured.unwrap_or_else(|| panic!("no measurements: {out}\n{err}"));
    let measured: Vec<Value> =
        serde_json::from_str(&measured.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
            .unwrap();
    assert_eq!(measured.len(), WIDTHS.len(), "{measured:?}");
    Rendered { measured, complaints, asked }
}

/// The report of a checked-in run.
fn page_of(name: &str) -> String {
    let (sandbox, run) = (Sandbox::new(), Copied::of(&fixture(name)));
    let path = run.path();
    let ended = sandbox.run(&["report", path.to_str().unwrap()]);
    ended.assert_code(0);
    ended.assert_says(&["report.html"]);
    fs::read_to_string(path.join("report.html")).unwrap()
}

fn assert_fits(rendered: &Rendered) {
    assert_fits_in(rendered, 300.0);
    for one in &rendered.measured {
        let pictures: Vec<f64> =
            one["pictures"].as_array().unwrap().iter().map(|bottom| bottom.as_f64().unwrap()).collect();
        // The first two may be side by side.
        let verdict = one["verdict"].as_f64().unwrap();
        assert!(pictures[..2].iter().all(|&first| verdict < first && first < pictures[2]), "{one:#}");
        // A phone scrolls. A typical laptop screen is 900 pixels high, a tablet in portrait mode 1024.
        let height = [(1440, 900.0), (768, 1024.0)].into_iter().find(|(width, _)| one["width"] == *width);
        assert!(height.is_none_or(|(_, height)| pictures[2] < height + ROOM), "{one:#}");
        for card in one["cards"].as_array().unwrap() {
            let parts = card.as_array().unwrap();
            assert!(parts.iter().any(|part| part[0] == "lead" || part[0] == "sides"), "{one:#}");
            assert!(parts.iter().all(|part| part[1] == true), "nothing of a card is hidden: {one:#}");
        }
        assert!(one["charts"].as_i64().unwrap() >= 6, "{one:#}");
        assert_eq!(one["pressed"], "false", "{one:#}");
    }
}

/// The verdict's lower edge is at `verdict` pixels at most.
fn assert_fits_in(rendered: &Rendered, verdict: f64) {
    let Rendered { measured, complaints, asked } = rendered;
    assert!(complaints.is_empty() && asked.is_empty(), "{complaints:?} {asked:?}");
    for one in measured {
        assert!(one["over"].as_i64().unwrap() <= 0 && one["wide"].as_array().unwrap().is_empty(), "{one:#}");
        assert!(one["verdict"].as_f64().unwrap() < verdict, "the verdict is visible first: {one:#}");
        assert!(one["tip"].as_str().unwrap().contains('s'), "{one:#}");
    }
}

#[test]
fn a_passed_run_fits_every_width() {
    let rendered = render(&page_of("good"));
    assert_fits(&rendered);
    for one in &rendered.measured {
        assert!(one["title"].as_str().unwrap().starts_with("Passed: "), "{one:#}");
        assert_eq!(one["broken"].as_array().unwrap().len(), 0, "{one:#}");
    }
}

#[test]
fn failed_runs_name_the_failure_at_every_width() {
    for (name, broken) in [
        ("over-admission", "More requests were admitted than a rate limit allows"),
        ("tampered", "The service's counters disagree with the clients' requests"),
    ] {
        let rendered = render(&page_of(name));
        assert_fits(&rendered);
        for one in &rendered.measured {
            assert!(one["title"].as_str().unwrap().starts_with("Failed: "), "{one:#}");
            assert!(one["broken"].to_string().contains(broken), "{one:#}");
            assert!(one["sections"].to_string().contains("Client vs. server"), "{one:#}");
        }
    }
}

#[test]
fn a_capacity_search_fits_every_width() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("search");
    copy(&fixture("capacity"), &dir);
    let ended = sandbox.run(&["report", "search"]);
    ended.assert_code(0);
    ended.assert_says(&["search/capacity.html"]);
    let rendered = render(&fs::read_to_string(dir.join("capacity.html")).unwrap());
    assert_fits_in(&rendered, 450.0);
    for one in &rendered.measured {
        assert!(one["title"].as_str().unwrap().contains("capacity of capacity"), "{one:#}");
        assert_eq!(one["charts"], 10, "the law, and three pictures of each of three searches: {one:#}");
        assert!(one["sections"].to_string().contains("Scaling with replicas"), "{one:#}");
    }
}

#[test]
fn network_requests_would_be_detected() {
    let image = format!("<img src=\"http://127.0.0.1:{}/x.png\"></body>", free_port());
    let page = page_of("good").replace("</body>", &image);
    let forbidden = render(&page);
    assert!(forbidden.complaints[0].contains("Content Security Policy"), "{:?}", forbidden.complaints);
    assert_eq!(
        forbidden.asked.len(),
        0,
        "the content security policy forbids requests: {:?}",
        forbidden.asked
    );
    let allowed = render(&page.replace("Content-Security-Policy", "nothing"));
    assert!(!allowed.asked.is_empty(), "{:?}", allowed.complaints);
}

#[test]
fn help() {
    let ended = Sandbox::new().run(&["report", "--help"]);
    ended.assert_code(0);
    insta::assert_snapshot!(ended.out);
}

#[test]
fn writes_a_report_per_run_and_names_missing_runs() {
    let sandbox = Sandbox::new();
    for name in ["good", "killed"] {
        copy(&fixture(name), &sandbox.path().join(name));
    }
    let ended = sandbox.run(&["report", "good", "nowhere", "killed"]);
    ended.assert_code(2);
    ended.assert_says(&["there is no run `nowhere`", "good/report.html", "killed/report.html"]);
    let of = |name: &str| fs::read_to_string(sandbox.path().join(name).join("report.html")).unwrap();
    assert!(of("killed").contains("the run was cut off"), "it says so");
    assert!(of("good").len() < 2_000_000);
    let ended = sandbox.run(&["report", "good", "--out", "-"]);
    ended.assert_code(0);
    assert_eq!(ended.out, of("good"));
    sandbox.run(&["report", "good", "--out", "there.html"]).assert_code(0);
    assert!(Path::new(&sandbox.path().join("there.html")).exists());
    let ended = sandbox.run(&["report", "good", "killed", "--out", "there.html"]);
    ended.assert_code(2);
    ended.assert_says(&["--out names one file, and there are 2 runs"]);
    sandbox.run(&["report", "good", "--out", "nowhere/there.html"]).assert_code(5);
}
